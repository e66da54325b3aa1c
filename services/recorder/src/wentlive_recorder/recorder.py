"""The process's one piece of work: record, report meanwhile, and report the verdict before leaving."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import structlog

from wentlive_recorder.orders import Orders
from wentlive_recorder.progress import Progress
from wentlive_recorder.reports import Reporter
from wentlive_recorder.session import Session, Verdict

RECORDING_OVER, RECORDING_BROKE = "recording_over", "recording_broke"
_FIRST_CONTACT = 2.0

log = structlog.get_logger(__name__)


class Recorder:
    def __init__(
        self, session: Session, reporter: Reporter, progress: Progress, orders: Orders, final_patience: float
    ) -> None:
        self._session, self._reporter, self._progress, self._orders = session, reporter, progress, orders
        self._final_patience = final_patience

    async def run(self, stop: asyncio.Event) -> Verdict:
        """Records until the live is over or `stop` is set; always ends with a verdict that was reported if possible."""
        async with self._side_tasks(stop):
            await self._reporter.first_contact(_FIRST_CONTACT)
            verdict = await self._verdict()
        self._progress.end(verdict.outcome, verdict.reason)
        log.info(RECORDING_OVER, outcome=verdict.outcome, reason=verdict.reason, parts=len(self._progress.parts))
        await self._reporter.deliver(self._final_patience)
        return verdict

    async def _verdict(self) -> Verdict:
        try:
            return await self._session.run()
        except Exception as error:
            # Whatever it is, somebody must hear of it: the orchestrator decides on another attempt.
            log.exception(RECORDING_BROKE)
            return Verdict("failed", f"The recorder broke: {type(error).__name__}: {error}")

    @asynccontextmanager
    async def _side_tasks(self, stop: asyncio.Event) -> AsyncGenerator[None]:
        tasks = [
            asyncio.create_task(self._reporter.run(), name="reports"),
            asyncio.create_task(self._obey(stop), name="signals"),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _obey(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._orders.give("finish")
