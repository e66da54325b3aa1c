"""Links that are given away: made, counted, taken back. What they lead to is signed anew each time, for minutes."""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pydantic import SecretStr
from wentlive_common.clock import Clock
from wentlive_common.errors import Conflict

from wentlive_catalog.access import Identity
from wentlive_catalog.documents import Documents
from wentlive_catalog.domain.links import (
    SAME_VISIT,
    NoSuchLink,
    SharedLink,
    hash_link,
    new_shared_link,
    revoked,
    used,
)
from wentlive_catalog.domain.recordings import Recording
from wentlive_catalog.keeping import NoSuchRecording
from wentlive_catalog.playback import named_part
from wentlive_catalog.ports import RecordingStore

TRIES = 8
MOST_OF_ONES_OWN = 1000
KEPT_AFTER_END = timedelta(days=30)
"""So long the list still shows that there was a link."""


class TooManyLinks(Conflict):
    """You have as many links as one person may have; take some back first."""


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody who came by a link, and what their browser is to send from now on, so that they count once."""

    link: SharedLink
    recording: Recording
    pass_: str
    lasts_until: datetime


class Sharing:
    def __init__(self, links: Documents[SharedLink], recordings: RecordingStore, clock: Clock, key: SecretStr) -> None:
        self._links = links
        self._recordings = recordings
        self._clock = clock
        self._key = hashlib.sha256(b"visits of links:" + key.get_secret_value().encode()).digest()

    async def create(
        self, recording: Recording, asker: Identity, lifetime: timedelta, *, part: str | None, download: bool,
        max_uses: int | None, note: str,
    ) -> tuple[str, SharedLink]:  # fmt: skip
        """The token for the URL, and what is kept of it."""
        if recording.deleted_at:
            raise NoSuchRecording
        if part is not None:
            named_part(recording, part)
        if len(await self._links.page(MOST_OF_ONES_OWN, username=asker.username)) >= MOST_OF_ONES_OWN:
            raise TooManyLinks
        token, link = new_shared_link(
            recording.recording_id, asker.username, self._clock.now(), lifetime, part=part, download=download,
            max_uses=max_uses, note=note,
        )  # fmt: skip
        return token, await self._links.save(link)

    async def page(self, limit: int, below: str | None, **equal: str) -> Sequence[SharedLink]:
        """Newest first."""
        return await self._links.page(limit, below, **equal)

    async def revoke(self, link_id: str, asker: Identity) -> None:
        """Nothing opens by it from now on; what plays already ends with its signature, minutes later."""
        for _ in range(TRIES):
            link = await self._links.get(link_id)
            if link is None or not (asker.is_admin or link.username == asker.username):
                raise NoSuchLink
            try:
                await self._links.save(revoked(link, self._clock.now()))
                return
            except Conflict:
                continue
        raise Conflict

    async def enter(self, token: str, shown_pass: str) -> Visit:
        """Whoever has a valid pass of this link goes on with it; anybody else uses the link once."""
        for _ in range(TRIES):
            link = await self._working(token)
            recording = await self._recordings.recording(link.recording_id)
            if recording is None or recording.deleted_at:
                raise NoSuchLink
            if self._passes(link, shown_pass):
                return Visit(link, recording, shown_pass, _end_of(shown_pass))
            if link.is_used_up():
                raise NoSuchLink
            try:
                link = await self._links.save(used(link, self._clock.now()))
            except Conflict:
                continue
            end = min(self._clock.now() + SAME_VISIT, link.expires_at)
            return Visit(link, recording, self._pass(link, end), end)
        raise Conflict

    async def forget(self, username: str) -> None:
        """All links of somebody who leaves."""
        await self._links.remove_where(username=username)

    async def forget_old(self) -> None:
        await self._links.remove_before(self._clock.now() - KEPT_AFTER_END)

    async def _working(self, token: str) -> SharedLink:
        found = await self._links.page(1, token_hash=hash_link(token))
        if not found or not found[0].works(self._clock.now()):
            raise NoSuchLink
        return found[0]

    def _pass(self, link: SharedLink, end: datetime) -> str:
        seconds = str(int(end.timestamp()))
        return f"{seconds}.{self._signature(link, seconds)}"

    def _passes(self, link: SharedLink, shown: str) -> bool:
        seconds, _, signature = shown.partition(".")
        genuine = hmac.compare_digest(signature.encode(), self._signature(link, seconds).encode())
        return genuine and int(seconds) > self._clock.now().timestamp()

    def _signature(self, link: SharedLink, seconds: str) -> str:
        return hmac.new(self._key, f"{link.link_id}.{seconds}".encode(), hashlib.sha256).hexdigest()


def _end_of(genuine_pass: str) -> datetime:
    return datetime.fromtimestamp(int(genuine_pass.partition(".")[0]), tz=UTC)
