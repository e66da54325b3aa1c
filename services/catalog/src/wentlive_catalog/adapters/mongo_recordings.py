"""Recordings in MongoDB: the model is the document, with its facts and its words inside to be found by.

The words are an index of our own instead of a text index: that knows whole words only, no beginnings, and one
language's endings; and so both databases find the same.
"""

import re
from collections.abc import AsyncGenerator, Sequence

from pymongo import ASCENDING, DESCENDING
from wentlive_common.errors import Conflict
from wentlive_common.events import AnyEvent
from wentlive_common.mongo import Database, Document, MongoIndex, mongo_errors

from wentlive_catalog.adapters.mongo_creators import save_versioned
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

FACTS = ("handle", "state", "bytes", "duration", "started_at", "words", "pinned", "touched", "place")
RECORDING_INDEXES = (
    *(MongoIndex(((f"facts.{fact}", ASCENDING), ("_id", ASCENDING))) for fact in FACTS),
    MongoIndex((("facts.form", ASCENDING),)),
    MongoIndex((("outbox.id", ASCENDING),)),
)
SUMS: Document = {
    "recordings": {"$sum": 1},
    "bytes": {"$sum": "$facts.bytes"},
    "duration": {"$sum": "$facts.duration"},
    "cost_usd": {"$sum": "$facts.cost"},
}
BODY = {"outbox": 0, "facts": 0}


class MongoRecordings:
    """`RecordingStore` over one database."""

    def __init__(self, database: Database) -> None:
        self._recordings = database["recordings"]
        self._followed = database["creators"]

    async def recording(self, recording_id: str) -> Recording | None:
        with mongo_errors():
            document = await self._recordings.find_one({"_id": recording_id}, BODY)
        return Recording.model_validate(document) if document else None

    async def recordings(
        self, wanted: RecordingFilter, limit: int, after: Position | None = None, order: RecordingOrder = "newest"
    ) -> RecordingPage:
        query = await self._query(wanted)
        by, falls = ORDERS[order]
        way = DESCENDING if falls else ASCENDING
        if after:
            query.append(_beyond(after, by, falls=falls))
        sorting = [("_id", way)] if by == "recording_id" else [(f"facts.{by}", way), ("_id", way)]
        with mongo_errors():
            cursor = self._recordings.find({"$and": query}, BODY).sort(sorting).limit(limit + 1)
            found = [Recording.model_validate(document) async for document in cursor]
        return page_of(found, limit, order)

    async def save_recording(self, recording: Recording, events: Sequence[AnyEvent] = ()) -> Recording:
        saved = recording.model_copy(update={"version": recording.version + 1})
        document = saved.model_dump(mode="python") | {"facts": _facts(saved)}
        await save_versioned(self._recordings, recording.recording_id, recording.version, document, events)
        return saved

    async def remove_recording(self, recording: Recording) -> None:
        key = {"_id": recording.recording_id, "version": recording.version}
        with mongo_errors():
            result = await self._recordings.delete_one(key)
        if result.deleted_count != 1:
            raise Conflict

    async def all_recordings(self) -> AsyncGenerator[Recording]:
        with mongo_errors():
            async for document in self._recordings.find({}, BODY).sort("_id", ASCENDING):
                yield Recording.model_validate(document)

    async def totals(self, wanted: RecordingFilter) -> Totals:
        found = await self._grouped(wanted, None)
        return Totals.model_validate(found[0]) if found else Totals()

    async def totals_by_day(self, wanted: RecordingFilter, limit: int) -> tuple[DayTotals, ...]:
        found = await self._grouped(wanted, "$facts.day", {"$sort": {"_id": DESCENDING}}, {"$limit": limit})
        return tuple(DayTotals.model_validate({**one, "day": one["_id"]}) for one in found)

    async def totals_by_creator(self, wanted: RecordingFilter, limit: int) -> tuple[CreatorTotals, ...]:
        sort = {"$sort": {"bytes": DESCENDING, "_id": ASCENDING}}
        found = await self._grouped(wanted, "$facts.handle", sort, {"$limit": limit})
        return tuple(CreatorTotals.model_validate({**one, "handle": one["_id"]}) for one in found)

    async def live_spans(self, wanted: RecordingFilter, limit: int) -> tuple[LiveSpan, ...]:
        query = {"$and": await self._query(wanted)}
        fields = {"facts.started_at": 1, "facts.ended_at": 1}
        with mongo_errors():
            cursor = self._recordings.find(query, fields)
            cursor = cursor.sort([("facts.started_at", DESCENDING), ("_id", DESCENDING)]).limit(limit)
            return tuple([LiveSpan.model_validate(document["facts"]) async for document in cursor])

    async def outlines(self, wanted: RecordingFilter, limit: int, below: str | None = None) -> tuple[Outline, ...]:
        query = [*await self._query(wanted), *([{"_id": {"$lt": below}}] if below else [])]
        fields = {f"facts.{fact}": 1 for fact in ("handle", "started_at", "ended_at", "bytes")}
        with mongo_errors():
            cursor = self._recordings.find({"$and": query}, fields).sort("_id", DESCENDING).limit(limit)
            found = await cursor.to_list()
        return tuple(Outline.model_validate({**one["facts"], "recording_id": one["_id"]}) for one in found)

    async def draw_facts(self) -> int:
        """Of recordings that have none of the present form; says how many."""
        drawn = 0
        with mongo_errors():
            async for document in self._recordings.find({"facts.form": {"$ne": FACTS_FORM}}, BODY):
                recording = Recording.model_validate(document)
                key = {"_id": recording.recording_id, "version": recording.version}
                # Who saves it meanwhile draws the facts as well.
                await self._recordings.update_one(key, {"$set": {"facts": _facts(recording)}})
                drawn += 1
        return drawn

    async def _grouped(self, wanted: RecordingFilter, by: str | None, *then: Document) -> list[Document]:
        stages = [{"$match": {"$and": await self._query(wanted)}}, {"$group": {"_id": by, **SUMS}}, *then]
        with mongo_errors():
            return await (await self._recordings.aggregate(stages)).to_list()

    async def _query(self, wanted: RecordingFilter) -> list[Document]:
        query = _clauses(wanted)
        if wanted.follower is not None:
            with mongo_errors():
                handles = await self._followed.distinct("_id", {"followers": {"$eq": wanted.follower}})
            query.append({"facts.handle": {"$in": handles}})
        return query


