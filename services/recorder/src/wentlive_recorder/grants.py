"""The recorder's rights to write: one URL a blob, renewed by the orchestrator's answers while it records."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from wentlive_common.clock import Clock
from wentlive_common.job import BlobGrant
from wentlive_common.model import part_name

from wentlive_recorder.errors import NoGrant


@dataclass(frozen=True, slots=True)
class PartNames:
    """A part's number and the blobs that belong to it."""

    number: int
    media: str
    index: str
    poster: str

    @property
    def blobs(self) -> tuple[str, str, str]:
        return self.media, self.index, self.poster


class GrantBook:
    """All grants received, the latest of each blob."""

    def __init__(self, prefix: str, attempt: int, clock: Clock, grants: Iterable[BlobGrant] = ()) -> None:
        self._prefix, self._attempt, self._clock = prefix, attempt, clock
        self._grants: dict[str, BlobGrant] = {}
        self._changed = asyncio.Event()
        self._current = 1
        self.merge(grants)

    def merge(self, grants: Iterable[BlobGrant]) -> None:
        for grant in grants:
            known = self._grants.get(grant.blob)
            if known is None or known.expires_at <= grant.expires_at:
                self._grants[grant.blob] = grant
        self._changed.set()

    def names(self, part: int) -> PartNames:
        stem = f"{self._prefix}/{part_name(self._attempt, part)}"
        return PartNames(part, f"{stem}.mp4", f"{stem}.index", f"{stem}.jpg")

    def url(self, blob: str) -> str:
        """With its signature: never log it."""
        try:
            return self._grants[blob].url.get_secret_value()
        except KeyError:
            raise NoGrant(f"There is no right to write {blob}.") from None

    def through_part(self) -> int:
        """The highest part that can be written now."""
        return max((part for part in range(1, len(self._grants) + 1) if self._holds(part)), default=0)

    def expire_at(self) -> datetime | None:
        """When the first grant runs out that is still of use: the current part's or a later one's."""
        parts = range(self._current, self.through_part() + 1)
        blobs = [blob for part in parts for blob in self.names(part).blobs]
        return min((self._grants[blob].expires_at for blob in blobs if blob in self._grants), default=None)

    async def part(self, number: int, patience: float) -> PartNames:
        """The names of a part that may be written; waits for grants that are on their way, then raises NoGrant."""
        try:
            async with asyncio.timeout(patience):
                while not self._holds(number):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise NoGrant(
                f"The orchestrator has not granted the right to write part {number} within {patience:.0f} s."
            ) from None
        self._current = number
        return self.names(number)

    def _holds(self, part: int) -> bool:
        now = self._clock.now()
        held = [self._grants.get(blob) for blob in self.names(part).blobs]
        return all(grant is not None and grant.expires_at > now for grant in held)
