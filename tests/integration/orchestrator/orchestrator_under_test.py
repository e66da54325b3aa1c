"""The orchestrator as a process, with fake recorders, a bus, and a step at which it kills itself."""

import asyncio
import os
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

from wentlive_common.bus.memory import InMemoryBus
from wentlive_common.clock import SystemClock
from wentlive_common.entrypoint import read_settings
from wentlive_common.events import BroadcastWentLive, new_event
from wentlive_common.lifecycle import stop_on_signals, wait_any
from wentlive_orchestrator.adapters.aci_runtime import open_aci_runtime
from wentlive_orchestrator.adapters.process_runtime import ProcessRuntime
from wentlive_orchestrator.bootstrap import bootstrap
from wentlive_orchestrator.finishing import FinishRequests
from wentlive_orchestrator.ports import DeletionUnderWay, RecorderRuntime
from wentlive_orchestrator.settings import OrchestratorSettings

RECORDER = [sys.executable, "-P", str(Path(__file__).with_name("fake_recorder.py"))]


def die_at(step: str) -> None:
    if os.environ.get("DIE_AT") == step:
        os.kill(os.getpid(), signal.SIGKILL)


class Mortal:
    """A runtime around whose calls the process may die."""

    def __init__(self, runtime) -> None:
        self._runtime = runtime

    def __getattr__(self, name):
        return getattr(self._runtime, name)

    async def start(self, spec, job):
        die_at("before_start")
        if os.environ.get("DIE_AT") == "in_start":
            # The request is under way when its sender dies; its answer takes longer than this.
            asyncio.get_running_loop().call_later(0.3, die_at, "in_start")
        handle = await self._runtime.start(spec, job)
        die_at("after_start")
        return handle

    async def delete(self, handle):
        die_at("before_delete")
        try:
            await self._runtime.delete(handle)
        except DeletionUnderWay:
            die_at("in_delete")
            raise
        die_at("after_delete")


def watch(recording) -> None:
    die_at(recording.state)
    last = recording.last_attempt
    if last:
        die_at(f"attempt_{last.state}")


async def keep_saying_live(bus: InMemoryBus, stop: asyncio.Event) -> None:
    """The watcher of a bus that forgets: it repeats, and falls silent when the live is over."""
    ended = Path(os.environ["WENTLIVE_ORCHESTRATOR_RECORDER__CONTROL"]) / "ended"
    while not stop.is_set() and not ended.exists():
        now = SystemClock().now()
        data = BroadcastWentLive(creator_id="7", room_id="42", handle="ann", sequence=1, at=now, started_at=now)
        await bus.publish(new_event(data, "watcher"))
        await wait_any(stop.wait(), asyncio.sleep(0.3))


@asynccontextmanager
async def open_runtime(settings: OrchestratorSettings):
    if settings.aci is None:
        yield ProcessRuntime(settings.data_dir, settings.recorder_env, command=RECORDER)
    else:
        opened = open_aci_runtime(
            settings.aci, settings.data_dir, settings.recorder_env, FinishRequests(), SystemClock()
        )
        async with opened as runtime:
            yield runtime


async def main() -> None:
    settings = read_settings("orchestrator", OrchestratorSettings)
    bus = InMemoryBus() if settings.amqp_url is None else None
    async with (
        stop_on_signals() as stop,
        open_runtime(settings) as runtime,
        bootstrap(settings, bus=bus, runtime=cast("RecorderRuntime", Mortal(runtime))) as app,
    ):
        app.ledger.on_change(watch)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(app.run(stop))
            if bus:
                tasks.create_task(keep_saying_live(bus, stop))


if __name__ == "__main__":
    asyncio.run(main())
