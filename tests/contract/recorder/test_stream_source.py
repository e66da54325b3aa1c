"""One suite for StreamSource: over HTTP from a server that misbehaves, and over the fake that unit tests use."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest
from wentlive_recorder.adapters.http_stream_source import http_stream_source
from wentlive_recorder.errors import StreamDropped, StreamGone, StreamStalled, StreamUnreachable
from wentlive_recorder.ports import StreamSource
from wentlive_recorder.testing import FakeStreamSource, ScriptedStream

BODY = bytes(range(256)) * 4000
Reply = Callable[[asyncio.StreamWriter, dict[str, str]], Awaitable[None]]


def head(status: str = "200 OK", **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


async def whole(out: asyncio.StreamWriter, _: dict[str, str]) -> None:
    out.write(head(Content_Length=str(len(BODY))) + BODY)


async def until_closed(out: asyncio.StreamWriter, _: dict[str, str]) -> None:
    out.write(head(Connection="close") + BODY)
    await out.drain()
    out.close()


async def trickle(out: asyncio.StreamWriter, _: dict[str, str]) -> None:
    """A few bytes at a time, as a live does, and an end that leaves the connection open."""
    out.write(head(Transfer_Encoding="chunked"))
    for start in range(0, 5000, 100):
        out.write(chunk(BODY[start : start + 100]))
        await out.drain()
    out.write(chunk(BODY[5000:]) + b"0\r\n\r\n")


async def dropped(out: asyncio.StreamWriter, _: dict[str, str]) -> None:
    out.write(head(Transfer_Encoding="chunked") + chunk(BODY[:1000]))
    await out.drain()
    out.close()


async def silent(out: asyncio.StreamWriter, _: dict[str, str]) -> None:
    out.write(head(Transfer_Encoding="chunked") + chunk(BODY[:1000]))


async def stretch(out: asyncio.StreamWriter, headers: dict[str, str]) -> None:
    first, last = map(int, headers["range"].removeprefix("bytes=").split("-"))
    out.write(head("206 Partial Content", Content_Length=str(last - first + 1)) + BODY[first : last + 1])


def answer(status: str, **headers: str) -> Reply:
    async def reply(out: asyncio.StreamWriter, _: dict[str, str]) -> None:
        out.write(head(status, Content_Length="0", **headers))

    return reply


REPLIES: dict[str, Reply] = {
    "/whole": whole,
    "/until-closed": until_closed,
    "/trickle": trickle,
    "/dropped": dropped,
    "/silent": silent,
    "/stretch": stretch,
    "/gone": answer("404 Not Found"),
    "/refused": answer("403 Forbidden"),
    "/busy": answer("503 Service Unavailable"),
    "/moved": answer("302 Found", Location="/whole"),
    "/away": answer("302 Found", Location="ftp://elsewhere/x"),
    "/not-http": lambda out, _: _written(out, b"SSH-2.0-x\r\n\r\n"),
}


async def _written(out: asyncio.StreamWriter, data: bytes) -> None:
    out.write(data)


async def serve(reader: asyncio.StreamReader, out: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError, asyncio.IncompleteReadError):
        while True:
            lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            pairs = (line.split(": ", 1) for line in lines[1:] if line)
            await REPLIES[lines[0].split()[1]](out, {name.lower(): value for name, value in pairs})
            await out.drain()
    out.close()


@asynccontextmanager
async def over_http() -> AsyncGenerator[tuple[StreamSource, str]]:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with http_stream_source(connect_timeout=2.0, read_timeout=0.5) as streams:
        try:
            yield streams, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            server.close()


@asynccontextmanager
async def faked() -> AsyncGenerator[tuple[StreamSource, str]]:
    streams, base = FakeStreamSource(), "http://fake"
    for path in ("/whole", "/until-closed", "/trickle"):
        streams.script(base + path, ScriptedStream(BODY))
        streams.script_file(base + path, BODY)
    streams.script(base + "/dropped", ScriptedStream(BODY[:1000], error=StreamDropped()))
    streams.script(base + "/silent", ScriptedStream(BODY[:1000], error=StreamStalled()))
    streams.script_file(base + "/dropped", StreamDropped())
    streams.script_file(base + "/silent", StreamStalled())
    streams.script_file(base + "/stretch", BODY)
    streams.script(base + "/gone", ScriptedStream(refused=StreamGone()))
    streams.script(base + "/busy", ScriptedStream(refused=StreamUnreachable()))
    streams.script_file(base + "/busy", StreamUnreachable())
    yield streams, base


@pytest.fixture(params=[over_http, faked], ids=["http", "fake"])
async def source(request: pytest.FixtureRequest) -> AsyncGenerator[tuple[StreamSource, str]]:
    async with request.param() as made:
        yield made


async def read(streams: StreamSource, url: str, into: bytearray) -> None:
    async with streams.open(url) as chunks:
        async for data in chunks:
            into += data


@pytest.mark.parametrize("path", ["/whole", "/until-closed", "/trickle"])
async def test_a_clean_end_just_ends(source: tuple[StreamSource, str], path: str) -> None:
    streams, base = source
    for _ in range(2):  # the connection may be used again
        brought = bytearray()
        await read(streams, base + path, brought)
        assert brought == BODY
    assert (await streams.fetch(base + path, len(BODY))).data == BODY


@pytest.mark.parametrize(
    ("path", "error"),
    [("/dropped", StreamDropped), ("/silent", StreamStalled), ("/gone", StreamGone), ("/busy", StreamUnreachable)],
)
async def test_ways_to_fail_are_told_apart(source: tuple[StreamSource, str], path: str, error: type[Exception]) -> None:
    streams, base = source
    brought = bytearray()
    with pytest.raises(error):
        await read(streams, base + path, brought)
    assert brought in (b"", BODY[:1000])
    with pytest.raises(error):
        await streams.fetch(base + path, len(BODY))


async def test_a_stretch_of_a_file_and_a_file_that_is_too_large(source: tuple[StreamSource, str]) -> None:
    streams, base = source
    assert (await streams.fetch(base + "/stretch", 100, (200, 100))).data == BODY[200:300]
    with pytest.raises(StreamDropped):
        await streams.fetch(base + "/whole", len(BODY) - 1)


async def test_what_only_http_can_do_wrong() -> None:
    async with over_http() as (streams, base):
        with pytest.raises(StreamGone, match="403"):
            await streams.fetch(base + "/refused", 1)
        for url in ("/away", "/not-http"):
            with pytest.raises(StreamUnreachable):
                await streams.fetch(base + url, 1)
        with pytest.raises(StreamUnreachable, match="parts of a file"):
            await streams.fetch(base + "/whole", len(BODY), (0, 5))
        for url in ("http://127.0.0.1:1/x?sign=secret", "http://[bad/?sign=secret", "nonsense"):
            with pytest.raises(StreamUnreachable) as refused:
                await read(streams, url, bytearray())
            assert "secret" not in refused.value.message


async def test_redirections_are_followed_and_told() -> None:
    async with over_http() as (streams, base):
        fetched = await streams.fetch(base + "/moved", len(BODY))
        assert (fetched.url, fetched.data) == (base + "/whole", BODY)
