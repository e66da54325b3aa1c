"""TikTok's answers when it refuses, and answers that never come whole."""

import asyncio
import zlib

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from wentlive_devkit.tiktok.traps import RefusalScript, Spoiled

DRIP_S = 0.25
_HUGE = 10 * 1024 * 1024
_PIECE = 64 * 1024
_WAF_PAGE = (
    '<!DOCTYPE html><html><head><title>Please wait...</title></head><body><p id="wci" class="_wafchallengeid"></p>'
    "<script>window.SlardarWAF={}</script></body></html>"
)
_DENIED_PAGE = "<HTML><HEAD><TITLE>Access Denied</TITLE></HEAD><BODY><H1>Access Denied</H1></BODY></HTML>"
_SHELL = "<!DOCTYPE html><html><body><div id='app'></div></body></html>"


def refuse(refusal: RefusalScript) -> Response:
    """As TikTok refuses an address."""
    wait = {} if refusal.retry_after_s is None else {"retry-after": str(refusal.retry_after_s)}
    match refusal.how:
        case "waf":
            return Response(_WAF_PAGE, 200, wait | {"x-tt-system-error": "3"}, "text/html")
        case "forbidden":
            return Response(_DENIED_PAGE, 403, wait, "text/html")
        case "rate_limited":
            return Response(b"", 429, wait)
        case "country":
            return Response(b"", 302, wait | {"location": "https://www.tiktok.com/hk/notfound"})
        case "login":
            return Response(b"", 302, wait | {"location": "https://www.tiktok.com/login?redirect_url=x"})


def spoil(how: Spoiled, whole: Response) -> "Response | SpoiledAnswer":
    """The answer as it would arrive on a bad day."""
    match how:
        case "page":
            return Response(_SHELL, media_type="text/html")
        case "garbage":
            return Response(b'{"data":{"user":{"id":"67', media_type="application/json")
        case "empty":
            return Response(b"", media_type="application/json")
        case "error":
            return Response(b"", 500)
        case "bomb":
            return Response(_bomb(), headers={"content-encoding": "gzip"}, media_type="application/json")
        case "drip" | "cut" | "endless" | "huge":
            return SpoiledAnswer(how, bytes(whole.body))


class SpoiledAnswer:
    """An ASGI response that is slow, breaks off, or goes on and on."""

    def __init__(self, how: Spoiled, body: bytes) -> None:
        self._how = how
        self._body = body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        leaving = asyncio.create_task(_until_disconnected(receive), name="mischief-leave")
        sending = asyncio.create_task(self._send(send), name="mischief-send")
        try:
            await asyncio.wait((leaving, sending), return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            sending.cancel()
            await asyncio.gather(leaving, sending, return_exceptions=True)

    async def _send(self, send: Send) -> None:
        length = {"cut": len(self._body), "huge": _HUGE}.get(self._how)
        headers = [(b"content-type", b"application/json")]
        if length is not None:
            headers.append((b"content-length", str(length).encode()))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        match self._how:
            case "cut":
                await _send_piece(send, self._body[: len(self._body) // 2])
            case "huge":
                for _ in range(_HUGE // _PIECE):
                    await _send_piece(send, b" " * _PIECE)
                await send({"type": "http.response.body", "body": b""})
            case "endless":
                while True:
                    await _send_piece(send, b" " * _PIECE)
                    await asyncio.sleep(0.01)
            case _:
                for at in range(len(self._body)):
                    await _send_piece(send, self._body[at : at + 1])
                    await asyncio.sleep(DRIP_S)


async def _send_piece(send: Send, piece: bytes) -> None:
    await send({"type": "http.response.body", "body": piece, "more_body": True})


async def _until_disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _bomb() -> bytes:
    """A hundred kilobytes that unpack to a hundred megabytes of spaces."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    piece = b" " * 1024 * 1024
    return b"".join(packer.compress(piece) for _ in range(100)) + packer.flush()
