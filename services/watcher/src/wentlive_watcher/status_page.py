"""What the watcher knows of each creator and of its egresses, for the catalog's pages: `GET /internal/v1/watches`."""

from datetime import datetime

from pydantic import Field, ValidationError
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from wentlive_common.clock import Clock
from wentlive_common.errors import StoreUnavailable
from wentlive_common.model import CreatorId, Handle, Model, RoomId, UtcDatetime

from wentlive_watcher.domain import EgressName, Policy, Restriction, Watch, WatchState
from wentlive_watcher.egress import Egresses, EgressReport
from wentlive_watcher.ports import WatchStore
from wentlive_watcher.schedule import interval
from wentlive_watcher.service_access import is_let_in, not_let_in, problem
from wentlive_watcher.settings import WatcherSettings

MAX_HANDLES = 200
PATH = "/internal/v1/watches"


class WatchQuery(Model):
    """The handles that are named, or else a page of all."""

    handles: tuple[Handle, ...] = Field(default=(), max_length=MAX_HANDLES)
    limit: int = Field(default=100, ge=1, le=MAX_HANDLES)
    after: str = Field(default="", max_length=24)


class WatchReport(Model):
    """One creator, as followed."""

    handle: Handle
    current_handle: Handle
    creator_id: CreatorId | None
    state: WatchState
    merged_into: Handle | None
    trouble: str | None
    restriction: Restriction | None
    last_checked_at: UtcDatetime | None
    next_check_at: UtcDatetime | None
    interval_seconds: float | None
    room_id: RoomId | None
    evidence: str | None
    evidence_at: UtcDatetime | None
    egress: EgressName | None


class Status(Model):
    """The whole answer."""

    taken_at: UtcDatetime
    watches: tuple[WatchReport, ...]
    next: Handle | None
    egresses: tuple[EgressReport, ...]


def status_routes(store: WatchStore, egresses: Egresses, settings: WatcherSettings, clock: Clock) -> list[Route]:
    """No route at all without a service token: nobody could be let in."""
    token = settings.service_token
    if token is None:
        return []

    async def watches(request: Request) -> Response:
        if not is_let_in(request, token):
            return not_let_in()
        try:
            query = _query(request.query_params)
            body = await status(store, egresses, query, clock.now(), settings.policy)
        except ValidationError:
            return problem(422, f"Name at most {MAX_HANDLES} handles; limit is 1 to {MAX_HANDLES}.")
        except StoreUnavailable as error:
            return problem(503, error.message)
        return Response(body.model_dump_json(), media_type="application/json", headers={"cache-control": "no-store"})

    return [Route(PATH, watches)]


async def status(store: WatchStore, egresses: Egresses, query: WatchQuery, now: datetime, policy: Policy) -> Status:
    if query.handles:
        found, more = await store.find(query.handles), None
    else:
        found = await store.list(query.limit, query.after)
        more = found[-1].handle if len(found) == query.limit else None
    reports = [await _report(store, watch, now, policy) for watch in found]
    return Status(taken_at=now, watches=tuple(reports), next=more, egresses=tuple(egresses.reports()))


async def _report(store: WatchStore, watch: Watch, now: datetime, policy: Policy) -> WatchReport:
    holder = await store.holder(watch.merged_with) if watch.merged_with else None
    return WatchReport(
        handle=watch.handle,
        current_handle=watch.asks,
        creator_id=watch.creator_id or watch.merged_with,
        state=watch.state,
        merged_into=holder.handle if holder else None,
        trouble=watch.trouble,
        restriction=watch.restriction,
        last_checked_at=watch.last_checked_at,
        next_check_at=None if watch.merged_with else watch.next_check_at,
        interval_seconds=None if watch.merged_with else round(interval(watch, now, policy), 1),
        room_id=watch.broadcast.room.room_id if watch.broadcast else None,
        evidence=watch.evidence.text if watch.evidence else None,
        evidence_at=watch.evidence.at if watch.evidence else None,
        egress=watch.egress,
    )


def _query(parameters: QueryParams) -> WatchQuery:
    plain = {name: parameters[name] for name in ("limit", "after") if name in parameters}
    return WatchQuery.model_validate({"handles": parameters.getlist("handle"), **plain})
