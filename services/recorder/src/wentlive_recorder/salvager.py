"""What a recorder salvages beside its recording: the job's parts, and its own of before it was restarted."""

import asyncio
from collections.abc import Sequence

import structlog
from wentlive_common.clock import Clock
from wentlive_common.errors import Forbidden, Transient
from wentlive_common.job import PartReport, Salvaged, SalvagePart

from wentlive_recorder.errors import BlobMissing, Fenced, NothingRecorded, NotRebuildable, StorageRefused
from wentlive_recorder.grants import PartNames
from wentlive_recorder.progress import Progress
from wentlive_recorder.salvage import Salvage

PART_SALVAGED, NOTHING_TO_SALVAGE = "part_salvaged", "nothing_to_salvage"
SALVAGE_PUT_OFF, SALVAGE_GIVEN_UP, SALVAGE_BROKE = "salvage_put_off", "salvage_given_up", "salvage_broke"
_TIMES_QUIET = 3
_LOOK_INTERVAL = 3.0

log = structlog.get_logger(__name__)


class Salvager:
    """One part after another: a long one's tables take memory. `settle` waits for all; what failed stays as it was."""

    def __init__(
        self,
        salvage: Salvage,
        progress: Progress,
        clock: Clock,
        attempt: int,
        parts: Sequence[SalvagePart],
        quiet: float,
    ) -> None:
        self._salvage, self._progress, self._clock = salvage, progress, clock
        self._attempt, self._parts, self._quiet = attempt, parts, quiet
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self.problem: str | None = None
        """Why a part is still open that may yet be closed by somebody else."""

    def start(self) -> None:
        for part in self._parts:
            self._begin(part)

    def found(self, names: PartNames) -> None:
        """A part of this very attempt is there already: this recorder was restarted, or is not alone."""
        self._begin(SalvagePart(attempt=self._attempt, part=names.number, blob=names.media, index_blob=names.index))

    async def settle(self) -> None:
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def abandon(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, part: SalvagePart) -> None:
        task = asyncio.create_task(self._work(part), name=f"salvage-a{part.attempt}-p{part.part}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self, part: SalvagePart) -> None:
        with structlog.contextvars.bound_contextvars(salvaged_attempt=part.attempt, salvaged_part=part.part):
            async with self._turn:
                try:
                    await self._close(part)
                except (Transient, Forbidden, Fenced) as error:
                    log.warning(SALVAGE_PUT_OFF, why=error.message)
                    self.problem = error.message
                except Exception as error:
                    # A defect here must not cost the recording that goes on beside it.
                    log.exception(SALVAGE_BROKE)
                    self.problem = f"{type(error).__name__}: {error}"

    async def _close(self, part: SalvagePart) -> None:
        try:
            if part.attempt == self._attempt:
                await self._wait_for_quiet(part)
            report = await self._salvage.finish(part)
        except (BlobMissing, NothingRecorded):
            log.info(NOTHING_TO_SALVAGE)
            self._tell(part)
        except (NotRebuildable, StorageRefused) as error:
            log.error(SALVAGE_GIVEN_UP, why=error.message)
            self._tell(part, problem=error.message[:500])
        else:
            log.info(PART_SALVAGED, bytes=report.bytes, duration=round(report.duration, 3), fragments=report.fragments)
            self._tell(part, report)

    def _tell(self, part: SalvagePart, report: PartReport | None = None, problem: str | None = None) -> None:
        if part.attempt != self._attempt:
            self._progress.salvage(Salvaged(attempt=part.attempt, part=part.part, report=report, problem=problem))
        elif report is not None:
            self._progress.update(report)

    async def _wait_for_quiet(self, part: SalvagePart) -> None:
        """Nobody declared its writer dead, so it may be alive: then it changes the blob every few seconds."""
        deadline = self._clock.monotonic() + _TIMES_QUIET * self._quiet
        while (quiet := await self._salvage.quiet(part)) < self._quiet:
            if self._clock.monotonic() > deadline:
                raise Fenced("Another recorder is writing it.")
            await self._clock.sleep(min(self._quiet - quiet, _LOOK_INTERVAL))