def _facts(recording: Recording) -> Document:
    return {"form": FACTS_FORM, **facts_of(recording).model_dump(mode="python", exclude={"recording_id"})}


def _clauses(wanted: RecordingFilter) -> list[Document]:
    clauses: list[Document] = [{}]
    for name, (fact, operator) in _COMPARED.items():
        value = getattr(wanted, name)
        if value is not None:
            clauses.append({f"facts.{fact}": {operator: value}})
    if wanted.states:
        clauses.append({"facts.state": {"$in": list(wanted.states)}})
    if wanted.text:
        words = wanted_words(wanted.text)
        clauses += [{"facts.words": {"$regex": f"^{re.escape(word)}"}} for word in words] or [{"_id": {"$in": []}}]
    return clauses


_COMPARED = {
    "place": ("place", "$eq"),
    "handle": ("handle", "$eq"),
    "since": ("started_at", "$gte"),
    "until": ("started_at", "$lt"),
    "min_duration": ("duration", "$gte"),
    "max_duration": ("duration", "$lte"),
    "min_bytes": ("bytes", "$gte"),
    "max_bytes": ("bytes", "$lte"),
    "pinned": ("pinned", "$eq"),
    "touched": ("touched", "$eq"),
}


def _beyond(after: Position, by: str, *, falls: bool) -> Document:
    sign = "$lt" if falls else "$gt"
    beyond = {"_id": {sign: after.recording_id}}
    if by == "recording_id":
        return beyond
    field = f"facts.{by}"
    return {"$or": [{field: {sign: after.value}}, {field: after.value, **beyond}]}
