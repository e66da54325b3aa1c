import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wentlive_tiktok.client import BODY_LIMIT, TikTokClient, tiktok_http_client
from wentlive_tiktok.refusals import retry_after
from wentlive_tiktok.status import Blocked, BlockedHow, Live, LiveStatus, Unknown
from wentlive_tiktok.testing import Wire

Json = dict[str, Any]
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
WAF_PAGE = b'<html><title>Please wait...</title><p id="wci" class="_wafchallengeid"></p></html>'
COUNTRY_PAGE = b"<html>We regret to inform you that we have discontinued operating TikTok</html>"


async def asked(handler: Callable[[httpx.Request], httpx.Response], handle: str = "tea") -> LiveStatus:
    """The primary route alone: no budget for another."""

    async def no_budget() -> bool:
        return False

    async with httpx.AsyncClient(transport=Wire(handler)) as http:
        return await TikTokClient(http, before_request=no_budget).live_status(handle)


async def answered(status: int, **answer: Any) -> LiveStatus:
    return await asked(lambda _: httpx.Response(status, **answer))


async def test_asks_the_minimal_question_like_a_browser(answer: Json):
    requests: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(200, json=answer)

    assert isinstance(await asked(handler, "tea.house_1"), Live)
    (request,) = requests
    assert str(request.url) == (
        "https://www.tiktok.com/api-live/user/room/?aid=1988&sourceType=54&uniqueId=tea.house_1"
    )
    assert request.headers["referer"] == "https://www.tiktok.com/@tea.house_1/live"
    assert request.headers["origin"] == "https://www.tiktok.com"
    assert "Chrome/" in request.headers["user-agent"]
    assert request.extensions["timeout"] == {"connect": 5.0, "read": 10.0, "write": 10.0, "pool": 10.0}


@pytest.mark.parametrize(
    ("status", "answer", "how"),
    [
        (200, {"content": WAF_PAGE}, "waf"),
        (503, {"content": WAF_PAGE}, "waf"),
        (200, {"content": b""}, "waf"),
        (200, {"content": b" \n"}, "waf"),
        (200, {"content": b"<!DOCTYPE html><html>JS shell</html>"}, "waf"),
        (403, {"headers": {"x-tt-system-error": "3"}}, "waf"),
        (403, {"content": b"<html>Access Denied</html>"}, "forbidden"),
        (200, {"content": b"<html>Access Denied</html>"}, "forbidden"),
        (444, {}, "forbidden"),
        (302, {"headers": {"location": "https://www.tiktok.com/login?next=x"}}, "login"),
        (302, {"headers": {"location": "/hk/notfound"}}, "country"),
        (302, {"headers": {"location": "http://["}}, "country"),
        (307, {}, "country"),
        (200, {"content": COUNTRY_PAGE}, "country"),
        (451, {}, "country"),
    ],
)
async def test_refusals_are_told_apart(status: int, answer: Json, how: BlockedHow):
    assert await answered(status, **answer) == Blocked(how=how)


async def test_a_redirect_that_cannot_even_be_read_is_unknown():
    assert isinstance(await answered(302, headers={"location": "javascript:alert(1)"}), Unknown)


@pytest.mark.parametrize("status", [420, 429])
async def test_rate_limits_say_how_long(status: int):
    limited = await answered(status, headers={"retry-after": "90"})
    assert limited == Blocked(how="rate_limited", retry_after=timedelta(seconds=90))
    assert await answered(status) == Blocked(how="rate_limited")


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        ("7", 7),
        ("0", 0),
        ("-3", 0),
        ("Mon, 23 Nov 2026 12:01:00 GMT", 60),
        ("Mon, 23 Nov 2026 11:00:00 GMT", 0),
        ("Mon, 23 Nov 2026 12:01:00", 60),
        ("999999999999", 86_400),
        ("1e400", None),
        ("nan", None),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after(header: str | None, wait: int | None):
    assert retry_after(header, NOW) == (None if wait is None else timedelta(seconds=wait))


@pytest.mark.parametrize(
    ("status", "content"),
    [
        (500, b""),
        (502, b"<html>bad gateway</html>"),
        (404, b"{}"),
        (200, b"not json"),
        (200, b"[]"),
        (200, b"null"),
        (200, b"{" * 100_000),
        (200, b"\xff\xfe\x00"),
        (200, b'{"statusCode": 0, "data": {}}'),
    ],
)
async def test_what_makes_no_sense_is_unknown(status: int, content: bytes):
    assert isinstance(await answered(status, content=content), Unknown)


