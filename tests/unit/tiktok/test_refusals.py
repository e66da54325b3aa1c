import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wentlive_tiktok import routes
from wentlive_tiktok.question import Question
from wentlive_tiktok.routes import Route, read_answer
from wentlive_tiktok.status import Blocked, Live, Unknown
from wentlive_tiktok.transport import Answer

Json = dict[str, Any]
TEA = Question("tea.house_1")
PAGE = routes.live_page(TEA)
ALL = (
    routes.by_handle(TEA),
    routes.by_id(TEA, "67"),
    PAGE,
    routes.room_info(TEA, "76"),
    routes.room_info_by_user(TEA),
    routes.check_alive(TEA, "76"),
)
every_route = pytest.mark.parametrize("route", ALL, ids=[route.name for route in ALL])


def read(route: Route, body: bytes = b"", status: int = 200, **headers: str):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return read_answer(route, Answer(status, httpx.Headers(named), body))


@every_route
@pytest.mark.parametrize(
    "sign", ["Please wait...", 'id="wci" class="_wafchallengeid"', "SlardarWAF", "slardar_us_waf", "waf-jschallenge"]
)
def test_each_sign_of_the_firewall(route: Route, sign: str):
    assert read(route, f"<html><p {sign}></p></html>".encode()) == Blocked(how="waf")


@every_route
def test_each_other_refusal(route: Route):
    assert read(route, b"{}", x_tt_system_error="3") == Blocked(how="waf")
    assert read(route, b"", 403) == read(route, b"", 444) == Blocked(how="forbidden")
    assert read(route, b"<TITLE>Access Denied</TITLE>") == Blocked(how="forbidden")
    country = b"<p>We regret to inform you that we have discontinued operating TikTok in Hong Kong.</p>"
    assert read(route, country) == Blocked(how="country")
    assert read(route, b"", 302, location="/hk/notfound") == Blocked(how="country")
    assert read(route, b"", 302, location="https://www.tiktok.com/login?x=1") == Blocked(how="login")
    assert read(route, b"", 429) == read(route, b"", 420) == Blocked(how="rate_limited")


@every_route
@pytest.mark.parametrize("status", [404, 500, 503])
def test_other_codes_are_unknown(route: Route, status: int):
    assert isinstance(read(route, b"{}", status), Unknown)


@pytest.mark.parametrize("route", [route for route in ALL if not route.page], ids=lambda route: route.name)
@pytest.mark.parametrize("body", [b"", b"  ", b"<html>the JS shell</html>"])
def test_no_json_where_json_belongs_is_a_refusal(route: Route, body: bytes):
    assert read(route, body) == Blocked(how="waf")


def test_a_page_without_its_state_is_unknown_and_no_refusal():
    assert isinstance(read(PAGE, b"<html><div id='app'></div></html>"), Unknown)


def test_words_on_a_page_that_has_its_state_are_no_refusal(answer: Json, page_of: Callable[[Json | None], bytes]):
    answer["data"]["liveRoom"]["title"] = "Please wait... Access Denied, discontinued operating TikTok"
    assert isinstance(read(PAGE, page_of(answer["data"])), Live)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def _paths(value: object, at: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    inner = value.items() if isinstance(value, dict) else ()
    return [at, *(path for key, below in inner for path in _paths(below, (*at, key)))]


ROOM: Json = {
    "status_code": 0,
    "data": {
        "id_str": "76",
        "status": 2,
        "title": "Tea",
        "owner": {"id_str": "67", "display_id": "tea.house_1", "follow_info": {"follower_count": 1}},
        "cover": {"url_list": ["https://cdn/c.webp"]},
        "live_sub_only": 0,
        "stream_url_filtered_info": {"is_paid_event": False},
        "stream_url": {"flv_pull_url": {"HD1": "https://cdn/x.flv"}, "live_core_sdk_data": {"pull_data": {}}},
    },
}
STATE: Json = {
    "LiveRoom": {
        "liveRoomUserInfo": {
            "user": {"id": "67", "uniqueId": "tea.house_1", "roomId": "76", "status": 2},
            "liveRoom": {"status": 2, "streamData": {"pull_data": {"stream_data": '{"data":{}}'}}},
        }
    }
}


def means(value: Any, *codes: int) -> bool:
    """Whether the odd value happens to be one of TikTok's own words, as a number or as its text."""
    try:
        return float(value) in codes
    except (TypeError, ValueError, OverflowError):
        return False


def changed(whole: Any, path: tuple[str, ...], value: object) -> Any:
    if not path:
        return value
    return whole | {path[0]: changed(whole[path[0]], path[1:], value)}


@settings(max_examples=400, deadline=None)
@given(path=st.sampled_from(_paths(ROOM)), value=_json)
def test_any_odd_field_in_a_room_ends_nothing(path: tuple[str, ...], value: Any):
    status = read(routes.room_info(TEA, "76"), json.dumps(changed(ROOM, path, value)).encode())
    assert status.state in ("live", "restricted", "unknown") or means(value, 3, 4, 30003, 20003, 2483)
    status.model_dump_json()


@settings(max_examples=400, deadline=None)
@given(path=st.sampled_from(_paths(STATE)), value=_json)
def test_any_odd_field_on_a_page_ends_nothing(path: tuple[str, ...], value: Any):
    state = json.dumps(changed(STATE, path, value)).replace("<", "\\u003c")
    status = read(PAGE, f'<script id="SIGI_STATE">{state}</script>'.encode())
    assert status.state in ("live", "restricted", "unknown") or means(value, 3, 4)
    status.model_dump_json()
