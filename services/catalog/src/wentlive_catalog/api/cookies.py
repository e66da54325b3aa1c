"""The session cookie: unreadable for scripts, not sent by other sites' forms, over https only where there is https."""

from ipaddress import ip_address
from typing import Any, TypedDict

from fastapi import Request
from starlette.responses import Response

from wentlive_catalog.api.context import Context
from wentlive_catalog.domain.sessions import Session
from wentlive_catalog.gate import COOKIE, SECURE_COOKIE


class _Attributes(TypedDict):
    path: str
    httponly: bool
    samesite: Any
    secure: bool


def set_session_cookie(response: Response, request: Request, here: Context, token: str, session: Session) -> None:
    name, attributes = _cookie(request, here)
    response.set_cookie(name, token, expires=session.expires_at, **attributes)


def drop_session_cookie(response: Response, request: Request, here: Context) -> None:
    name, attributes = _cookie(request, here)
    response.delete_cookie(name, **attributes)


def _cookie(request: Request, here: Context) -> tuple[str, _Attributes]:
    secure = here.secure_cookies or request.url.scheme == "https"
    attributes = _Attributes(path="/", httponly=True, samesite="lax", secure=secure)
    return (SECURE_COOKIE if secure else COOKIE), attributes


def address_of(request: Request) -> str:
    return request.client.host if request.client else "unknown"


def is_this_machine(request: Request) -> bool:
    """Whether it came from the machine that the catalog runs on, and through no proxy, which would hide that."""
    proxied = any(name in request.headers for name in ("forwarded", "x-forwarded-for", "x-real-ip"))
    try:
        return not proxied and ip_address(address_of(request)).is_loopback
    except ValueError:
        return False
