"""Follows come as events; the catalog's whole list, fetched now and then, heals what a lost event left behind."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

import httpx
import structlog
from pydantic import SecretStr, ValidationError
from wentlive_common.clock import Clock
from wentlive_common.errors import Transient
from wentlive_common.lifecycle import wait_any

from wentlive_watcher.domain import FollowSnapshot, differences
from wentlive_watcher.ports import WatchStore

log = structlog.stdlib.get_logger(__name__)

MAX_BYTES = 16 * 1024 * 1024
TIMEOUT_SECONDS = 15.0
RETRY_SECONDS = 5.0


class SnapshotUnavailable(Transient):
    """The catalog gives no follow list now; what is watched stays watched."""


async def fetch_follows(http: httpx.AsyncClient, url: str, token: SecretStr) -> FollowSnapshot:
    """The catalog's follow list; raises `SnapshotUnavailable` unless it came whole and well-formed."""
    headers = {"Authorization": f"Bearer {token.get_secret_value()}"}
    body = bytearray()
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS), http.stream("GET", url, headers=headers) as response:
            if not response.is_success:
                raise SnapshotUnavailable(f"The catalog answered with HTTP {response.status_code}.")
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MAX_BYTES:
                    raise SnapshotUnavailable(f"The follow list is larger than {MAX_BYTES} bytes.")
        return FollowSnapshot.model_validate_json(bytes(body))
    except (httpx.HTTPError, TimeoutError) as error:
        raise SnapshotUnavailable(f"The catalog does not answer: {type(error).__name__}.") from error
    except ValidationError as error:
        raise SnapshotUnavailable(f"The follow list is malformed in {error.error_count()} places.") from error


async def reconcile(store: WatchStore, snapshot: FollowSnapshot, now: datetime) -> int:
    """Watches who is missing, drops who is followed no more, and learns what is wished; returns how many it was."""
    missing, gone = differences(snapshot, await store.watched())
    followed = [await store.follow(follow, snapshot.taken_at, now) for follow in missing]
    dropped = [await store.unfollow(handle, at) for handle, at in gone]
    wished = await store.wishes()
    otherwise = [follow for follow in snapshot.follows if wished.get(follow.handle, follow.wishes) != follow.wishes]
    changed = [await store.wish(follow.handle, follow.wishes) for follow in otherwise]
    if any(followed) or any(dropped) or any(changed):
        log.info("follows_reconciled", followed=sum(followed), dropped=sum(dropped), changed=sum(changed))
    return sum(followed) + sum(dropped) + sum(changed)


class SnapshotLoop:
    """Fetches and reconciles at the start and each `interval` seconds; sooner again after a failure."""

    def __init__(
        self,
        store: WatchStore,
        fetch: Callable[[], Awaitable[FollowSnapshot]],
        *,
        interval: float,
        clock: Clock,
        due: Callable[[], None],
    ) -> None:
        self._store = store
        self._fetch = fetch
        self._interval = interval
        self._clock = clock
        self._due = due
        self._failed = False

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            worked = await self._reconcile_once()
            pause = self._interval if worked else min(RETRY_SECONDS, self._interval)
            await wait_any(stop.wait(), self._clock.sleep(pause))

    async def _reconcile_once(self) -> bool:
        try:
            if await reconcile(self._store, await self._fetch(), self._clock.now()):
                self._due()
        except Exception as error:
            # Neither the catalog nor the store may stop the watcher; whatever went wrong, nobody is dropped.
            if not self._failed:
                log.warning("follow_snapshot_failed", error=str(error), kind=type(error).__name__)
            self._failed = True
            return False
        if self._failed:
            log.info("follow_snapshot_back")
        self._failed = False
        return True
