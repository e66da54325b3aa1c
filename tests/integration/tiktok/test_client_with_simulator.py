import httpx
import pytest
from wentlive_devkit.tiktok import LiveScript, TikTokSimulator
from wentlive_tiktok.client import TikTokClient
from wentlive_tiktok.status import Live, NotFound, Offline, Paused, Restricted, Unknown
from wentlive_tiktok.streams import rank


async def test_one_creator_through_a_day(simulator: TikTokSimulator, client: TikTokClient):
    before = await client.live_status("ada")
    assert isinstance(before, Offline)
    broadcast = simulator.world.go_live("ada", LiveScript(title="Tea 🍵", viewers=5))
    live = await client.live_status("ada")
    assert isinstance(live, Live)
    assert live.room.room_id == broadcast.room_id
    assert (live.room.title, live.room.viewer_count) == ("Tea 🍵", 5)
    assert live.room.started_at == broadcast.started_at.replace(microsecond=0)
    assert live.profile == before.profile
    simulator.world.pause("ada")
    assert isinstance(await client.live_status("ada"), Paused)
    simulator.world.resume("ada")
    assert isinstance(await client.live_status("ada"), Live)
    simulator.world.end("ada")
    ended = await client.live_status("ada")
    assert isinstance(ended, Offline)
    assert ended.last_room is not None
    assert ended.last_room.room_id == live.room.room_id


async def test_a_second_live_has_a_room_of_its_own(simulator: TikTokSimulator, client: TikTokClient):
    rooms: set[str] = set()
    for _ in range(2):
        simulator.world.go_live("ada")
        status = await client.live_status("ada")
        assert isinstance(status, Live)
        rooms.add(status.room.room_id)
        simulator.world.end("ada")
    assert len(rooms) == 2


async def test_the_streams_are_ranked_origin_first(simulator: TikTokSimulator, client: TikTokClient):
    simulator.world.go_live("ada")
    status = await client.live_status("ada")
    assert isinstance(status, Live)
    best = rank(status.streams)[0]
    assert (best.quality, best.protocol, best.codec) == ("origin", "flv", "h264")
    assert (best.width, best.height, best.bitrate) == (96, 160, 60_000)


async def test_people_whom_a_guest_cannot_watch(simulator: TikTokSimulator, client: TikTokClient):
    simulator.world.go_live("gated")
    simulator.world.go_live("hidden")
    gated, hidden = await client.live_status("gated"), await client.live_status("hidden")
    assert isinstance(gated, Restricted)
    assert gated.reason == "age"
    assert isinstance(hidden, Restricted)
    assert hidden.reason == "private"


@pytest.mark.parametrize("handle", ["nobody", "quiet"])
async def test_people_who_are_not_there_or_never_went_live(client: TikTokClient, handle: str):
    assert await client.live_status(handle) == NotFound(handle=handle)


async def test_a_question_without_its_parameters(simulator: TikTokSimulator, http: httpx.AsyncClient):
    answer = (await http.get(f"{simulator.base_url}/api-live/user/room/?uniqueId=ada")).json()
    assert (answer["data"], answer["message"], answer["statusCode"]) == (None, "params_error", 19881005)


async def test_nobody_answers(simulator: TikTokSimulator, http: httpx.AsyncClient):
    status = await TikTokClient(http, "http://127.0.0.1:1").live_status("ada")
    assert isinstance(status, Unknown)
    assert "ConnectError" in status.why


async def test_the_other_routes_tell_the_same_story(simulator: TikTokSimulator, http: httpx.AsyncClient):
    room = simulator.world.go_live("ada").room_id
    gated = simulator.world.go_live("gated").room_id
    base = simulator.base_url

    async def info(room_id: str) -> dict[str, object]:
        return (await http.get(f"{base}/webcast/room/info/?aid=1988&room_id={room_id}")).json()

    async def alive() -> list[bool]:
        answer = (await http.get(f"{base}/webcast/room/check_alive/?aid=1988&room_ids={room},123")).json()
        return [entry["alive"] for entry in answer["data"]]

    live = await info(room)
    assert live["status_code"] == 0
    assert await alive() == [True, False]
    assert (await info(gated))["status_code"] == 4003110
    assert (await info("123"))["status_code"] == 10011
    page = (await http.get(f"{base}/@ada/live")).text
    assert '<script id="SIGI_STATE" type="application/json">' in page
    assert room in page
    simulator.world.end("ada")
    assert (await info(room))["status_code"] == 30003
    assert await alive() == [False, False]


async def test_the_pictures_of_a_profile_can_be_shown(
    simulator: TikTokSimulator, client: TikTokClient, http: httpx.AsyncClient
):
    status = await client.live_status("ada")
    assert isinstance(status, Offline)
    assert status.last_room is not None
    assert status.profile is not None
    for url in (status.profile.avatar_url, status.last_room.cover_url):
        assert url is not None
        answer = await http.get(url)
        assert answer.headers["content-type"] == "image/png"
        assert answer.content.startswith(b"\x89PNG")


async def test_control_over_http(simulator: TikTokSimulator, client: TikTokClient, http: httpx.AsyncClient):
    control = f"{simulator.base_url}/_sim/creators/ada"
    started = await http.post(f"{control}/go_live", json={"title": "By hand", "duration_s": 60})
    assert started.json()["state"] == "live"
    assert (await http.post(f"{control}/go_live")).status_code == 409
    assert isinstance(await client.live_status("ada"), Live)
    assert (await http.post(f"{control}/pause")).json()["state"] == "paused"
    assert (await http.post(f"{control}/resume")).json()["state"] == "live"
    assert (await http.post(f"{control}/end")).json()["state"] == "ended"
    state = (await http.get(f"{simulator.base_url}/_sim/state")).json()
    assert [broadcast["title"] for broadcast in state["creators"]["ada"]["broadcasts"]] == ["Yesterday", "By hand"]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("nobody/go_live", None, 404),
        ("ada/dance", None, 404),
        ("ada/end", None, 409),
        ("ada/go_live", b"{", 422),
        ("ada/go_live", b'{"colour": "red"}', 422),
    ],
)
async def test_control_refuses(
    simulator: TikTokSimulator, http: httpx.AsyncClient, path: str, body: bytes | None, status: int
):
    answer = await http.post(f"{simulator.base_url}/_sim/creators/{path}", content=body)
    assert answer.status_code == status
