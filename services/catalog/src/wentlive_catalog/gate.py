"""Stands before every route: nobody gets in without being someone, no other site acts for a signed-in person.

Closed by default: a route that is added tomorrow is closed too. Who may do what once inside is `api.authorization`'s.
"""

import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import cookie_parser
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from wentlive_common.errors import WentliveError

from wentlive_catalog.access import Access, Identity
from wentlive_catalog.api.problems import answer_to, problem_response
from wentlive_catalog.metrics import CatalogMetrics
from wentlive_catalog.trail import Trail

OPEN_TO_READ = frozenset({"/livez", "/readyz", "/metrics", "/login", "/setup", "/api/v1/setup"})
OPEN_TO_POST = frozenset({"/login", "/setup", "/api/v1/session", "/api/v1/setup"})
OPEN_PREFIXES = ("/static/", "/l/")
FEEDS = "/feeds/"
"""Feed readers cannot send headers: there, and only there, a token may stand in the address."""
OWN_TOKEN_PREFIX = "/internal/"  # noqa: S105 - a path, whose routes ask for the service token themselves
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
LARGEST_BODY = 64 * 1024
COOKIE = "wentlive_session"
SECURE_COOKIE = f"__Host-{COOKIE}"


class Gate:
    """ASGI middleware: origin check, who is asking, body limit, security headers, timing, audit trail."""

    def __init__(
        self, app: ASGIApp, *, access: Access, trail: Trail, metrics: CatalogMetrics, headers: Mapping[str, str]
    ) -> None:
        self._app = app
        self._access = access
        self._trail = trail
        self._metrics = metrics
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._add_headers(message)
                seconds = time.perf_counter() - began
                self._metrics.request_answered(_method(scope), _route(scope), message["status"], seconds)
                await self._note(scope, message["status"])
            await send(message)

        refusal = await self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, send_guarded)
            return
        await self._app(scope, _limited(receive), send_guarded)

    async def _refusal(self, scope: Scope) -> Response | None:
        method, path, headers = scope["method"], scope["path"], Headers(scope=scope)
        if method not in SAFE_METHODS and _from_elsewhere(headers):
            return problem_response(403, "Another site sent this request; it was not carried out.")
        if headers.get("content-length", "0").isdigit() and int(headers.get("content-length", "0")) > LARGEST_BODY:
            return problem_response(413, "This is more than can be taken in at once.")
        if _is_open(method, path):
            return None
        try:
            identity = await self._identity(scope, headers)
        except WentliveError as error:  # the store is away; the framework's handlers stand behind this gate
            return answer_to(error)
        scope.setdefault("state", {})["identity"] = identity
        return None if identity else _sign_in_first(scope, headers)

    async def _identity(self, scope: Scope, headers: Headers) -> Identity | None:
        """A program's token goes before a browser's cookie: who sends both means the token."""
        if token := _bearer(scope, headers):
            return await self._access.by_token(token)
        cookie = _cookie(headers)
        return await self._access.by_session(cookie) if cookie else None

    async def _note(self, scope: Scope, status: int) -> None:
        """Whatever could have changed something, by whom, and how it went; one place, so that nothing is left out."""
        operation = getattr(scope.get("route"), "operation_id", None)
        if scope["method"] in SAFE_METHODS or operation is None:
            return
        state: dict[str, Any] = scope.get("state", {})
        facts = {**scope.get("path_params", {}), **state.get("noted", {})}
        target = " ".join(f"{name}={value}" for name, value in sorted(facts.items()))
        address = str((scope.get("client") or ("unknown",))[0])
        await self._trail.note(state.get("identity"), operation, target, status, address)

    def _add_headers(self, message: Message) -> None:
        headers = MutableHeaders(scope=message)
        for name, value in self._headers.items():
            headers.setdefault(name, value)
        # What needs a session is nobody else's to keep.
        headers.setdefault("cache-control", "no-store")


def _is_open(method: str, path: str) -> bool:
    named = OPEN_TO_READ if method in SAFE_METHODS else OPEN_TO_POST if method == "POST" else frozenset[str]()
    return path in named or path.startswith((*OPEN_PREFIXES, OWN_TOKEN_PREFIX))


def _from_elsewhere(headers: Headers) -> bool:
    """Browsers say where a request comes from. What says nothing is no browser, so nobody's cookie is abused."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != headers.get("host")


def _bearer(scope: Scope, headers: Headers) -> str | None:
    kind, _, token = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return token.strip()
    if scope["path"].startswith(FEEDS):
        return next(iter(parse_qs(scope["query_string"].decode("latin-1")).get("token", ())), None)
    return None


def _cookie(headers: Headers) -> str | None:
    # As browsers do it: the standard library gives up all cookies over one that is odd, which another program on
    # this host name may have set.
    cookies = cookie_parser(headers.get("cookie", ""))
    return cookies.get(SECURE_COOKIE) or cookies.get(COOKIE)


def _sign_in_first(scope: Scope, headers: Headers) -> Response:
    """Programs get a problem, people get the login page, and come back to where they wanted to go."""
    path: str = scope["path"]
    if path.startswith(("/api/", FEEDS)):
        return problem_response(
            401, "Sign in first, or send a valid API token.", slug="unauthenticated",
            headers={"WWW-Authenticate": "Bearer"},
        )  # fmt: skip
    if "hx-request" in headers or scope["method"] not in SAFE_METHODS:
        return problem_response(401, "Sign in first.", headers={"HX-Redirect": "/login"})
    wanted = "" if path == "/" else f"?next={quote(path)}"
    return RedirectResponse(f"/login{wanted}", status_code=303)


def _limited(receive: Receive) -> Receive:
    """Bodies without a stated length are counted while they come in."""
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > LARGEST_BODY:
            raise HTTPException(413, "This is more than can be taken in at once.")
        return message

    return counted


KNOWN_METHODS = SAFE_METHODS | {"POST", "PUT", "PATCH", "DELETE"}


def _method(scope: Scope) -> str:
    return scope["method"] if scope["method"] in KNOWN_METHODS else "other"


def _route(scope: Scope) -> str:
    """The route's pattern, never the path itself: numbers by path would grow without bound."""
    pattern: str = getattr(scope.get("route"), "path", "none")
    prefix = next((prefix for prefix in ROUTER_PREFIXES if scope["path"].startswith(prefix)), "")
    return pattern if pattern.startswith(prefix) or pattern == "none" else prefix + pattern


ROUTER_PREFIXES = ("/api/v1", "/internal/v1")
"""A route within a router knows its own part of the path only."""


def security_headers(storage_origin: str, image_sources: tuple[str, ...]) -> dict[str, str]:
    """Headers of every answer. Pictures may also come from where TikTok keeps them, media from storage alone."""
    policy = {
        "default-src": "'self'",
        "connect-src": f"'self' {storage_origin}",
        "media-src": f"'self' blob: {storage_origin}",
        "img-src": " ".join(("'self'", "data:", storage_origin, *image_sources)),
        "object-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
    }
    return {
        "content-security-policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "x-content-type-options": "nosniff",
        "referrer-policy": "same-origin",
        "x-frame-options": "DENY",
        "cross-origin-opener-policy": "same-origin",
        "permissions-policy": "camera=(), microphone=(), geolocation=()",
    }