@pytest.mark.parametrize(
    "error", [httpx.ConnectError, httpx.ConnectTimeout, httpx.ReadTimeout, httpx.RemoteProtocolError, httpx.ProxyError]
)
async def test_trouble_on_the_way_is_unknown(error: type[httpx.HTTPError]):
    def handler(_: httpx.Request) -> httpx.Response:
        raise error("no luck")

    status = await asked(handler)
    assert isinstance(status, Unknown)
    assert error.__name__ in status.why


async def test_a_huge_answer_is_not_read_to_its_end():
    chunk = b" " * 64 * 1024
    read = 0

    # Four times the limit and no more: a client without a limit must fail this test, not exhaust the machine.
    async def huge() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(4 * BODY_LIMIT // len(chunk)):
            read += len(chunk)
            yield chunk

    status = await answered(200, content=huge())
    assert isinstance(status, Unknown)
    assert "larger than" in status.why
    assert read <= BODY_LIMIT + 2 * len(chunk)


async def test_words_of_a_creator_are_no_refusal(answer: Json):
    answer["data"]["liveRoom"]["title"] = "discontinued operating TikTok, Access Denied, SlardarWAF"
    assert isinstance(await asked(lambda _: httpx.Response(200, json=answer), "tea.house_1"), Live)


async def test_a_broken_encoding_is_unknown():
    status = await answered(200, stream=httpx.ByteStream(b"no gzip"), headers={"content-encoding": "gzip"})
    assert isinstance(status, Unknown)


@pytest.mark.parametrize("handle", ["", "two words", "ümlaut", "x\r\nHost: evil", "\udc80"])
async def test_what_is_no_handle_is_not_asked_for(handle: str):
    def handler(_: httpx.Request) -> httpx.Response:
        return pytest.fail("it was asked")

    assert isinstance(await asked(handler, handle), Unknown)


async def test_the_http_client_is_bounded():
    async with tiktok_http_client() as http:
        assert http.timeout == httpx.Timeout(10.0, connect=5.0)
        assert not http.follow_redirects


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@settings(max_examples=150, deadline=None)
@given(status=st.sampled_from([200, 200, 302, 403, 429, 500]), body=st.binary(max_size=200))
def test_any_bytes_are_answered(status: int, body: bytes):
    assert asyncio.run(answered(status, content=body)).state != "live"


@settings(max_examples=150, deadline=None)
@given(data=_json, code=st.sampled_from([0, 19881007, 4003110]) | st.integers())
def test_any_json_is_answered(data: Any, code: int):
    body = json.dumps({"statusCode": code, "data": data}).encode()
    assert asyncio.run(answered(200, content=body)).state != "live"


@settings(max_examples=300, deadline=None)
@given(value=_json, path=st.sampled_from(["user", "stats", "liveRoom", "user.id", "user.roomId", "user.status",
    "user.secret", "user.uniqueId", "liveRoom.status", "liveRoom.streamData", "liveRoom.hevcStreamData",
    "liveRoom.streamData.pull_data", "liveRoom.streamData.pull_data.stream_data", "liveRoom.startTime",
    "liveRoom.streamData.pull_data.options", "liveRoom.paidEvent", "liveRoom.liveSubOnly"]))  # fmt: skip
def test_any_odd_field_is_answered(value: Any, path: str):
    answer = _live_answer()
    *parents, last = path.split(".")
    target: Any = answer["data"]
    for parent in parents:
        target = target[parent]
    target[last] = value
    assert asyncio.run(answered(200, content=json.dumps(answer).encode())).state in {
        "live", "paused", "offline", "restricted", "unknown",
    }  # fmt: skip


def _live_answer() -> Json:
    ladder = {"pull_data": {"options": {}, "stream_data": '{"data":{"hd":{"main":{"flv":"https://cdn/x.flv"}}}}'}}
    return {
        "statusCode": 0,
        "data": {
            "user": {"id": "67", "uniqueId": "tea", "roomId": "76", "status": 2},
            "stats": {},
            "liveRoom": {"status": 2, "streamData": ladder, "hevcStreamData": None},
        },
    }
