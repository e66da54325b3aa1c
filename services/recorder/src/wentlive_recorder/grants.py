"""The recorder's rights to write: one URL a blob, renewed by the orchestrator's answers while it records."""

import asyncio
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from wentlive_common.blobs import PartBlobs, part_blobs, recording_blobs
from wentlive_common.clock import Clock
from wentlive_common.job import BlobGrant

from wentlive_recorder.errors import NoGrant


@dataclass(frozen=True, slots=True)
class PartNames:
    """A part's number and the blobs that belong to it."""

    number: int
    blobs: PartBlobs

    @property
    def media(self) -> str:
        return self.blobs.media

    @property
    def index(self) -> str:
        return self.blobs.index


class GrantBook:
    """All grants received, the latest of each blob."""

    def __init__(self, prefix: str, attempt: int, clock: Clock, grants: Iterable[BlobGrant] = ()) -> None:
        self._prefix, self._attempt, self._clock = prefix, attempt, clock
        self._grants: dict[str, BlobGrant] = {}
        self._changed = asyncio.Event()
        self._known: set[int] = set()
        self._in_use: set[int] = set()
        self.recording = recording_blobs(prefix, attempt)
        self.merge(grants)

    def merge(self, grants: Iterable[BlobGrant]) -> None:
        for grant in grants:
            known = self._grants.get(grant.blob)
            if known is None or known.expires_at <= grant.expires_at:
                self._grants[grant.blob] = grant
                self._note_part(grant.blob)
        self._changed.set()

    def names(self, part: int) -> PartNames:
        return PartNames(part, part_blobs(self._prefix, self._attempt, part))

    def url(self, blob: str) -> str:
        """With its signature: never log it."""
        try:
            return self._grants[blob].url.get_secret_value()
        except KeyError:
            raise NoGrant(f"There is no right to write {blob}.") from None

    def through_part(self) -> int:
        """The highest part that can be written now."""
        return max((part for part in self._known if self._holds(part)), default=0)

    def expire_at(self) -> datetime | None:
        """When the first grant runs out that is still of use: the recording's, an open part's or a later one's."""
        newest = max(self._in_use, default=0)
        parts = self._in_use | {part for part in self._known if part > newest and self._holds(part)}
        blobs = [*self.recording, *(blob for part in parts for blob in self.names(part).blobs)]
        return min((self._grants[blob].expires_at for blob in blobs if blob in self._grants), default=None)

    async def next_part(self, after: int, patience: float) -> PartNames:
        """The next part that may be written; waits for grants that are on their way, then raises NoGrant.

        Numbers may be left out: a recorder that was restarted is granted none of those that it has finished before.
        """
        try:
            async with asyncio.timeout(patience):
                while not (held := [part for part in self._known if part > after and self._holds(part)]):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise NoGrant(
                f"The orchestrator has not granted the right to write part {after + 1} within {patience:.0f} s."
            ) from None
        self._in_use.add(min(held))
        return self.names(min(held))

    def done_with(self, part: int) -> None:
        """Its grants need not be renewed any more."""
        self._in_use.discard(part)

    def _note_part(self, blob: str) -> None:
        part = re.fullmatch(rf"{re.escape(self._prefix)}/a{self._attempt}-p([0-9]+)\.mp4", blob)
        if part:
            self._known.add(int(part[1]))

    def _holds(self, part: int) -> bool:
        """Pictures are left out: without the right to write them, the part is recorded all the same."""
        now, names = self._clock.now(), self.names(part)
        held = [self._grants.get(blob) for blob in (names.media, names.index)]
        return all(grant is not None and grant.expires_at > now for grant in held)
