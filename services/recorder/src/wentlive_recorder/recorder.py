"""The process's one piece of work: record or salvage, report meanwhile, and report the verdict before leaving."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import structlog
from wentlive_common.errors import WentliveError
from wentlive_common.lifecycle import wait_any

from wentlive_recorder.companions import Companions
from wentlive_recorder.errors import Fenced
from wentlive_recorder.orders import Orders
from wentlive_recorder.part import PartOpener
from wentlive_recorder.progress import Progress
from wentlive_recorder.reports import Reporter
from wentlive_recorder.salvager import Salvager
from wentlive_recorder.session import Session, Verdict

RECORDING_OVER, RECORDING_BROKE, PARTS_UNFINISHED = "recording_over", "recording_broke", "parts_unfinished"
_FIRST_CONTACT = 2.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class FinishLimits:
    """Seconds; a process that is asked to end by a signal is killed soon after it."""

    hurry: float
    """For storage, from the signal on."""
    hurried_report: float
    report: float
    salvage: float
    """For what is still being salvaged when the recording itself is over."""


class Recorder:
    """Without a session there is nothing to record, only to salvage."""

    def __init__(
        self,
        session: Session | None,
        salvager: Salvager,
        opener: PartOpener,
        reporter: Reporter,
        progress: Progress,
        orders: Orders,
        limits: FinishLimits,
        companions: Companions,
    ) -> None:
        self._session, self._salvager, self._opener = session, salvager, opener
        self._reporter, self._progress, self._orders = reporter, progress, orders
        self._limits, self._companions = limits, companions

    async def run(self, stop: asyncio.Event) -> Verdict:
        """Works until the live is over or `stop` is set; always ends with a verdict that was reported if possible."""
        with self._companions.listening():
            async with _beside(self._obey(stop)):
                return await self._worked()

    async def _worked(self) -> Verdict:
        async with _beside(self._reporter.run()):
            await self._orders.interrupt(self._reporter.first_contact(_FIRST_CONTACT))
            verdict = await self._accompanied()
        self._progress.end(verdict.outcome, verdict.reason)
        log.info(RECORDING_OVER, outcome=verdict.outcome, reason=verdict.reason, parts=len(self._progress.parts))
        await self._orders.press(self._last_words(), self._limits.hurried_report)
        return verdict

    async def _accompanied(self) -> Verdict:
        if self._orders.abandoned:
            return await self._verdict()
        async with _beside(self._companions.run()):
            return await self._verdict()

    async def _last_words(self) -> None:
        if self._orders.abandoned:  # whoever has taken over has the say, in the manifest as well
            await self._reporter.deliver(self._limits.report)
        else:
            await asyncio.gather(self._reporter.deliver(self._limits.report), self._companions.close())

    async def _verdict(self) -> Verdict:
        self._salvager.start()
        try:
            if self._session is None:
                return await self._salvaged()
            verdict = await self._closed(await self._recorded(self._session))
            if verdict.outcome != "fenced" and not self._orders.hurried:
                await self._orders.press(self._settled_salvage(), 0)
            return verdict
        finally:
            await self._salvager.abandon()
            await self._opener.abandon()

    async def _recorded(self, session: Session) -> Verdict:
        try:
            return await session.run()
        except Exception as error:
            # Whatever it is, somebody must hear of it: the orchestrator decides on another attempt.
            log.exception(RECORDING_BROKE)
            return Verdict("failed", f"The recorder broke: {type(error).__name__}: {error}")

    async def _closed(self, verdict: Verdict) -> Verdict:
        """Waits for storage to take what was recorded."""
        if verdict.outcome == "fenced":
            return verdict
        self._progress.enter("finishing", verdict.reason)
        try:
            settled = wait_any(self._opener.settle(), self._orders.abandonment())
            await self._orders.press(settled, self._limits.hurry)
        except Fenced as error:
            return Verdict("fenced", error.message)
        except WentliveError as error:
            return verdict if verdict.outcome == "failed" else Verdict("failed", error.message)
        if self._orders.abandoned:
            return Verdict("fenced", "Another attempt has taken over.")
        if self._opener.unfinished:
            log.warning(PARTS_UNFINISHED, parts=self._opener.unfinished)
            return Verdict(verdict.outcome, "The recorder had to leave before storage had taken everything.")
        return verdict

    async def _salvaged(self) -> Verdict:
        """The live is over, so only a signal or a successor keeps it from trying as long as it takes."""
        self._progress.enter("finishing")
        settled = wait_any(self._salvager.settle(), self._orders.abandonment())
        await self._orders.press(settled, 0)
        if self._orders.abandoned:
            return Verdict("fenced", "Another attempt has taken over.")
        if self._orders.hurried:
            return Verdict("stopped")
        problem = self._salvager.problem
        return Verdict("failed", problem) if problem else Verdict("ended")

    async def _settled_salvage(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._limits.salvage):
                await self._salvager.settle()

    async def _obey(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._orders.hurry()


@asynccontextmanager
async def _beside(work: Coroutine[Any, Any, None]) -> AsyncGenerator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
