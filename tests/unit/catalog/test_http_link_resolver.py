"""Asking the watcher where a link leads: its answer, its refusal, and every way of giving none."""

import json
from collections.abc import Callable

import httpx
import pytest
from pydantic import SecretStr
from wentlive_catalog.adapters.http_link_resolver import MOST_BYTES, HttpLinkResolver, LinkUnavailable
from wentlive_common.handle import InvalidHandle

SHORT = "https://vm.tiktok.com/ZM123/"
Answer = Callable[[httpx.Request], httpx.Response]


async def resolved(answer: Answer) -> str:
    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        return await HttpLinkResolver(http, "http://watcher.test/", SecretStr("s3cret-token")).handle(SHORT)


async def test_the_answer_and_the_question() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={"handle": "owl"})

    assert await resolved(answer) == "owl"
    assert str(asked[0].url) == "http://watcher.test/internal/v1/links"
    assert asked[0].headers["authorization"] == "Bearer s3cret-token"
    assert json.loads(asked[0].content) == {"text": SHORT}


async def test_a_link_to_nobody_is_refused_in_the_watchers_words() -> None:
    problem = httpx.Response(422, json={"title": "This link leads away from TikTok.", "status": 422})
    with pytest.raises(InvalidHandle, match="leads away"):
        await resolved(lambda _: problem)


@pytest.mark.parametrize(
    "response",
    [
        httpx.Response(503, json={"title": "busy"}), httpx.Response(401, json={}), httpx.Response(200, text="<html>"),
        httpx.Response(200, json={"handle": "<b>"}), httpx.Response(200, content=b"x" * (MOST_BYTES + 1)),
        httpx.Response(302, headers={"location": "https://elsewhere.example"}), httpx.Response(422, text="no"),
    ],
)  # fmt: skip
async def test_everything_else_means_later(response: httpx.Response) -> None:
    with pytest.raises(LinkUnavailable, match="Paste the name"):
        await resolved(lambda _: response)


async def test_a_watcher_that_is_away_means_later() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    with pytest.raises(LinkUnavailable):
        await resolved(refuse)
