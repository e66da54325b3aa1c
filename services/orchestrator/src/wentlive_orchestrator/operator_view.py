"""What an operator needs to see: attempts and their last errors, containers, logs and costs, under `/internal/v1`."""

import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Literal

from pydantic import BaseModel, Field, SecretStr, StringConstraints, ValidationError
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from wentlive_common.errors import InvalidInput, NotFound, Unauthenticated, WentliveError
from wentlive_common.job import Outcome
from wentlive_common.logging import redact
from wentlive_common.model import BroadcastKey, Bytes, Handle, Model, Seconds, UtcDatetime

from wentlive_orchestrator.costs import BudgetLimits, CostMeter, MonthlyCosts
from wentlive_orchestrator.domain import Attempt, Bill, PriceTable, Recording, named_attempt, running_bill
from wentlive_orchestrator.janitor import CleanUpReport
from wentlive_orchestrator.ledger import RecordingLedger
from wentlive_orchestrator.ports import AttemptSpec, RecorderRuntime, RuntimeHandle
from wentlive_orchestrator.reports import problem, status_of

PATH = "/internal/v1"
MOST_RECORDINGS = 200


class RecordingsQuery(Model):
    """A page of the newest; `unsettled` are those with something left to decide, to watch or to clean up."""

    only: Literal["", "unsettled"] = ""
    limit: int = Field(default=50, ge=1, le=MOST_RECORDINGS)
    before: str = Field(default="", max_length=26)


class CostsQuery(Model):
    month: Annotated[str, StringConstraints(pattern=r"^2[0-9]{3}-(0[1-9]|1[0-2])$")] | None = None


class AttemptView(Model):
    """One attempt, without anything that would let somebody report in its name."""

    number: int
    name: str
    task: str
    """`record`, or `salvage`: to close what earlier ones left open."""
    image: str | None
    state: str
    reported: str | None
    outcome: Outcome | None
    reason: str | None
    """The last that it, or the runtime, had to say."""
    refused: bool
    gone: bool
    created_at: UtcDatetime
    started_at: UtcDatetime | None
    last_report_at: UtcDatetime | None
    over_at: UtcDatetime | None
    parts: int
    bytes: Bytes
    media_seconds: Seconds
    runtime: dict[str, object] | None
    bill: Bill | None
    """As it stands, while it runs."""


class RecordingView(Model):
    recording_id: str
    broadcast: BroadcastKey
    handle: Handle
    title: str
    state: str
    trouble: str | None
    failure: str | None
    detected_at: UtcDatetime
    live_started_at: UtcDatetime
    broadcast_ended_at: UtcDatetime | None
    stop_requested_at: UtcDatetime | None
    attempts: tuple[AttemptView, ...]


class RecordingsPage(Model):
    taken_at: UtcDatetime
    recordings: tuple[RecordingView, ...]
    next: str | None
    """For `before`, when there may be more."""


class ContainerView(Model):
    """A process or container group that exists."""

    name: str
    runtime: dict[str, object]
    recording_id: str | None
    attempt: int | None
    owned: bool
    """Whether a recording still has a use for it; what has no owner is deleted."""
    doomed: str
    undeletable: str
    """Why it could not be deleted when that was tried last."""


class ContainersPage(Model):
    taken_at: UtcDatetime
    containers: tuple[ContainerView, ...]


class CostsPage(Model):
    costs: MonthlyCosts
    limits: BudgetLimits
    prices: PriceTable


class RegistryPage(Model):
    """None: the registry is not cleaned up by this process, or was not yet."""

    last: CleanUpReport | None


