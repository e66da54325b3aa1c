"""Answers of TikTok, a policy with round numbers, and a clock that a test moves."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from wentlive_tiktok.status import Live, Offline, Paused, Profile, Room
from wentlive_tiktok.streams import StreamCandidate
from wentlive_watcher.adapters.sqlite_watches import SqliteWatchStore, open_sqlite_watches
from wentlive_watcher.domain import Follow, Policy, Watch, new_watch

START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
STREAM = StreamCandidate(url="https://pull.example/s.flv", protocol="flv", quality="hd", level=3, codec="h264")


class Answers:
    """Builds what TikTok says about one creator."""

    def profile(self, **fields: object) -> Profile:
        return Profile.model_validate({"creator_id": "42", "handle": "ann", "nickname": "Ann"} | fields)

    def live(self, room: str = "7001", **room_fields: object) -> Live:
        return Live(room=self._room(room, room_fields), profile=self.profile(), streams=(STREAM,))

    def paused(self, room: str = "7001") -> Paused:
        return Paused(room=self._room(room, {}), profile=self.profile())

    def offline(self) -> Offline:
        return Offline(profile=self.profile())

    def offline_of(self, handle: str) -> Offline:
        """Of one of many: each is somebody else."""
        return Offline(profile=self.profile(handle=handle, creator_id=str(int(handle.encode().hex(), 16))[:24]))

    def _room(self, room_id: str, fields: dict[str, object]) -> Room:
        return Room.model_validate({"room_id": room_id, "title": "Hello"} | fields)


class ManualClock:
    """`Clock` that stands still until `advance`."""

    def __init__(self) -> None:
        self._elapsed = 0.0
        self._off = 0.0
        self._sleepers: list[tuple[float, asyncio.Event]] = []

    def now(self) -> datetime:
        return START + timedelta(seconds=self._elapsed + self._off)

    def step(self, seconds: float) -> None:
        """Sets the wall clock; no time passes."""
        self._off += seconds

    def monotonic(self) -> float:
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        sleeper = (self._elapsed + seconds, asyncio.Event())
        self._sleepers.append(sleeper)
        try:
            await sleeper[1].wait()
        finally:
            self._sleepers = [other for other in self._sleepers if other is not sleeper]

    @property
    def sleeping(self) -> bool:
        return bool(self._sleepers)

    def advance(self, seconds: float) -> None:
        self._elapsed += seconds
        for at, awake in self._sleepers:
            if at <= self._elapsed:
                awake.set()
        self._sleepers = [sleeper for sleeper in self._sleepers if sleeper[0] > self._elapsed]


@pytest.fixture(scope="session")
def answers() -> Answers:
    return Answers()


@pytest.fixture(scope="session")
def policy() -> Policy:
    return Policy(
        hot_interval=15,
        check_interval=30,
        cold_interval=300,
        restricted_interval=300,
        confirm_interval=10,
        ended_confirmations=2,
        end_grace=10,
        hidden_grace=100,
        not_found_confirmations=5,
        repeat_interval=60,
        profile_interval=3600,
        backoff_limit=300,
    )


@pytest.fixture(scope="session")
def start() -> datetime:
    return START


@pytest.fixture
def watch() -> Watch:
    return new_watch(Follow(handle="ann"), START)


@pytest.fixture(scope="session")
def manual_clock() -> type[ManualClock]:
    """For tests that need a clock for each example."""
    return ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncGenerator[SqliteWatchStore]:
    async with open_sqlite_watches(tmp_path / "watches.db") as opened:
        yield opened


@pytest.fixture
def until() -> Callable[[Callable[[], Awaitable[bool] | bool]], Awaitable[None]]:
    """Waits for a condition, five seconds at most."""

    async def wait(condition: Callable[[], Awaitable[bool] | bool]) -> None:
        async with asyncio.timeout(5):
            while True:
                met = condition()
                if met if isinstance(met, bool) else await met:
                    return
                await asyncio.sleep(0.005)

    return wait
