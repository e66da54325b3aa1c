"""Asks the watcher when creators were and will be checked; whatever goes wrong there, a page goes on without."""

import asyncio
from collections.abc import Collection, Iterator

import httpx
import structlog
from pydantic import SecretStr, ValidationError
from wentlive_common.clock import Clock
from wentlive_common.errors import Transient
from wentlive_common.model import Model

from wentlive_catalog.domain.watches import EgressStatus, WatchReport, WatchStatus

log = structlog.get_logger(__name__)

PATH = "/internal/v1/watches"
TIMEOUT_SECONDS = 2.0
FRESH_SECONDS = 2.0
SILENT_SECONDS = 5.0
"""After a failure nobody waits for the watcher for this long."""
A_CALL = 200
"""The most creators that the watcher takes in one question."""
MOST_HANDLES = 1000
MOST_BYTES = 8 * 1024 * 1024
MOST_KEPT = 16


class WatcherSilent(Transient):
    """The watcher gives no answer now."""


class _Page(Model):
    watches: tuple[WatchStatus, ...]
    egresses: tuple[EgressStatus, ...]


class HttpWatchStatus:
    """`WatchStatusSource` over the watcher's status endpoint: one question at a time, each answer kept for a moment."""

    def __init__(self, http: httpx.AsyncClient, url: str, token: SecretStr, clock: Clock) -> None:
        self._http = http
        self._url = url.rstrip("/") + PATH
        # Uncompressed, so that what is counted is what is held.
        self._headers = {"authorization": f"Bearer {token.get_secret_value()}", "accept-encoding": "identity"}
        self._clock = clock
        self._asking = asyncio.Lock()
        self._kept: dict[tuple[str, ...], tuple[float, WatchReport]] = {}
        self._silent_until = float("-inf")
        self._silent = False

    async def report(self, handles: Collection[str]) -> WatchReport | None:
        """Of the first thousand by name."""
        wanted = tuple(sorted(set(handles))[:MOST_HANDLES])
        if not wanted:
            return WatchReport()
        async with self._asking:
            if kept := self._fresh().get(wanted):
                return kept[1]
            return await self._asked(wanted) if self._clock.monotonic() >= self._silent_until else None

    async def _asked(self, wanted: tuple[str, ...]) -> WatchReport | None:
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                pages = [await self._page(part) for part in _parts(wanted)]
        except (WatcherSilent, httpx.HTTPError, TimeoutError, ValidationError) as error:
            self._fell_silent(error)
            return None
        self._answered()
        watches = {watch.handle: watch for page in pages for watch in page.watches}
        report = WatchReport(watches, pages[-1].egresses)
        self._keep(wanted, report)
        return report

    async def _page(self, handles: tuple[str, ...]) -> _Page:
        body = bytearray()
        query = {"handle": handles}
        async with self._http.stream("GET", self._url, params=query, headers=self._headers) as response:
            if not response.is_success:
                raise WatcherSilent(f"The watcher answered with HTTP {response.status_code}.")
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MOST_BYTES:
                    raise WatcherSilent(f"The watcher's answer is larger than {MOST_BYTES} bytes.")
        return _Page.model_validate_json(bytes(body))

    def _keep(self, wanted: tuple[str, ...], report: WatchReport) -> None:
        self._kept[wanted] = (self._clock.monotonic(), report)
        if len(self._kept) > MOST_KEPT:
            del self._kept[next(iter(self._kept))]

    def _fresh(self) -> dict[tuple[str, ...], tuple[float, WatchReport]]:
        oldest = self._clock.monotonic() - FRESH_SECONDS
        self._kept = {wanted: (at, report) for wanted, (at, report) in self._kept.items() if at > oldest}
        return self._kept

    def _fell_silent(self, error: Exception) -> None:
        self._silent_until = self._clock.monotonic() + SILENT_SECONDS
        if not self._silent:
            # A validation error would repeat what the answer held.
            reason = error.message if isinstance(error, WatcherSilent) else type(error).__name__
            log.warning("watcher_silent", reason=reason)
        self._silent = True

    def _answered(self) -> None:
        if self._silent:
            log.info("watcher_answers_again")
        self._silent = False


def _parts(handles: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for start in range(0, len(handles), A_CALL):
        yield handles[start : start + A_CALL]
