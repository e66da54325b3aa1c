"""The orchestrator on a real broker: killed with messages on their way, nothing is lost or doubled."""

import asyncio
import time
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr
from wentlive_common.bus.rabbit import RabbitBus
from wentlive_common.events import (
    BroadcastEnded,
    BroadcastWentLive,
    RecordingCompleted,
    RecordingFailed,
    RecordingPartClosed,
    RecordingPartOpened,
    RecordingProgressed,
    RecordingRecovering,
    RecordingRequested,
    RecordingRetryRequested,
    RecordingStarted,
    RecordingStopRequested,
    new_event,
)

TOLD = (
    RecordingRequested,
    RecordingStarted,
    RecordingPartOpened,
    RecordingProgressed,
    RecordingPartClosed,
    RecordingCompleted,
    RecordingFailed,
    RecordingRecovering,
)


class Peers:
    """The watcher and the catalog, as far as the orchestrator sees them."""

    def __init__(self, url: str) -> None:
        self.bus = RabbitBus(SecretStr(url), "test")
        self.heard = []
        self.room = str(time.time_ns())

    async def hear(self, event) -> None:
        self.heard.append(event.data)

    async def say(self, kind, sequence=1) -> None:
        data = kind(creator_id="9", room_id=self.room, handle="ann", sequence=sequence, at=datetime.now(UTC))
        await self.bus.publish(new_event(data, "watcher"))

    async def until(self, condition) -> None:
        async with asyncio.timeout(30):
            while not condition():
                await asyncio.sleep(0.02)

    def kinds(self) -> list[str]:
        unique = {event.sequence: event.TYPE for event in self.heard}
        return [unique[sequence].removeprefix("recording.") for sequence in sorted(unique)]


def subscribed(orchestrator) -> bool:
    log = (orchestrator.folder / "orchestrator.log").read_text()
    return any("subscription_live" in line and "orchestrator.broadcasts" in line for line in log.splitlines())


@pytest.fixture
async def peers(vhost_url):
    peers = Peers(vhost_url)
    yield peers
    await peers.bus.close()


async def test_killed_with_a_message_waiting_it_records_once_and_tells_it_whole(orchestrator, peers, vhost_url):
    orchestrator.amqp_url = vhost_url
    await peers.bus.subscribe(f"test.{peers.room}", TOLD, peers.hear)

    # It dies at its first message, when the recording is stored and nothing is acknowledged.
    orchestrator.start(DIE_AT="requested")
    await peers.until(lambda: subscribed(orchestrator))
    await peers.say(BroadcastWentLive)
    assert await asyncio.to_thread(orchestrator.wait) == -9

    orchestrator.start(DIE_AT="recording")
    assert await asyncio.to_thread(orchestrator.wait) == -9
    assert len(await asyncio.to_thread(orchestrator.recorders)) == 1
    await peers.say(BroadcastWentLive)

    orchestrator.start()
    await peers.until(lambda: "part_opened" in peers.kinds())
    orchestrator.end_live()
    await peers.until(lambda: orchestrator.only().attempts[0].state == "done")
    await peers.say(BroadcastEnded, 2)
    await peers.until(lambda: "completed" in peers.kinds())

    recording = orchestrator.only()
    assert len(recording.attempts) == 1
    kinds = [kind for kind in peers.kinds() if kind != "progressed"]
    assert kinds == ["requested", "started", "part_opened", "part_closed", "completed"]
    assert len(peers.kinds()) == recording.sequence, "no number is missing"
    await peers.until(lambda: orchestrator.unpublished() == 0)
    assert await asyncio.to_thread(orchestrator.terminate) == 0


async def test_a_stop_is_passed_on_to_the_recorder(orchestrator, peers, vhost_url):
    orchestrator.amqp_url = vhost_url
    await peers.bus.subscribe(f"test.{peers.room}", TOLD, peers.hear)
    orchestrator.start()
    await peers.until(lambda: subscribed(orchestrator))
    await peers.say(BroadcastWentLive)
    await peers.until(lambda: "part_opened" in peers.kinds())
    stop = RecordingStopRequested(recording_id=orchestrator.only().recording_id, requested_by="admin")
    await peers.bus.publish(new_event(stop, "catalog"))
    await peers.until(lambda: "completed" in peers.kinds())
    assert orchestrator.only().attempts[0].outcome == "stopped"
    assert await asyncio.to_thread(orchestrator.terminate) == 0


async def test_what_failed_is_tried_again_while_the_live_goes_on_and_completes(orchestrator, peers, vhost_url):
    orchestrator.amqp_url = vhost_url
    await peers.bus.subscribe(f"test.{peers.room}", TOLD, peers.hear)
    prefix = "WENTLIVE_ORCHESTRATOR_POLICY__"
    orchestrator.start(**{f"{prefix}MAX_ATTEMPTS": "1", f"{prefix}STEADY_MEDIA": "1000"})
    await peers.until(lambda: subscribed(orchestrator))
    await peers.say(BroadcastWentLive)
    await peers.until(lambda: "part_opened" in peers.kinds())
    (orchestrator.control / "crash").touch()
    await peers.until(lambda: "failed" in peers.kinds())
    failed = orchestrator.only()
    assert (failed.state, failed.broadcast_open) == ("failed", True)

    wish = RecordingRetryRequested(
        recording_id=failed.recording_id, ended_sequence=failed.sequence, requested_by="admin"
    )
    for _ in range(2):
        await peers.bus.publish(new_event(wish, "catalog"))
    await peers.until(lambda: orchestrator.only().state == "recording")
    assert len(await asyncio.to_thread(orchestrator.recorders)) == 1
    orchestrator.end_live()
    await peers.until(lambda: orchestrator.only().active_attempt is None)
    await peers.say(BroadcastEnded, 2)
    await peers.until(lambda: "completed" in peers.kinds())

    recording = orchestrator.only()
    assert [attempt.task for attempt in recording.attempts] == ["record", "salvage", "record"]
    assert [part.state for part in recording.committed_parts] == ["closed", "closed"]
    ends = [kind for kind in peers.kinds() if kind in ("failed", "recovering", "completed")]
    assert ends == ["failed", "recovering", "completed"]
    assert len(peers.kinds()) == recording.sequence, "no number is missing"
    await peers.until(lambda: orchestrator.only().settled)
    assert await asyncio.to_thread(orchestrator.recorders) == []
    assert await asyncio.to_thread(orchestrator.terminate) == 0
