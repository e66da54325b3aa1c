"""Every trap of the simulator, met by the real client over a real socket."""

import time

import httpx
import pytest
from pydantic import SecretStr
from wentlive_devkit.tiktok import LiveScript, RefusalScript, TikTokSimulator, TrapScript
from wentlive_tiktok.client import TikTokClient, tiktok_http_client
from wentlive_tiktok.status import Blocked, BlockedHow, Live, NotFound, Offline, Restricted, Unknown


def refuse(**how: object) -> TrapScript:
    return TrapScript(refuse=RefusalScript.model_validate(how))


@pytest.mark.parametrize("how", ["waf", "forbidden", "rate_limited", "country", "login"])
async def test_refusals(simulator: TikTokSimulator, client: TikTokClient, how: BlockedHow):
    simulator.world.set_traps(refuse(how=how, retry_after_s=7, requests=1))
    status = await client.live_status("ada")
    assert isinstance(status, Blocked)
    assert status.how == how
    assert (status.retry_after is not None) == (how == "rate_limited")
    assert isinstance(await client.live_status("ada"), Offline)


async def test_one_address_is_refused_and_another_is_not(simulator: TikTokSimulator, client: TikTokClient):
    simulator.world.set_traps(refuse(how="waf", egress="north"))
    proxy = simulator.base_url.replace("http://", "http://north:secret@")
    async with tiktok_http_client(proxy=proxy) as north:
        assert await TikTokClient(north, simulator.base_url).live_status("ada") == Blocked(how="waf")
    async with tiktok_http_client(proxy=proxy.replace("north", "south")) as south:
        assert isinstance(await TikTokClient(south, simulator.base_url).live_status("ada"), Offline)
    assert isinstance(await client.live_status("ada"), Offline)


async def test_a_false_user_not_found(simulator: TikTokSimulator, client: TikTokClient):
    simulator.world.set_traps(TrapScript(user_not_found=True), "ada")
    room = simulator.world.go_live("ada").room_id
    live = await client.live_status("ada")
    assert isinstance(live, Live)
    assert live.room.room_id == room
    known = {"creator_id": live.profile.creator_id, "open_room": room}
    still = await client.live_status("ada", **known)
    assert isinstance(still, Live)
    assert not still.profile.complete
    simulator.world.end("ada")
    over = await client.live_status("ada", **known)
    assert isinstance(over, Offline)
    assert over.last_room
    assert over.last_room.room_id == room


async def test_an_all_true_check_alive_is_not_believed(
    simulator: TikTokSimulator, client: TikTokClient, http: httpx.AsyncClient
):
    simulator.world.set_traps(TrapScript(all_alive=True))
    answer = await http.get(f"{simulator.base_url}/webcast/room/check_alive/?aid=1988&room_ids=123")
    assert answer.json()["data"][0]["alive"] is True
    assert isinstance(await client.live_status("nobody", creator_id="1", open_room="123"), NotFound)
    simulator.world.set_traps(TrapScript())
    assert isinstance(await client.live_status("nobody", creator_id="1", open_room="123"), Offline)


async def test_the_age_gate_opens_with_a_session(simulator: TikTokSimulator, client: TikTokClient):
    simulator.world.set_traps(TrapScript(age_gate="closed"), "ada")
    room = simulator.world.go_live("ada").room_id
    gated = await client.live_status("ada")
    assert isinstance(gated, Restricted)
    assert (gated.reason, gated.room_id) == ("age", room)
    async with tiktok_http_client(cookies=SecretStr("sessionid=1"), base_url=simulator.base_url) as signed_in:
        assert isinstance(await TikTokClient(signed_in, simulator.base_url).live_status("ada"), Live)


async def test_the_page_shows_some_rooms_that_are_gated_elsewhere(simulator: TikTokSimulator, client: TikTokClient):
    simulator.world.set_traps(TrapScript(age_gate="page_open"), "ada")
    simulator.world.go_live("ada")
    assert isinstance(await client.live_status("ada"), Live)


async def test_a_changed_shape(simulator: TikTokSimulator, client: TikTokClient, http: httpx.AsyncClient):
    async def no_budget() -> bool:
        return False

    simulator.world.set_traps(TrapScript(changed_shape=True), "ada")
    simulator.world.go_live("ada")
    unknown = await TikTokClient(http, simulator.base_url, before_request=no_budget).live_status("ada")
    assert isinstance(unknown, Unknown)
    assert "data.user.status" in unknown.why
    assert '"uniqueId":"ada"' in (unknown.evidence or "")
    assert "sign=" not in (unknown.evidence or "")
    live = await client.live_status("ada")
    assert isinstance(live, Live)
    assert live.profile.creator_id == simulator.world.creator("ada").user_id


