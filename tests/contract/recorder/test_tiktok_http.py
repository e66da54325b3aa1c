"""Asking TikTok goes the same way over httpx's own transport, as the watcher asks, and over the recorder's."""

import asyncio
import gzip
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import httpx
import pytest
from wentlive_devkit.tiktok import CreatorScript, MediaScript, Scenario, TikTokSimulator
from wentlive_recorder.adapters.tiktok_http import lean_tiktok_http_client
from wentlive_tiktok.client import TikTokClient, tiktok_http_client
from wentlive_tiktok.status import Live, Unknown
from wentlive_tiktok.transport import NoAnswer, fetch

Client = Callable[[], AbstractAsyncContextManager[httpx.AsyncClient]]
LIMIT = 10_000

each = pytest.mark.parametrize("client", [tiktok_http_client, lean_tiktok_http_client], ids=["httpx", "aiohttp"])


class Host:
    """Answers every request with the bytes it was given, and then hangs up or stays silent."""

    def __init__(self, answer: bytes, *, stays: bool) -> None:
        self._answer, self._stays = answer, stays
        self.asked: list[bytes] = []
        self.url = httpx.URL()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while request := await reader.readuntil(b"\r\n\r\n"):
                self.asked.append(request)
                writer.write(self._answer)
                await writer.drain()
                if not self._stays:
                    return
        except asyncio.IncompleteReadError:
            return  # it hung up
        finally:
            writer.close()


@asynccontextmanager
async def host(answer: bytes, *, stays: bool = False) -> AsyncGenerator[Host]:
    found = Host(answer, stays=stays)
    server = await asyncio.start_server(found.accept, "127.0.0.1", 0)
    found.url = httpx.URL(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/@ada/live?a=%2F+b")
    async with server:
        yield found


def answer(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    lines = (f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers)
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@each
async def test_an_answer_comes_with_its_status_headers_and_body(client: Client) -> None:
    headers = ("Set-Cookie: a=1", "set-cookie: b=2", "X-Word: caf\u00e9", "Location: /elsewhere")
    async with host(answer(b"moved", *headers, status="302 Found")) as tiktok, client() as http:
        got = await fetch(http, tiktok.url, {"Accept": "text/html"}, LIMIT)
    assert (got.status, got.body, got.headers["location"]) == (302, b"moved", "/elsewhere")
    assert got.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert len(tiktok.asked) == 1


@each
async def test_what_is_asked_looks_the_same(client: Client) -> None:
    async with host(answer(b"")) as tiktok, client() as http:
        await fetch(http, tiktok.url, {"Accept": "text/html"}, LIMIT)
    first, *lines = tiktok.asked[0].decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines if line)}
    assert first == "GET /@ada/live?a=%2F+b HTTP/1.1"
    assert headers.pop("host") == tiktok.url.netloc.decode()
    assert headers.pop("user-agent").startswith("Mozilla/5.0 ")
    assert headers.pop("connection", "keep-alive") == "keep-alive"
    assert headers == {"accept": "text/html", "accept-language": "en-US,en;q=0.9", "accept-encoding": "gzip, deflate"}


@each
async def test_a_packed_answer_is_unpacked_once(client: Client) -> None:
    packed = answer(gzip.compress(b"hello"), "Content-Encoding: gzip")
    async with host(packed, stays=True) as tiktok, client() as http:
        for _ in range(3):
            assert (await fetch(http, tiktok.url, {}, LIMIT)).body == b"hello"


@each
async def test_long_cookies_do_no_harm(client: Client) -> None:
    async with host(answer(b"hello", f"Set-Cookie: a={'x' * 20_000}")) as tiktok, client() as http:
        assert (await fetch(http, tiktok.url, {}, LIMIT)).body == b"hello"
        await fetch(http, tiktok.url, {}, LIMIT)
    assert b"cookie" not in tiktok.asked[1].lower()


@each
@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"no HTTP at all\r\n\r\n",
        answer(b"hello")[:-2],
        answer(gzip.compress(b"hello"), "Content-Encoding: gzip")[:-9],
        answer(b"x" * (LIMIT + 1)),
        answer(gzip.compress(bytes(1_000_000)), "Content-Encoding: gzip"),
    ],
    ids=["nothing", "half a head", "no HTTP", "broken off", "broken off packed", "too large", "a bomb"],
)
async def test_what_is_no_answer_is_told(client: Client, bad: bytes) -> None:
    async with host(bad) as tiktok, client() as http:
        with pytest.raises(NoAnswer):
            await fetch(http, tiktok.url, {}, LIMIT)


@each
async def test_nobody_at_home_is_told(client: Client) -> None:
    async with host(b"") as tiktok:
        pass
    async with client() as http:
        with pytest.raises(NoAnswer):
            await fetch(http, tiktok.url, {}, LIMIT)


@each
async def test_silence_is_given_up(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wentlive_tiktok.transport._TIMEOUT", httpx.Timeout(0.2))
    async with host(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", stays=True) as tiktok, client() as http:
        with pytest.raises(NoAnswer):
            await fetch(http, tiktok.url, {}, LIMIT)


async def test_a_creator_who_is_live_is_found() -> None:
    scenario = Scenario(
        creators=(CreatorScript(handle="ada", nickname="Ada"),),
        media=MediaScript(width=96, height=160, fps=12, gop_s=1, loop_s=8, bitrate=60_000),
    )
    async with TikTokSimulator.start(scenario) as simulator, lean_tiktok_http_client() as http:
        simulator.world.go_live("ada")
        tiktok = TikTokClient(http, simulator.base_url)
        assert isinstance(await tiktok.live_status("ada"), Live)
        assert isinstance(await TikTokClient(http, "http://127.0.0.1:1").live_status("ada"), Unknown)
