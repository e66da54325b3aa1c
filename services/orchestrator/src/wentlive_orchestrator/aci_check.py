"""Tries one container group in a real subscription, from its creation to its 404, and says what was as expected.

`python -m wentlive_orchestrator.aci_check`, with the orchestrator's own settings (`WENTLIVE_ORCHESTRATOR_ACI__…`).
What it starts is named apart from any installation, and deleted whatever happens.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from pydantic_settings import SettingsConfigDict
from wentlive_common.clock import SystemClock
from wentlive_common.entrypoint import read_settings
from wentlive_common.errors import WentliveError
from wentlive_common.ids import new_ulid
from wentlive_common.job import RecordingJob
from wentlive_common.model import Model
from wentlive_common.settings import Settings

from wentlive_orchestrator.aci_settings import AciSettings
from wentlive_orchestrator.adapters.aci_runtime import AciRuntime, open_aci_runtime
from wentlive_orchestrator.domain import attempt_name
from wentlive_orchestrator.finishing import FinishRequests
from wentlive_orchestrator.ports import AttemptSpec, Exited, Gone, RuntimeHandle
from wentlive_orchestrator.stopping import delete_for_certain

START_SECONDS = 300.0
DELETE_SECONDS = 300.0


class CheckSettings(Settings):
    model_config = SettingsConfigDict(env_prefix="WENTLIVE_ORCHESTRATOR_")

    aci: AciSettings


class Step(Model):
    step: str
    ok: bool
    seconds: float
    detail: str


class Findings(Model):
    ok: bool
    name: str
    image: str
    steps: tuple[Step, ...]


class AciCheck:
    """One attempt's life. A step that fails ends it, but for the deletion."""

    def __init__(self, runtime: AciRuntime, poll: float) -> None:
        self._runtime = runtime
        self._poll = poll
        recording_id = new_ulid()
        self.spec = AttemptSpec(name=attempt_name(recording_id, 1), recording_id=recording_id, number=1)
        self._handle = RuntimeHandle(name=self.spec.name, state={})
        self.steps: list[Step] = []

    async def run(self) -> None:
        try:
            for what, step in (
                ("list and usages", self._list),
                ("create", self._create),
                ("find and list it", self._find),
                ("runs or has ended well", self._run),
                ("log", self._log),
            ):
                if not await self._take(what, step):
                    break
        finally:
            await self._take("delete until 404", self._delete)

    async def _take(self, what: str, step: Callable[[], Awaitable[str]]) -> bool:
        began = time.monotonic()
        try:
            detail, ok = await step(), True
        except (WentliveError, TimeoutError) as error:
            detail, ok = str(error) or type(error).__name__, False
        self.steps.append(Step(step=what, ok=ok, seconds=round(time.monotonic() - began, 1), detail=detail))
        return ok

    async def _list(self) -> str:
        groups = await self._runtime.list()
        limits = [
            f"{name}: {state.groups.limit:g} groups, {state.cores.limit:g} cores"
            for name, state in self._runtime.room.regions.items()
            if state.groups and state.cores
        ]
        return f"{len(groups)} of this check; limits: {'; '.join(limits) or 'not told'}"

    async def _create(self) -> str:
        job = RecordingJob.model_validate(
            {
                "recording_id": self.spec.recording_id, "attempt": 1, "creator_id": "1", "room_id": "1",
                "handle": "tiktok", "blob_prefix": "check", "report_url": "https://reports.invalid/",
                "report_token": "of-no-use",
            }
        )  # fmt: skip
        self._handle = await self._runtime.start(self.spec, job)
        return f"accepted in {self._handle.state['region']}"

    async def _find(self) -> str:
        found = await self._runtime.find(self.spec.name)
        listed = [handle for handle in await self._runtime.list() if handle.name == self.spec.name]
        if found is None or not listed:
            raise NotAsExpected("It was accepted, and is not shown.")
        if (found.state, listed[0].state) != (self._handle.state, self._handle.state):
            raise NotAsExpected(f"It is shown as {found.state}, and was asked for as {self._handle.state}.")
        return "shown as it was asked for"

    async def _run(self) -> str:
        """The recorder cannot report, and leaves by itself with 0 after a while; that it has begun is enough."""
        async with asyncio.timeout(START_SECONDS):
            while True:
                status = await self._runtime.status(self._handle)
                if isinstance(status, Gone):
                    raise NotAsExpected("It disappeared.")
                if isinstance(status, Exited):
                    if status.code != 0:
                        raise NotAsExpected(f"It ended with code {status.code}: {status.detail}")
                    return "it ran, and left with code 0"
                if self._runtime.began(self.spec.name):
                    return "its container runs"
                await asyncio.sleep(self._poll)

    async def _log(self) -> str:
        return f"{len(await self._runtime.log(self.spec, self._handle))} characters"

    async def _delete(self) -> str:
        await delete_for_certain(self._runtime, self._handle, DELETE_SECONDS)
        return "Azure answers 404"


class NotAsExpected(WentliveError):
    """Azure did otherwise than Wentlive expects."""


async def check(settings: AciSettings, poll: float = 5.0) -> Findings:
    apart = settings.model_copy(update={"deployment": f"check-{new_ulid()}", "look_interval": poll})
    with tempfile.TemporaryDirectory() as folder:
        async with open_aci_runtime(apart, Path(folder), {}, FinishRequests(), SystemClock()) as runtime:
            attempt = AciCheck(runtime, poll)
            await attempt.run()
    ok = all(step.ok for step in attempt.steps)
    return Findings(ok=ok, name=attempt.spec.name, image=settings.image, steps=tuple(attempt.steps))


def main() -> None:
    settings = read_settings("aci-check", CheckSettings)
    findings = asyncio.run(check(settings.aci))
    sys.stdout.write(findings.model_dump_json(indent=2) + "\n")
    sys.exit(0 if findings.ok else 1)


if __name__ == "__main__":
    main()
