"""One TikTok, one storage and one desk for as many recorders as are set on them side by side."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from wentlive_common.ids import new_ulid
from wentlive_common.job import RecordingJob

from wentlive_devkit.rig.film import Film, judge, watch
from wentlive_devkit.rig.recorder_run import Run, make_job, recorder_process, target
from wentlive_devkit.rig.report_desk import ReportDesk
from wentlive_devkit.rig.storage import Storage
from wentlive_devkit.servers import AzuriteServer
from wentlive_devkit.tiktok import Scenario, TikTokSimulator
from wentlive_devkit.tiktok.ledger import Viewing


@dataclass(frozen=True)
class Stage:
    """`async with Stage.open(azurite, scenario, folder) as stage, stage.run("ada") as run`."""

    simulator: TikTokSimulator
    desk: ReportDesk
    storage: Storage
    folder: Path
    _readers: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))

    @classmethod
    @asynccontextmanager
    async def open(cls, azurite: AzuriteServer, scenario: Scenario, folder: Path) -> AsyncGenerator[Self]:
        storage = Storage(azurite)
        async with AsyncExitStack() as stack:
            stack.callback(storage.close)
            simulator = await stack.enter_async_context(TikTokSimulator.start(scenario))
            desk = await stack.enter_async_context(ReportDesk.open())
            yield cls(simulator, desk, storage, folder)

    @asynccontextmanager
    async def run(
        self,
        handle: str,
        *,
        storage: Storage | None = None,
        settings: Mapping[str, str] | None = None,
        job: RecordingJob | None = None,
        **fields: Any,
    ) -> AsyncGenerator[Run]:
        """A recorder on the creator's last live, with a job of its own; `fields` are the job's."""
        storage, receiver = storage or self.storage, self.desk.receiver()
        live, log = target(self.simulator, handle), self.folder / f"{handle}-{new_ulid()}.log"
        job = job or make_job(live, storage, receiver, **fields)
        async with recorder_process(live, job, storage, receiver, log, settings) as run:
            yield run

    def viewings(self, handle: str) -> list[Viewing]:
        """What was sent to whom."""
        return self.simulator.world.creators[handle].broadcasts[-1].viewings

    def sent(self, handle: str) -> float:
        """Seconds of media, over all connections."""
        return sum(viewing.seconds for viewing in self.viewings(handle))

    async def read(self, blob: str) -> Film:
        """The blob as others see it, an empty film when nothing was committed; raises what they complain of."""
        async with self._readers:
            media = await asyncio.to_thread(self.storage.read, blob)
            if not media:
                return Film()
            path = self.folder / f"{new_ulid()}.mp4"
            await asyncio.to_thread(path.write_bytes, media)
            try:
                await judge(path)
            finally:
                path.unlink()
            return await asyncio.to_thread(watch, media)
