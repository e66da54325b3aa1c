"""What every LiveStatusSource promises, asked of the real client (over HTTP) and of the shipped fake."""

from collections.abc import AsyncGenerator
from typing import Protocol

import pytest
from wentlive_devkit.tiktok import CreatorScript, MediaScript, Scenario, TikTokSimulator
from wentlive_tiktok.client import TikTokClient, tiktok_http_client
from wentlive_tiktok.ports import LiveStatusSource
from wentlive_tiktok.status import Live, NotFound, Offline, Paused, Profile, Restricted, Room
from wentlive_tiktok.streams import StreamCandidate
from wentlive_tiktok.testing import FakeLiveStatusSource


class Stage(Protocol):
    """Puts a creator into a state, whatever stands behind the source."""

    source: LiveStatusSource

    def live(self) -> None: ...
    def paused(self) -> None: ...
    def offline(self) -> None: ...
    def restricted(self) -> None: ...


class SimulatedStage:
    def __init__(self, simulator: TikTokSimulator, source: LiveStatusSource) -> None:
        self.source = source
        self._world = simulator.world

    def live(self) -> None:
        self._world.go_live("ada")

    def paused(self) -> None:
        self._world.pause("ada")

    def offline(self) -> None:
        self._world.end("ada")

    def restricted(self) -> None:
        self._world.go_live("gated")


class FakeStage:
    def __init__(self) -> None:
        self.source: LiveStatusSource
        self.source = self._fake = FakeLiveStatusSource()
        self._profile = Profile(creator_id="67", handle="ada", nickname="Ada")
        self._room = Room(room_id="76")
        self._fake.script("ada", Offline(profile=self._profile))

    def live(self) -> None:
        stream = StreamCandidate(url="https://cdn/x.flv", protocol="flv", quality="hd", level=3, codec="h264")
        self._fake.script("ada", Live(room=self._room, profile=self._profile, streams=(stream,)))

    def paused(self) -> None:
        self._fake.script("ada", Paused(room=self._room, profile=self._profile))

    def offline(self) -> None:
        self._fake.script("ada", Offline(profile=self._profile, last_room=self._room))

    def restricted(self) -> None:
        self._fake.script("gated", Restricted(reason="age"))


@pytest.fixture(params=["client", "fake"])
async def stage(request: pytest.FixtureRequest) -> AsyncGenerator[Stage]:
    if request.param == "fake":
        yield FakeStage()
        return
    scenario = Scenario(
        creators=(
            CreatorScript(handle="ada", nickname="Ada"),
            CreatorScript(handle="gated", nickname="Gated", kind="restricted_age"),
        ),
        media=MediaScript(width=96, height=160, fps=12, gop_s=1, loop_s=8, bitrate=60_000),
    )
    async with TikTokSimulator.start(scenario) as simulator, tiktok_http_client() as http:
        yield SimulatedStage(simulator, TikTokClient(http, simulator.base_url))


async def test_a_broadcast_keeps_its_room_until_it_ends(stage: Stage):
    assert isinstance(await stage.source.live_status("ada"), Offline)
    stage.live()
    live = await stage.source.live_status("ada")
    stage.paused()
    paused = await stage.source.live_status("ada")
    stage.offline()
    offline = await stage.source.live_status("ada")
    assert isinstance(live, Live)
    assert live.streams
    assert isinstance(paused, Paused)
    assert isinstance(offline, Offline)
    assert offline.last_room is not None
    assert offline.profile is not None
    assert live.room.room_id == paused.room.room_id == offline.last_room.room_id
    assert live.profile.creator_id == paused.profile.creator_id == offline.profile.creator_id


async def test_the_same_question_has_the_same_answer(stage: Stage):
    stage.live()
    assert await stage.source.live_status("ada") == await stage.source.live_status("ada")


async def test_what_is_known_already_changes_no_clear_answer(stage: Stage):
    stage.live()
    live = await stage.source.live_status("ada")
    assert isinstance(live, Live)
    known = {"creator_id": live.profile.creator_id, "open_room": live.room.room_id}
    assert await stage.source.live_status("ada", **known) == live


async def test_a_restriction_is_not_offline(stage: Stage):
    stage.restricted()
    status = await stage.source.live_status("gated")
    assert isinstance(status, Restricted)
    assert status.reason == "age"


async def test_nobody_is_not_found(stage: Stage):
    assert await stage.source.live_status("nobody") == NotFound(handle="nobody")
