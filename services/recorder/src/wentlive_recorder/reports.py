"""Tells the orchestrator the whole state again and again, and takes its answers; recording never waits for it."""

import asyncio

import structlog
from wentlive_common.clock import Clock
from wentlive_common.errors import Transient
from wentlive_common.job import PartReport, Report

from wentlive_recorder.grants import GrantBook
from wentlive_recorder.orders import Orders
from wentlive_recorder.ports import ReportChannel
from wentlive_recorder.progress import Progress

REPORT_UNANSWERED = "report_unanswered"
REPORT_GIVEN_UP = "final_report_given_up"
_LONGEST_BACKOFF = 10.0

log = structlog.get_logger(__name__)


class Reporter:
    """Level-triggered: a lost report costs nothing, the next one says it all. Parts that were heard of are left out."""

    def __init__(
        self,
        channel: ReportChannel,
        progress: Progress,
        grants: GrantBook,
        orders: Orders,
        clock: Clock,
        interval: float,
    ) -> None:
        self._channel, self._progress, self._grants, self._orders = channel, progress, grants, orders
        self._clock, self._interval = clock, interval
        # A recorder that is started again for the same attempt must not seem older than it was before.
        self._sequence = int(clock.now().timestamp() * 1000)
        self._heard: dict[int, PartReport] = {}
        self._answered = asyncio.Event()

    async def run(self) -> None:
        """Reports for ever, at each interval and sooner when something changed; cancel it to stop."""
        pause = self._interval
        while True:
            self._progress.urgent.clear()
            try:
                await self._send()
                pause = self._interval
                await self._wait(pause)
            except Transient as error:
                log.warning(REPORT_UNANSWERED, why=error.message, after=pause)
                await self._clock.sleep(pause)
                pause = min(pause * 2, _LONGEST_BACKOFF)

    async def first_contact(self, patience: float) -> None:
        """Waits a little for the first answer: a second start of a finished attempt learns here that it is over."""
        try:
            async with asyncio.timeout(patience):
                await self._answered.wait()
        except TimeoutError:
            return

    async def deliver(self, patience: float) -> None:
        """Sends the last report, again until it is answered or patience is over."""
        deadline = self._clock.monotonic() + patience
        pause = 0.2
        while True:
            try:
                return await self._send()
            except Transient as error:
                if self._orders.abandoned or self._clock.monotonic() + pause > deadline:
                    log.warning(REPORT_GIVEN_UP, why=error.message)
                    return
            await self._clock.sleep(pause)
            pause = min(pause * 2, _LONGEST_BACKOFF)

    async def _send(self) -> None:
        report = self._report()
        answer = await self._channel.send(report)
        self._heard.update({part.part: part for part in report.parts})
        self._grants.merge(answer.grants)
        self._orders.give(answer.command)
        self._answered.set()

    def _report(self) -> Report:
        self._sequence += 1
        progress = self._progress
        news = [part for number, part in sorted(progress.parts.items()) if self._heard.get(number) != part]
        return Report(
            sequence=self._sequence,
            at=self._clock.now(),
            state=progress.state,
            outcome=progress.outcome,
            reason=progress.reason,
            parts=tuple(news),
            salvaged=tuple(progress.salvaged),
            granted_through_part=self._grants.through_part(),
            grants_expire_at=self._grants.expire_at(),
        )

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._progress.urgent.wait()
        except TimeoutError:
            return