async def test_a_renamed_creator(simulator: TikTokSimulator, client: TikTokClient):
    before = await client.live_status("ada")
    assert isinstance(before, Offline)
    assert before.profile
    simulator.world.go_live("ada")
    simulator.world.rename("ada", "ada.new")
    assert await client.live_status("ada") == NotFound(handle="ada")
    found = await client.live_status("ada", creator_id=before.profile.creator_id)
    assert isinstance(found, Live)
    assert (found.profile.handle, found.profile.complete) == ("ada.new", True)


@pytest.mark.parametrize("answer", ["cut", "huge", "bomb", "page", "garbage", "empty", "error"])
async def test_answers_that_never_come_whole(simulator: TikTokSimulator, client: TikTokClient, answer: str):
    simulator.world.set_traps(TrapScript.model_validate({"answer": answer}), "quiet")
    simulator.world.set_traps(TrapScript.model_validate({"answer": answer}))
    assert (await client.live_status("nobody")).state in ("unknown", "blocked")


@pytest.mark.parametrize("answer", ["drip", "endless"])
async def test_answers_without_an_end(
    simulator: TikTokSimulator, client: TikTokClient, answer: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("wentlive_tiktok.client.CALL_SECONDS", 1.0)
    simulator.world.set_traps(TrapScript.model_validate({"answer": answer}), "ada")
    began = time.monotonic()
    assert isinstance(await client.live_status("ada"), Unknown)
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("code", [403, 404])
async def test_stale_streams(simulator: TikTokSimulator, client: TikTokClient, http: httpx.AsyncClient, code: int):
    simulator.world.go_live("ada")
    live = await client.live_status("ada")
    assert isinstance(live, Live)
    simulator.world.set_traps(TrapScript.model_validate({"stale_streams": code}), "ada")
    assert {(await http.get(stream.url)).status_code for stream in live.streams} == {code}


async def test_a_new_room_beside_the_old_and_a_return_to_it(simulator: TikTokSimulator, client: TikTokClient):
    first = simulator.world.go_live("ada").room_id
    simulator.world.end("ada")
    simulator.world.reopen("ada")
    back = await client.live_status("ada")
    assert isinstance(back, Live)
    assert back.room.room_id == first
    second = simulator.world.go_live("ada", LiveScript(title="Again"), anew=True).room_id
    new = await client.live_status("ada", creator_id=back.profile.creator_id, open_room=first)
    assert isinstance(new, Live)
    assert new.room.room_id == second != first


async def test_share_links(simulator: TikTokSimulator, client: TikTokClient):
    room = simulator.world.go_live("ada").room_id
    assert await client.resolve_link("https://www.tiktok.com/t/ada/") == "ada"
    assert await client.resolve_link(f"https://m.tiktok.com/share/live/{room}") == "ada"


async def test_switches_over_http(simulator: TikTokSimulator, client: TikTokClient, http: httpx.AsyncClient):
    base = f"{simulator.base_url}/_sim"
    set_ = await http.post(f"{base}/creators/ada/traps", json={"refuse": {"how": "waf", "requests": 1}})
    assert set_.json()["refuse"]["how"] == "waf"
    assert await client.live_status("ada") == Blocked(how="waf")
    await http.post(f"{base}/traps", json={"user_not_found": True, "answer": None})
    assert isinstance(await client.live_status("gated"), Offline | NotFound)
    await http.post(f"{base}/traps")
    renamed = await http.post(f"{base}/creators/ada/rename", json={"to": "ada.two"})
    assert renamed.json()["handle"] == "ada.two"
    assert isinstance(await client.live_status("ada.two"), Offline)
    for action in ("go_live", "end", "reopen", "go_live_anew"):
        assert (await http.post(f"{base}/creators/ada.two/{action}")).status_code == 200
    assert (await http.post(f"{base}/traps", json={"nonsense": 1})).status_code == 422
    assert (await http.post(f"{base}/creators/nobody/traps")).status_code == 404
    assert (await http.get(f"{base}/crowd")).status_code == 404
