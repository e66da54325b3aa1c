"""The catalog's REST API as the demo and the smoke story use it: a signed-in client with typed answers."""

from datetime import datetime
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self

import httpx
from pydantic import SecretStr
from wentlive_common.errors import NotFound, WentliveError
from wentlive_common.model import Model


class ApiRefused(WentliveError):
    """The catalog refused a request."""

    def __init__(self, response: httpx.Response) -> None:
        super().__init__(
            f"{response.request.method} {response.request.url.path}: {response.status_code} {_detail(response)}"
        )
        self.status = response.status_code


class Creator(Model):
    handle: str
    status: str


class Part(Model):
    name: str
    state: str
    bytes: int
    duration: float
    fragments: int
    opened_at: datetime
    watchable: bool
    has_poster: bool
    finish_ms: float | None


class Recording(Model):
    recording_id: str
    handle: str
    room_id: str
    state: str
    live_started_at: datetime
    detected_at: datetime
    first_committed_at: datetime | None
    failure: str | None
    parts: tuple[Part, ...]


class Link(Model):
    url: str
    expires_at: datetime


class CatalogClient:
    """One signed-in session. Network failures surface as httpx errors, refusals as `ApiRefused`."""

    def __init__(self, base_url: str) -> None:
        self._http = httpx.AsyncClient(base_url=base_url, headers={"Origin": base_url}, timeout=10, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def sign_in(self, username: str, password: SecretStr) -> None:
        body = {"username": username, "password": password.get_secret_value()}
        _checked(await self._http.post("/api/v1/session", json=body))

    async def follow(self, handle: str) -> Creator:
        return Creator.model_validate(
            _checked(await self._http.post("/api/v1/creators", json={"creator": handle})).json()
        )

    async def creators(self) -> list[Creator]:
        return [Creator.model_validate(item) for item in (await self._items("/api/v1/creators"))]

    async def recordings(self) -> list[Recording]:
        """Every recording there is, newest first, with its parts."""
        return [Recording.model_validate(item) for item in (await self._items("/api/v1/recordings"))]

    async def playlist(self, recording_id: str) -> str:
        return _checked(await self._http.get(f"/api/v1/recordings/{recording_id}/playlist.m3u8")).text

    async def fetch(self, path: str) -> bytes:
        """A resource of the catalog's own, such as a part's init segment."""
        return _checked(await self._http.get(path)).content

    async def link(self, recording_id: str, part: str, lifetime_seconds: int, of: str = "video") -> Link:
        path = f"/api/v1/recordings/{recording_id}/parts/{part}/links"
        answer = await self._http.post(path, json={"lifetime_seconds": lifetime_seconds, "of": of})
        return Link.model_validate(_checked(answer).json())

    async def _items(self, path: str) -> list[Any]:
        items: list[Any] = []
        cursor: str | None = None
        while True:
            page = _checked(await self._http.get(path, params={"cursor": cursor} if cursor else {})).json()
            items += page["items"]
            cursor = page.get("next_cursor")
            if cursor is None:
                return items


def _checked(response: httpx.Response) -> httpx.Response:
    if response.is_success:
        return response
    if response.status_code == HTTPStatus.NOT_FOUND:
        raise NotFound(f"{response.request.url.path}: {_detail(response)}")
    raise ApiRefused(response)


def _detail(response: httpx.Response) -> str:
    try:
        return str(response.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return response.text[:200]