@dataclass(frozen=True, slots=True)
class OperatorView:
    """Read-only; each answer says what is stored and what runs at this moment."""

    ledger: RecordingLedger
    runtime: RecorderRuntime
    meter: CostMeter
    limits: BudgetLimits
    undeletable: Mapping[str, str]
    last_clean_up: Callable[[], CleanUpReport | None]

    def routes(self, token: SecretStr | None) -> list[Route]:
        """None at all without a service token: nobody could be let in."""
        if token is None:
            return []
        answers: dict[str, Answer] = {
            "/recordings": self._recordings,
            "/recordings/{recording_id}": self._recording,
            "/recordings/{recording_id}/attempts/{attempt:int}/log": self._log,
            "/containers": self._containers,
            "/costs": self._costs,
            "/registry": self._registry,
        }
        return [Route(PATH + path, _guarded(answer, token), methods=["GET"]) for path, answer in answers.items()]

    async def _recordings(self, request: Request) -> BaseModel:
        query = RecordingsQuery.model_validate(dict(request.query_params))
        if query.only:
            recordings, more = await self.ledger.store.active(), None
        else:
            recordings = await self.ledger.store.recent(query.limit, query.before)
            more = recordings[-1].recording_id if len(recordings) == query.limit else None
        now = self.ledger.now()
        views = tuple(_recording_view(recording, now, self.ledger.prices) for recording in recordings)
        return RecordingsPage(taken_at=now, recordings=views, next=more)

    async def _recording(self, request: Request) -> BaseModel:
        return _recording_view(await self._found(request), self.ledger.now(), self.ledger.prices)

    async def _log(self, request: Request) -> str:
        attempt = (await self._found(request)).attempt(int(request.path_params["attempt"]))
        if attempt is None:
            raise NotFound("There is no such attempt.")
        spec = AttemptSpec(name=attempt.name, recording_id=request.path_params["recording_id"], number=attempt.number)
        handle = None if attempt.runtime is None else RuntimeHandle(name=attempt.name, state=attempt.runtime)
        return redact(await self.runtime.log(spec, handle))

    async def _containers(self, _request: Request) -> BaseModel:
        handles = await self.runtime.list()
        recordings = await self.ledger.store.active()
        owned = {attempt.name for recording in recordings for attempt in recording.attempts if not attempt.gone}
        views = [self._container_view(handle, owned=handle.name in owned) for handle in handles]
        return ContainersPage(taken_at=self.ledger.now(), containers=tuple(views))

    async def _costs(self, request: Request) -> BaseModel:
        month = CostsQuery.model_validate(dict(request.query_params)).month
        first = datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC) if month else self.meter.this_month()
        return CostsPage(costs=await self.meter.month(first), limits=self.limits, prices=self.ledger.prices)

    async def _registry(self, _request: Request) -> BaseModel:
        return RegistryPage(last=self.last_clean_up())

    async def _found(self, request: Request) -> Recording:
        recording = await self.ledger.store.get(request.path_params["recording_id"])
        if recording is None:
            raise NotFound("There is no such recording.")
        return recording

    def _container_view(self, handle: RuntimeHandle, *, owned: bool) -> ContainerView:
        recording_id, attempt = named_attempt(handle.name) or (None, None)
        return ContainerView(
            name=handle.name, runtime=handle.state, recording_id=recording_id, attempt=attempt, owned=owned,
            doomed=handle.doomed, undeletable=self.undeletable.get(handle.name, ""),
        )  # fmt: skip


Answer = Callable[[Request], Awaitable[BaseModel | str]]


def _guarded(answer: Answer, token: SecretStr) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            _let_in(request, token)
            body = await answer(request)
        except ValidationError as error:
            faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False))
            return problem(HTTPStatus.UNPROCESSABLE_ENTITY, InvalidInput(f"The query is wrong: {faults}").message)
        except WentliveError as error:
            return problem(status_of(error), error.message)
        headers = {"cache-control": "no-store"}
        if isinstance(body, str):
            return PlainTextResponse(body, headers=headers)
        return Response(body.model_dump_json(), media_type="application/json", headers=headers)

    return endpoint


def _let_in(request: Request, token: SecretStr) -> None:
    wanted = f"Bearer {token.get_secret_value()}"
    if not hmac.compare_digest(request.headers.get("authorization", "").encode(), wanted.encode()):
        raise Unauthenticated("Send the service token as a bearer token.")


def _recording_view(recording: Recording, now: datetime, prices: PriceTable) -> RecordingView:
    facts = recording.model_dump(include=set(RecordingView.model_fields) - {"attempts"})
    attempts = tuple(_attempt_view(attempt, now, prices) for attempt in recording.attempts)
    return RecordingView(**facts, trouble=recording.trouble, attempts=attempts)


def _attempt_view(attempt: Attempt, now: datetime, prices: PriceTable) -> AttemptView:
    derived = {"parts", "bytes", "media_seconds", "bill"}
    return AttemptView(
        **attempt.model_dump(include=set(AttemptView.model_fields) - derived),
        parts=len(attempt.parts),
        bytes=sum(part.bytes for part in attempt.parts),
        media_seconds=attempt.media_seconds,
        bill=attempt.bill or running_bill(attempt, now, prices),
    )
