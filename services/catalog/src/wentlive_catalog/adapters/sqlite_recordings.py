"""Recordings in SQLite: the model's JSON, its facts in a narrow table, and its words in a full-text index."""

import json
from collections.abc import AsyncGenerator, Sequence

import aiosqlite
from wentlive_common.events import AnyEvent
from wentlive_common.model import to_rfc3339
from wentlive_common.sqlite import SqliteDatabase

from wentlive_catalog.adapters.sqlite_creators import write_one
from wentlive_catalog.domain.library import (
    FACTS_FORM,
    ORDERS,
    CreatorTotals,
    DayTotals,
    LiveSpan,
    Position,
    RecordingFilter,
    RecordingOrder,
    RecordingPage,
    Totals,
    facts_of,
    page_of,
)
from wentlive_catalog.domain.recordings import Recording
from wentlive_catalog.domain.retention import Outline
from wentlive_catalog.domain.words import wanted_words

# Only fixed clauses are joined into statements; every value is bound.
# ruff: noqa: S608

BATCH = 500
TOTALS = """count(*) AS recordings, ifnull(sum(bytes), 0) AS bytes, total(duration) AS duration,
    total(cost) AS cost_usd"""


class SqliteRecordings:
    """`RecordingStore` over one file."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database

    async def recording(self, recording_id: str) -> Recording | None:
        row = await self._database.row("SELECT body FROM recordings WHERE recording_id = ?", (recording_id,))
        return Recording.model_validate_json(row["body"]) if row else None

    async def recordings(
        self, wanted: RecordingFilter, limit: int, after: Position | None = None, order: RecordingOrder = "newest"
    ) -> RecordingPage:
        where, values = _where(wanted)
        by, falls = ORDERS[order]
        if after:
            clause, value = _beyond(after, by, falls=falls)
            where, values = f"{where} AND {clause}", values | value
        way = "DESC" if falls else "ASC"
        sorting = f"recording_id {way}" if by == "recording_id" else f"{by} {way}, recording_id {way}"
        # A cross join is SQLite's word for this order: choose among the facts, then fetch the few bodies.
        chosen = f"SELECT recording_id FROM recording_facts WHERE {where} ORDER BY {sorting} LIMIT :limit"
        sql = f"SELECT body FROM ({chosen}) CROSS JOIN recordings USING (recording_id)"
        rows = await self._database.rows(sql, values | {"limit": limit + 1})
        return page_of(_recordings(rows), limit, order)

    async def save_recording(self, recording: Recording, events: Sequence[AnyEvent] = ()) -> Recording:
        saved = recording.model_copy(update={"version": recording.version + 1})
        values = (saved.version, saved.model_dump_json(), saved.recording_id)
        async with self._database.write() as connection:
            if recording.version:
                sql = "UPDATE recordings SET version = ?, body = ? WHERE recording_id = ? AND version = ?"
                await write_one(connection, sql, (*values, recording.version))
            else:
                sql = "INSERT OR IGNORE INTO recordings (version, body, recording_id) VALUES (?, ?, ?)"
                await write_one(connection, sql, values)
            await _write_facts(connection, saved)
            await self._database.enqueue(events)
        return saved

    async def remove_recording(self, recording: Recording) -> None:
        async with self._database.write() as connection:
            sql = "DELETE FROM recordings WHERE recording_id = ? AND version = ?"
            await write_one(connection, sql, (recording.recording_id, recording.version))
            await connection.execute(
                "DELETE FROM recording_facts WHERE recording_id = ?", (recording.recording_id,)
            )  # fmt: skip

    async def all_recordings(self) -> AsyncGenerator[Recording]:
        last = ""
        sql = "SELECT body FROM recordings WHERE recording_id > ? ORDER BY recording_id LIMIT ?"
        while found := _recordings(await self._database.rows(sql, (last, BATCH))):
            for recording in found:
                yield recording
            last = found[-1].recording_id

    async def totals(self, wanted: RecordingFilter) -> Totals:
        where, values = _where(wanted)
        row = await self._database.row(f"SELECT {TOTALS} FROM recording_facts WHERE {where}", values)
        return Totals.model_validate(dict(row)) if row else Totals()

    async def totals_by_day(self, wanted: RecordingFilter, limit: int) -> tuple[DayTotals, ...]:
        where, values = _where(wanted)
        sql = f"SELECT day, {TOTALS} FROM recording_facts WHERE {where} GROUP BY day ORDER BY day DESC LIMIT :limit"
        rows = await self._database.rows(sql, values | {"limit": limit})
        return tuple(DayTotals.model_validate(dict(row)) for row in rows)

    async def totals_by_creator(self, wanted: RecordingFilter, limit: int) -> tuple[CreatorTotals, ...]:
        where, values = _where(wanted)
        sql = f"""SELECT handle, {TOTALS} FROM recording_facts WHERE {where} GROUP BY handle
            ORDER BY 3 DESC, handle LIMIT :limit"""
        rows = await self._database.rows(sql, values | {"limit": limit})
        return tuple(CreatorTotals.model_validate(dict(row)) for row in rows)

    async def live_spans(self, wanted: RecordingFilter, limit: int) -> tuple[LiveSpan, ...]:
        where, values = _where(wanted)
        sql = f"""SELECT started_at, ended_at FROM recording_facts WHERE {where}
            ORDER BY started_at DESC, recording_id DESC LIMIT :limit"""
        rows = await self._database.rows(sql, values | {"limit": limit})
        return tuple(LiveSpan.model_validate(dict(row)) for row in rows)

    async def outlines(self, wanted: RecordingFilter, limit: int, below: str | None = None) -> tuple[Outline, ...]:
        where, values = _where(wanted)
        sql = f"""SELECT recording_id, handle, started_at, ended_at, bytes FROM recording_facts
            WHERE {where} AND (:below IS NULL OR recording_id < :below) ORDER BY recording_id DESC LIMIT :limit"""
        rows = await self._database.rows(sql, values | {"below": below, "limit": limit})
        return tuple(Outline.model_validate(dict(row)) for row in rows)

    async def draw_facts(self) -> int:
        """Of recordings that have none of the present form; says how many."""
        sql = """SELECT body FROM recordings LEFT JOIN recording_facts USING (recording_id)
            WHERE form IS NOT ? ORDER BY recording_id LIMIT ?"""
        drawn = 0
        while rows := await self._database.rows(sql, (FACTS_FORM, BATCH)):
            async with self._database.write() as connection:
                for recording in _recordings(rows):
                    await _write_facts(connection, recording)
            drawn += len(rows)
        return drawn


def _recordings(rows: Sequence[aiosqlite.Row]) -> list[Recording]:
    return [Recording.model_validate_json(row["body"]) for row in rows]


async def _write_facts(connection: aiosqlite.Connection, recording: Recording) -> None:
    facts = facts_of(recording)
    values = facts.model_dump(mode="json") | {"form": FACTS_FORM, "words": " ".join(facts.words)}
    names = ", ".join(values)
    places = ", ".join(f":{name}" for name in values)
    changes = ", ".join(f"{name} = excluded.{name}" for name in values)
    sql = f"INSERT INTO recording_facts ({names}) VALUES ({places}) ON CONFLICT (recording_id) DO UPDATE SET {changes}"
    await connection.execute(sql, values)


def _where(wanted: RecordingFilter) -> tuple[str, dict[str, object]]:
    moments: dict[str, object] = {name: to_rfc3339(at) for name in ("since", "until") if (at := getattr(wanted, name))}
    values = wanted.model_dump(include=set(_COMPARED), exclude_none=True) | moments
    clauses = ["1", *(_COMPARED[name] for name in values)]
    # A plus keeps SQLite from choosing an index: most recordings are in the library, and most of them are completed.
    if wanted.place:
        clauses.append("+place = :place" if wanted.place == "library" else "place = :place")
        values["place"] = wanted.place
    if wanted.states:
        plus = "+" if "completed" in wanted.states else ""
        clauses.append(f"{plus}state IN (SELECT value FROM json_each(:states))")
        values["states"] = json.dumps(wanted.states)
    for mark in ("pinned", "touched"):
        if (marked := getattr(wanted, mark)) is not None:
            clauses.append(mark if marked else f"NOT {mark}")
    if wanted.text:
        words = wanted_words(wanted.text)
        found = "SELECT rowid FROM recording_words WHERE recording_words MATCH :match"
        # Again a plus: in the usual order a page is full long before every match of a common word is fetched.
        clauses.append(f"+id IN ({found})" if words else "0")
        values["match"] = " AND ".join(f'"{word}"*' for word in words)
    return " AND ".join(clauses), values


_COMPARED = {
    "handle": "handle = :handle",
    "since": "started_at >= :since",
    "until": "started_at < :until",
    "min_duration": "duration >= :min_duration",
    "max_duration": "duration <= :max_duration",
    "min_bytes": "bytes >= :min_bytes",
    "max_bytes": "bytes <= :max_bytes",
    "follower": "handle IN (SELECT handle FROM follows WHERE follower = :follower)",
}


def _beyond(after: Position, by: str, *, falls: bool) -> tuple[str, dict[str, object]]:
    sign = "<" if falls else ">"
    values: dict[str, object] = {"after_id": after.recording_id, "after_value": after.value}
    if by == "recording_id":
        return f"recording_id {sign} :after_id", values
    return f"({by}, recording_id) {sign} (:after_value, :after_id)", values
