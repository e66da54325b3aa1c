"""Asks the watcher whose link it is that somebody pasted: only the watcher speaks with TikTok, within its budget."""

import asyncio

import httpx
from pydantic import SecretStr, ValidationError
from wentlive_common.errors import Transient
from wentlive_common.handle import InvalidHandle
from wentlive_common.model import Handle, Model

PATH = "/internal/v1/links"
TIMEOUT_SECONDS = 25.0
MOST_BYTES = 16 * 1024
FOUND, NOBODY = 200, 422


class LinkUnavailable(Transient):
    """Where this link leads cannot be found out now. Paste the name or the link to the profile, or try again later."""


class _Found(Model):
    handle: Handle


class _Problem(Model):
    title: str


class HttpLinkResolver:
    """`LinkResolver` over the watcher's internal page."""

    def __init__(self, http: httpx.AsyncClient, url: str, token: SecretStr) -> None:
        self._http = http
        self._url = url.rstrip("/") + PATH
        # Uncompressed, so that what is counted is what is held.
        self._headers = {"authorization": f"Bearer {token.get_secret_value()}", "accept-encoding": "identity"}

    async def handle(self, text: str) -> str:
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                status, body = await self._asked(text)
            if status == NOBODY:
                raise InvalidHandle(_Problem.model_validate_json(body).title)
            if status != FOUND:
                raise LinkUnavailable
            return _Found.model_validate_json(body).handle
        except (httpx.HTTPError, TimeoutError, ValidationError) as error:
            raise LinkUnavailable from error

    async def _asked(self, text: str) -> tuple[int, bytes]:
        body = bytearray()
        async with self._http.stream("POST", self._url, json={"text": text}, headers=self._headers) as response:
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MOST_BYTES:
                    raise LinkUnavailable
        return response.status_code, bytes(body)
