"""Who may use the internal pages, and how they say no: for Wentlive's other services, which show the service token."""

import hmac

from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import JSONResponse, Response


def is_let_in(request: Request, token: SecretStr) -> bool:
    wanted = f"Bearer {token.get_secret_value()}"
    return hmac.compare_digest(request.headers.get("authorization", "").encode(), wanted.encode())


def not_let_in() -> Response:
    return problem(401, "Send the service token as a bearer token.", {"www-authenticate": "Bearer"})


def problem(status: int, title: str, headers: dict[str, str] | None = None) -> Response:
    """RFC 9457."""
    headers = {"cache-control": "no-store", **(headers or {})}
    return JSONResponse(
        {"title": title, "status": status}, status, headers=headers, media_type="application/problem+json"
    )
