"""Many saves in one SQLite transaction: a commit costs more than what is committed."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass

from wentlive_common.errors import WentliveError
from wentlive_common.events import AnyEvent
from wentlive_common.sqlite import SqliteDatabase

from wentlive_watcher.domain import Watch
from wentlive_watcher.ports import Claim, ClaimLost, SameCreator

MAX_BATCH = 500


@dataclass
class _Save:
    claim: Claim
    watch: Watch
    events: Sequence[AnyEvent]
    over: bool = False
    error: Exception | None = None


class SqliteSaves:
    """Whoever comes while others are written waits its turn, and then writes for all who wait."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database
        self._waiting: list[_Save] = []
        self._turn = asyncio.Lock()

    async def save(self, claim: Claim, watch: Watch, events: Sequence[AnyEvent]) -> None:
        """Returns once it is committed."""
        own = _Save(claim, watch, events)
        self._waiting.append(own)
        async with self._turn:
            while not own.over:
                await self._write_waiting()
        if own.error:
            raise own.error

    async def _write_waiting(self) -> None:
        batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
        try:
            await self._write(batch)
        except asyncio.CancelledError:
            # On behalf of one: the others write themselves.
            self._waiting = batch + self._waiting
            raise
        except Exception as error:
            # Whatever it was, nothing was written, and each is told so.
            for save in batch:
                save.error = error
        for save in batch:
            save.over = True

    async def _write(self, batch: list[_Save]) -> None:
        async with self._database.write() as connection:
            # A row that would have the creator of another is left as it is.
            rows = await connection.execute_fetchall(
                """UPDATE OR IGNORE watches
                SET body = json_set(saved.value ->> 2, '$.wishes', json(coalesce(body -> '$.wishes', '{}'))),
                claim = NULL, claimed_by = NULL, leased_until = '', asked_at = NULL
                FROM json_each(?) AS saved
                WHERE handle = saved.value ->> 0 AND claim = saved.value ->> 1
                RETURNING handle""",
                (json.dumps([[s.claim.watch.handle, s.claim.token, s.watch.model_dump_json()] for s in batch]),),
            )
            written = {str(row["handle"]) for row in rows}
            events = [event for save in batch if save.claim.watch.handle in written for event in save.events]
            if events:
                await self._database.enqueue(events)
            for save in batch:
                if save.claim.watch.handle not in written:
                    save.error = await self._why_not(save)

    async def _why_not(self, save: _Save) -> WentliveError:
        held = await self._database.row(
            "SELECT 1 FROM watches WHERE handle = ? AND claim = ?", (save.claim.watch.handle, save.claim.token)
        )
        return SameCreator() if held else ClaimLost()
