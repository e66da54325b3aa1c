"""The leader's lease in SQLite: a row that is changed only as it was read."""

from wentlive_common.sqlite import SqliteDatabase

from wentlive_orchestrator.ports import Lease

LEASE_TABLE = (
    "CREATE TABLE lease (one INTEGER PRIMARY KEY CHECK (one = 1), holder TEXT NOT NULL, beat INTEGER NOT NULL)"
)


class SqliteLease:
    """`LeaseStore`."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database

    async def lease(self) -> Lease | None:
        row = await self._database.row("SELECT holder, beat FROM lease")
        return Lease(holder=row["holder"], beat=row["beat"]) if row else None

    async def swap_lease(self, before: Lease | None, after: Lease) -> bool:
        async with self._database.write() as connection:
            if before is None:
                cursor = await connection.execute(
                    "INSERT OR IGNORE INTO lease (one, holder, beat) VALUES (1, ?, ?)", (after.holder, after.beat)
                )
            else:
                cursor = await connection.execute(
                    "UPDATE lease SET holder = ?, beat = ? WHERE holder = ? AND beat = ?",
                    (after.holder, after.beat, before.holder, before.beat),
                )
            return cursor.rowcount == 1
