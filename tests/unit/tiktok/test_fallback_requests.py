"""What the client puts on the wire besides the primary request: how often, where to, with which cookies."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs
from wentlive_common.errors import InvalidInput
from wentlive_common.handle import InvalidHandle
from wentlive_tiktok.client import ROUTE_REST_SECONDS, TikTokClient, tiktok_http_client
from wentlive_tiktok.links import LinkLeadsElsewhere, LinkNamesNobody, LinkUnresolved
from wentlive_tiktok.status import Live, LiveStatus, NotFound, Offline, Restricted, Room, Unknown
from wentlive_tiktok.testing import Wire

Json = dict[str, Any]
NOT_FOUND = {"data": None, "message": "user_not_found", "statusCode": 19881007}
WAF = httpx.Response(200, content=b'<p id="wci" class="_wafchallengeid">')


class TikTok:
    """Answers by path, and remembers what was asked."""

    def __init__(self, **answers: httpx.Response) -> None:
        self.answers = answers
        self.asked: list[httpx.Request] = []
        self.budget = True

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        name = {
            "/api-live/user/room/": "user_room", "/webcast/room/info/": "room_info",
            "/webcast/room/info_by_user/": "by_user", "/webcast/room/check_alive/": "check_alive",
        }.get(request.url.path, "page")  # fmt: skip
        if "userId" in request.url.params:
            name = "by_id"
        return self.answers.get(name, httpx.Response(500))

    async def may_ask(self) -> bool:
        return self.budget

    async def status(self, **known: str) -> LiveStatus:
        async with httpx.AsyncClient(transport=Wire(self)) as http:
            return await TikTokClient(http, before_request=self.may_ask).live_status("tea.house_1", **known)

    @property
    def urls(self) -> list[str]:
        return [str(request.url) for request in self.asked]


def ok(answer: Json) -> httpx.Response:
    return httpx.Response(200, json=answer)


async def test_a_clear_answer_is_one_request_without_asking_for_budget(answer: Json):
    tiktok = TikTok(user_room=ok(answer))
    tiktok.budget = False
    assert isinstance(await tiktok.status(), Live)
    assert len(tiktok.asked) == 1


async def test_not_found_is_looked_into(answer: Json, page_of: Callable[[Json | None], bytes]):
    tiktok = TikTok(user_room=ok(NOT_FOUND), page=httpx.Response(200, content=page_of(answer["data"])))
    assert isinstance(await tiktok.status(), Live)
    assert tiktok.urls[1:] == ["https://www.tiktok.com/@tea.house_1/live"]
    assert "text/html" in tiktok.asked[1].headers["accept"]
    tiktok = TikTok(user_room=ok(NOT_FOUND))
    assert isinstance(await tiktok.status(), NotFound)
    assert tiktok.urls[2:] == ["https://webcast.tiktok.com/webcast/room/info_by_user/?aid=1988&unique_id=tea.house_1"]


async def test_a_renamed_creator_is_found_by_id(answer: Json):
    answer["data"]["user"]["uniqueId"] = "New.Name"
    tiktok = TikTok(user_room=ok(NOT_FOUND), by_id=ok(answer))
    status = await tiktok.status(creator_id="6700000000000000001")
    assert isinstance(status, Live)
    assert status.profile.handle == "new.name"
    assert tiktok.urls[1] == (
        "https://www.tiktok.com/api-live/user/room/?aid=1988&sourceType=54&userId=6700000000000000001"
    )


async def test_the_end_of_a_known_room_has_two_witnesses():
    gone = {"alive": False, "room_id": 76, "room_id_str": "76"}
    tiktok = TikTok(
        user_room=ok(NOT_FOUND),
        room_info=ok({"status_code": 10011}),
        check_alive=ok({"data": [gone], "status_code": 0}),
    )
    assert await tiktok.status(creator_id="67", open_room="76") == Offline(last_room=Room(room_id="76"))
    assert tiktok.urls[1:] == [
        "https://webcast.tiktok.com/webcast/room/info/?aid=1988&room_id=76",
        "https://webcast.tiktok.com/webcast/room/check_alive/?aid=1988&region=CH&room_ids=76&user_is_login=true",
    ]
    tiktok.answers["check_alive"] = ok({"data": [gone | {"alive": True}], "status_code": 0})
    assert isinstance(await tiktok.status(creator_id="67", open_room="76"), NotFound)


async def test_without_budget_there_is_no_fallback(answer: Json):
    del answer["data"]["liveRoom"]["streamData"], answer["data"]["liveRoom"]["hevcStreamData"]
    tiktok = TikTok(user_room=ok(answer))
    tiktok.budget = False
    assert isinstance(await tiktok.status(), Restricted)
    assert len(tiktok.asked) == 1


@pytest.mark.parametrize(
    "primary", [httpx.Response(429), WAF, httpx.Response(503), httpx.Response(302, headers={"location": "/login"})]
)
async def test_who_is_refused_does_not_insist(primary: httpx.Response):
    tiktok = TikTok(user_room=primary)
    await tiktok.status(creator_id="67", open_room="76")
    assert len(tiktok.asked) == 1


async def test_a_refused_fallback_is_left_alone_for_a_while(monkeypatch: pytest.MonkeyPatch):
    loop = asyncio.get_running_loop()
    ahead = 0.0
    real = loop.time
    monkeypatch.setattr(loop, "time", lambda: real() + ahead)
    tiktok = TikTok(user_room=ok(NOT_FOUND), page=WAF, by_user=ok({"status_code": 10011}))
    async with httpx.AsyncClient(transport=Wire(tiktok)) as http:
        client = TikTokClient(http)
        with capture_logs() as logs:
            for _ in range(3):
                assert isinstance(await client.live_status("tea"), NotFound)
        assert [request.url.path for request in tiktok.asked].count("/@tea/live") == 1
        assert [(entry["event"], entry["route"], entry["how"]) for entry in logs] == [
            ("tiktok_route_refused", "live_page", "waf")
        ]
        ahead = ROUTE_REST_SECONDS + 1
        await client.live_status("tea")
    assert [request.url.path for request in tiktok.asked].count("/@tea/live") == 2


@pytest.mark.parametrize("known", [{"creator_id": "x"}, {"open_room": "1&a=b"}, {"creator_id": ""}])
async def test_ids_that_are_none_are_not_asked_for(known: dict[str, str]):
    tiktok = TikTok()
    assert isinstance(await tiktok.status(**known), Unknown)
    assert tiktok.asked == []


# Cookies


@asynccontextmanager
async def wired(
    made: httpx.AsyncClient, handler: Callable[[httpx.Request], httpx.Response]
) -> AsyncGenerator[httpx.AsyncClient]:
    """That client, as it was made, on a network made by hand."""
    async with (
        made,
        httpx.AsyncClient(transport=Wire(handler), event_hooks=made.event_hooks, cookies=made.cookies.jar) as http,
    ):
        yield http


async def sent_to(url: str, base_url: str = "https://www.tiktok.com") -> str | None:
    seen: list[str | None] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("cookie"))
        return httpx.Response(200, headers={"set-cookie": "kept=1; Domain=.tiktok.com; Path=/"})

    async with wired(
        tiktok_http_client(cookies=SecretStr("sessionid=abc; ttwid=1"), base_url=base_url), handler
    ) as http:
        await http.get(url)
        await http.get(url)
    assert seen[0] == seen[1]
    return seen[0]


@pytest.mark.parametrize("url", ["https://www.tiktok.com/x", "https://webcast.tiktok.com/x", "https://tiktok.com/"])
async def test_cookies_go_to_tiktok(url: str):
    assert await sent_to(url) == "sessionid=abc; ttwid=1"


@pytest.mark.parametrize(
    "url",
    [
        "http://www.tiktok.com/x", "https://www.tiktok.com:8443/x", "https://tiktok.com.evil.com/", "https://eviltiktok.com",
        "https://evil.com/@www.tiktok.com", "https://pull-f1.tiktokcdn.com/x.flv", "http://127.0.0.1:2/",
    ],
)  # fmt: skip
async def test_cookies_go_nowhere_else(url: str):
    assert await sent_to(url) is None


async def test_cookies_go_to_the_stand_in_that_is_configured():
    assert await sent_to("http://127.0.0.1:2/x", base_url="http://127.0.0.1:2") == "sessionid=abc; ttwid=1"
    assert await sent_to("http://127.0.0.1:3/x", base_url="http://127.0.0.1:2") is None


@pytest.mark.parametrize("cookies", ["", "a=b\r\nHost: evil", "a=ü", "x" * 9000])
def test_cookies_that_cannot_be_sent_are_refused_without_being_told(cookies: str):
    with pytest.raises(InvalidInput) as refused:
        tiktok_http_client(cookies=SecretStr(cookies))
    assert not cookies or cookies not in str(refused.value)


async def test_cookies_are_in_no_answer_and_no_log():
    def handler(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no luck")

    async with wired(tiktok_http_client(cookies=SecretStr("sessionid=hush")), handler) as http:
        with capture_logs() as logs:
            status = await TikTokClient(http).live_status("tea")
    assert "hush" not in f"{status} {logs} {http.event_hooks}"


# Share links


async def resolved(text: str, *answers: httpx.Response | tuple[int, str]) -> tuple[str, list[str]]:
    left = list(answers)
    asked: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        answer = left.pop(0)
        return httpx.Response(answer[0], headers={"location": answer[1]}) if isinstance(answer, tuple) else answer

    async with httpx.AsyncClient(transport=Wire(handler), follow_redirects=True) as http:
        handle = await TikTokClient(http).resolve_link(text)
    assert not left
    return handle, asked


@pytest.mark.parametrize("text", ["@Ada", "https://www.tiktok.com/@ada/live?x=1"])
async def test_what_names_a_handle_needs_no_request(text: str):
    assert await resolved(text) == ("ada", [])


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("https://vm.tiktok.com/ZM1a/", "https://vm.tiktok.com/ZM1a/"),
        ("http://vt.tiktok.com/ZS1a", "https://vt.tiktok.com/ZS1a"),
        ("www.tiktok.com/t/ZT1a/", "https://www.tiktok.com/t/ZT1a/"),
        ("m.tiktok.com/share/live/7611111111111111111?x=1", "https://m.tiktok.com/share/live/7611111111111111111?x=1"),
        ("Ada is LIVE! Watch: https://vm.tiktok.com/ZM1a/ now", "https://vm.tiktok.com/ZM1a/"),
    ],
)
async def test_share_links(text: str, first: str):
    assert await resolved(text, (301, "https://www.tiktok.com/@Ada/live?_r=1")) == ("ada", [first])


async def test_three_redirects_and_no_more():
    hops = [(302, "/a"), (302, "http://m.tiktok.com/b"), (302, "https://www.tiktok.com/@ada")]
    handle, asked = await resolved("https://vm.tiktok.com/x", *hops)
    assert (handle, asked[1:]) == ("ada", ["https://vm.tiktok.com/a", "https://m.tiktok.com/b"])
    with pytest.raises(LinkNamesNobody):
        await resolved("https://vm.tiktok.com/x", *[(302, "/again")] * 3)


async def test_a_shared_room_is_asked_who_owns_it(room_info: Json):
    handle, asked = await resolved("https://vm.tiktok.com/x", (302, "https://m.tiktok.com/share/live/7611111111111111111"),
                                   ok(room_info))  # fmt: skip
    assert handle == "tea.house_1"
    assert asked[1] == "https://webcast.tiktok.com/webcast/room/info/?aid=1988&room_id=7611111111111111111"
    with pytest.raises(LinkUnresolved):
        await resolved("https://m.tiktok.com/share/live/76", httpx.Response(200), ok({"status_code": 30003}))


@pytest.mark.parametrize(
    "location",
    ["https://evil.example/@ada", "//evil.example/@ada", "http://127.0.0.1/@ada", "https://www.tiktok.com:1/@ada",
     "https://x@www.tiktok.com/@ada", "https://tiktok.com.evil.example/", "http://[", "file:///etc"],
)  # fmt: skip
async def test_a_redirect_to_elsewhere_is_never_followed(location: str):
    with pytest.raises(LinkLeadsElsewhere):
        await resolved("https://vm.tiktok.com/x", (302, location))


@pytest.mark.parametrize("answer", [httpx.Response(429), httpx.Response(503), WAF, httpx.Response(403),
    (302, "javascript:alert(1)")])  # fmt: skip
async def test_a_link_that_cannot_be_asked_about_may_be_tried_again(answer: httpx.Response | tuple[int, str]):
    with pytest.raises(LinkUnresolved):
        await resolved("https://vm.tiktok.com/x", answer)


async def test_a_link_tells_how_the_address_was_refused():
    refused: list[Any] = [(httpx.Response(429), "rate_limited"), (WAF, "waf"), (httpx.Response(503), None)]
    for answer, how in refused:
        with pytest.raises(LinkUnresolved) as raised:
            await resolved("https://vm.tiktok.com/x", answer)
        assert (raised.value.refused.how if raised.value.refused else None) == how
    with pytest.raises(LinkUnresolved) as raised:
        await resolved("https://m.tiktok.com/share/live/76", httpx.Response(200), httpx.Response(429))
    assert raised.value.refused is not None


async def test_a_link_that_leads_nowhere():
    with pytest.raises(LinkNamesNobody):
        await resolved("https://vm.tiktok.com/x", httpx.Response(404))


@pytest.mark.parametrize("text", ["", "https://evil.example/x", "https://vm.tiktok.com.evil.example/x"])
async def test_what_is_no_link_of_tiktoks_is_not_asked_for(text: str):
    with pytest.raises(InvalidHandle):
        await resolved(text)
