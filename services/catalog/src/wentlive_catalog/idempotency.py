"""A program whose request got no answer asks again with the same key, and what it asked for happens once.

The first answer is kept for a day and given again. An answer that told a secret is not kept: whoever asks again is
told that it was done. What failed is not kept either, so that the next try is a try.
"""

import hashlib

import structlog
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from wentlive_common.clock import Clock
from wentlive_common.errors import Conflict, InvalidInput, WentliveError

from wentlive_catalog.access import Identity
from wentlive_catalog.api.problems import answer_to, problem_response
from wentlive_catalog.documents import Documents
from wentlive_catalog.domain.answers import KEPT, Answer, KeyReused, SecretTold, StillAtIt

log = structlog.get_logger(__name__)

HEADER = "idempotency-key"
LONGEST_KEY = 255
LARGEST_ANSWER = 512 * 1024
REPEATED = "idempotency-replayed"
TELLS_SECRETS = frozenset({"createToken", "createLink", "signPart"})
UNREPEATABLE = frozenset({"content-length", "set-cookie", "date"})


class UnusableKey(InvalidInput):
    """An idempotency key has 1 to 255 printable characters."""


class Idempotency:
    """ASGI middleware behind the gate, for whoever posts to the API with an `Idempotency-Key`."""

    def __init__(self, app: ASGIApp, *, answers: Documents[Answer], clock: Clock) -> None:
        self._app = app
        self._answers = answers
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = _key(scope)
        if key is None:
            await self._app(scope, receive, send)
            return
        try:
            body = await _whole(receive)
            begun = await self._begin(scope, key, body)
        except HTTPException as error:
            await problem_response(error.status_code, error.detail)(scope, receive, send)
        except WentliveError as error:
            await answer_to(error)(scope, receive, send)
        else:
            if begun.status is not None:
                await _again(begun)(scope, receive, send)
            else:
                await self._carry_out(begun, scope, body, receive, send)

    async def _begin(self, scope: Scope, key: str, body: bytes) -> Answer:
        """The answer of before, or one without a status: then it is ours to give."""
        if not (len(key) <= LONGEST_KEY and key.isascii() and key.isprintable() and key.strip()):
            raise UnusableKey
        now, name, fingerprint = self._clock.now(), _name(scope, key), hashlib.sha256(body).hexdigest()
        known = await self._answers.get(name)
        if known and now - known.at <= KEPT and not known.is_abandoned(now):
            if known.fingerprint != fingerprint:
                raise KeyReused
            if known.status is None:
                raise StillAtIt
            return known
        version = known.version if known else 0
        try:
            return await self._answers.save(Answer(key=name, fingerprint=fingerprint, at=now, version=version))
        except Conflict as error:
            raise StillAtIt from error

    async def _carry_out(self, begun: Answer, scope: Scope, body: bytes, receive: Receive, send: Send) -> None:
        heard = _Heard(send)
        try:
            await self._app(scope, _replay(body, receive), heard.send)
        finally:
            await self._keep(begun, heard, scope)

    async def _keep(self, begun: Answer, heard: "_Heard", scope: Scope) -> None:
        try:
            if not heard.keepable:
                await self._answers.remove(begun.key)
                return
            secret = getattr(scope.get("route"), "operation_id", None) in TELLS_SECRETS
            headers = tuple((name, value) for name, value in heard.headers if name not in UNREPEATABLE)
            body = "" if secret else heard.body.decode()
            await self._answers.save(
                begun.model_copy(update={"status": heard.status, "headers": headers, "body": body, "secret": secret})
            )
        except WentliveError as error:
            log.warning("answer_not_kept", error=error.message)


class _Heard:
    """Listens to an answer while it is sent."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status: int | None = None
        self.headers: list[tuple[str, str]] = []
        self.body = bytearray()
        self._whole = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in message["headers"]]
        elif message["type"] == "http.response.body" and len(self.body) <= LARGEST_ANSWER:
            self.body += message.get("body", b"")
            self._whole = not message.get("more_body", False)
        await self._send(message)

    @property
    def keepable(self) -> bool:
        fine = self.status is not None and self.status < 300
        return fine and self._whole and len(self.body) <= LARGEST_ANSWER


def _key(scope: Scope) -> str | None:
    if scope["type"] != "http" or scope["method"] != "POST" or not scope["path"].startswith("/api/v1/"):
        return None
    if not isinstance(scope.get("state", {}).get("identity"), Identity):
        return None
    return Headers(scope=scope).get(HEADER)


def _name(scope: Scope, key: str) -> str:
    """One person's key for one address: nobody is given another's answer."""
    parts = (scope["state"]["identity"].username, scope["path"], scope["query_string"].decode("latin-1"), key)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


async def _whole(receive: Receive) -> bytes:
    """The gate bounds it."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise HTTPException(400, "The request was broken off.")
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    told = False

    async def replayed() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed


def _again(answer: Answer) -> Response:
    if answer.secret:
        return answer_to(SecretTold())
    response = Response(answer.body, status_code=answer.status or 200)
    for name, value in answer.headers:
        response.headers[name] = value
    response.headers[REPEATED] = "true"
    return response
