"""Asking the watcher: what it says, and that whatever else it does only means that it does not answer."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs
from wentlive_catalog.adapters import http_watch_status
from wentlive_catalog.adapters.http_watch_status import A_CALL, MOST_HANDLES, MOST_KEPT, HttpWatchStatus
from wentlive_common.clock import SystemClock

OWL = {
    "handle": "owl", "current_handle": "owl.new", "creator_id": "42", "state": "offline", "merged_into": None,
    "trouble": "blocked: waf", "restriction": None, "last_checked_at": "2026-11-23T12:00:00.000Z",
    "next_check_at": "2026-11-23T12:01:00Z", "interval_seconds": 60.0, "room_id": None, "evidence": None,
    "evidence_at": None, "egress": None, "added_later": {},
}  # fmt: skip
DIRECT = {
    "name": "direct", "state": "open", "since": "2026-11-23T11:59:00Z", "why": "waf",
    "retry_at": "2026-11-23T12:04:00Z", "requests_per_second": 0.5,
}  # fmt: skip
ANSWER = {"taken_at": "2026-11-23T12:00:00.000Z", "watches": [OWL], "next": None, "egresses": [DIRECT]}

Answer = Callable[[httpx.Request], httpx.Response]


class SetClock(SystemClock):
    def __init__(self) -> None:
        self.at = 0.0

    def monotonic(self) -> float:
        return self.at


class Watcher:
    """Answers with `answer`, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[httpx.Request] = []
        self.answer: Answer = lambda _: httpx.Response(200, json=ANSWER)
        self.http = httpx.AsyncClient(transport=httpx.MockTransport(self._handle))
        self.clock = SetClock()
        self.status = HttpWatchStatus(self.http, "http://watcher.test/", SecretStr("s3cret-token"), self.clock)

    async def _handle(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        await asyncio.sleep(0)
        return self.answer(request)


@pytest.fixture
async def watcher() -> AsyncGenerator[Watcher]:
    watcher = Watcher()
    async with watcher.http:
        yield watcher


async def test_it_asks_for_the_shown_ones_and_shows_the_token(watcher: Watcher) -> None:
    report = await watcher.status.report(["owl", "fox", "owl"])
    assert report is not None
    assert report.watches["owl"].current_handle == "owl.new"
    assert report.egresses[0].why == "waf"
    request = watcher.asked[0]
    assert str(request.url) == "http://watcher.test/internal/v1/watches?handle=fox&handle=owl"
    assert request.headers["authorization"] == "Bearer s3cret-token"


async def test_nobody_shown_is_nothing_asked(watcher: Watcher) -> None:
    report = await watcher.status.report([])
    assert report is not None
    assert (dict(report.watches), watcher.asked) == ({}, [])


async def test_pages_at_the_same_time_share_one_answer_for_a_moment(watcher: Watcher) -> None:
    reports = await asyncio.gather(*(watcher.status.report(["owl"]) for _ in range(20)))
    assert len(watcher.asked) == 1
    assert all(report is reports[0] for report in reports)
    watcher.clock.at += http_watch_status.FRESH_SECONDS
    await watcher.status.report(["owl"])
    assert len(watcher.asked) == 2


async def test_many_are_asked_for_in_parts_and_not_without_end(watcher: Watcher) -> None:
    await watcher.status.report([f"c{n}" for n in range(MOST_HANDLES + 300)])
    sizes = [len(request.url.params.get_list("handle")) for request in watcher.asked]
    assert sizes == [A_CALL] * (MOST_HANDLES // A_CALL)


async def test_kept_answers_are_few(watcher: Watcher) -> None:
    for n in range(MOST_KEPT * 2):
        await watcher.status.report([f"c{n}"])
    assert len(watcher.status._kept) == MOST_KEPT


def changed(**more: object) -> Any:
    return {**ANSWER, "watches": [OWL | more]}


class Endless(httpx.AsyncByteStream):
    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            yield b" " * 65536


def refused(_: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused")


NO_ANSWERS: dict[str, Answer] = {
    "wrong token": lambda _: httpx.Response(401, json={"title": "Unauthorized"}),
    "no token there": lambda _: httpx.Response(404, json={"title": "Not Found"}),
    "store away": lambda _: httpx.Response(503, json={"title": "Service Unavailable"}),
    "sent elsewhere": lambda _: httpx.Response(302, headers={"location": "http://elsewhere.test/"}),
    "empty": lambda _: httpx.Response(204),
    "a page": lambda _: httpx.Response(200, text="<html>"),
    "bytes": lambda _: httpx.Response(200, content=b"\xff\xfe"),
    "deep": lambda _: httpx.Response(200, text="[" * 100_000),
    "a list": lambda _: httpx.Response(200, json=[]),
    "another shape": lambda _: httpx.Response(200, json={"watches": "none"}),
    "unknown state": lambda _: httpx.Response(200, json=changed(state="dancing")),
    "no handle": lambda _: httpx.Response(200, json=changed(handle="<b>")),
    "no zone": lambda _: httpx.Response(200, json=changed(last_checked_at="2026-11-23T12:00:00")),
    "half a letter": lambda _: httpx.Response(200, text=json.dumps(changed(evidence="?")).replace('"?"', '"\\ud800"')),
    "endless": lambda _: httpx.Response(200, stream=Endless()),
    "refused": refused,
}


@pytest.mark.parametrize("answer", NO_ANSWERS.values(), ids=NO_ANSWERS)
async def test_what_is_no_answer_is_said_once_and_asked_again_later(watcher: Watcher, answer: Answer) -> None:
    watcher.answer = answer
    with capture_logs() as logs:
        assert await watcher.status.report(["owl"]) is None
        assert await watcher.status.report(["fox"]) is None
        assert len(watcher.asked) == 1
        watcher.clock.at += http_watch_status.SILENT_SECONDS
        assert await watcher.status.report(["owl"]) is None
        assert len(watcher.asked) == 2
        watcher.clock.at += http_watch_status.SILENT_SECONDS
        watcher.answer = lambda _: httpx.Response(200, json=ANSWER)
        assert await watcher.status.report(["owl"]) is not None
    assert [log["event"] for log in logs] == ["watcher_silent", "watcher_answers_again"]
    assert "s3cret" not in str(logs)


async def test_a_watcher_that_hangs_holds_a_page_up_once(watcher: Watcher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_watch_status, "TIMEOUT_SECONDS", 0.05)
    hanging = asyncio.Event()

    async def hang(request: httpx.Request) -> httpx.Response:
        watcher.asked.append(request)
        await hanging.wait()
        raise AssertionError("nobody sets it")

    async with httpx.AsyncClient(transport=httpx.MockTransport(hang)) as http:
        status = HttpWatchStatus(http, "http://watcher.test", SecretStr("s3cret-token"), watcher.clock)
        async with asyncio.timeout(2):
            reports = await asyncio.gather(*(status.report([f"c{n}"]) for n in range(50)))
    assert set(reports) == {None}
    assert len(watcher.asked) == 1


async def test_who_leaves_while_it_is_asked_spoils_nothing(watcher: Watcher) -> None:
    asking = asyncio.create_task(watcher.status.report(["owl"]))
    while not watcher.asked:
        await asyncio.sleep(0)
    asking.cancel()
    await asyncio.wait([asking])
    assert await watcher.status.report(["owl"]) is not None
