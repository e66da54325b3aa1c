"""What retention throws away and what it spares; the bin, and what is erased from it."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wentlive_catalog.adapters.sqlite_catalog import SqliteCatalog, open_sqlite_catalog
from wentlive_catalog.changes import Changes
from wentlive_catalog.domain.creators import Creator, CreatorSettings
from wentlive_catalog.domain.recordings import Recording, recorded, restored, with_pin
from wentlive_catalog.domain.retention import (
    RETENTION,
    Deciding,
    Outline,
    RetentionRule,
    RetentionSettings,
    lifecycle_policy,
)
from wentlive_catalog.retention import Retention
from wentlive_catalog.testing import InMemoryLibraryStorage, RecordingStory
from wentlive_common.clock import SystemClock
from wentlive_common.errors import Conflict, Transient
from wentlive_common.events import ContainerDeleted, RecordingData, new_event
from wentlive_common.ids import new_ulid

from .conftest import Catalog

NOW = datetime(2026, 11, 20, 20, 0, tzinfo=UTC)


class FixedClock(SystemClock):
    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at


class Stage:
    def __init__(self, store: SqliteCatalog) -> None:
        self.store, self.storage, self.clock = store, InMemoryLibraryStorage(), FixedClock(NOW)
        self.added = 0
        self.retention = Retention(store, self.storage, store.documents(RETENTION), Changes(), self.clock)

    async def add(self, days_ago: int, *, handle: str = "owl", size: int = 10, pinned: bool = False) -> Recording:
        at = NOW - timedelta(days=days_ago)
        self.added += 1
        # Ids that rise with each, even within one millisecond.
        story = RecordingStory(handle, "7", str(days_ago + 1), at, recording_id=f"{self.added:026d}")
        part = story.part(1, size=size, duration=1, fragments=1, closed=True)
        known: Recording | None = None
        for event in (story.part_closed(part), story.completed(at)):
            assert isinstance(event.data, RecordingData)
            known = recorded(known, event.data)
        assert known is not None
        self.storage.blobs[part.blob] = b"media"
        self.storage.blobs[f"{story.prefix}/recording.json"] = b"{}"
        return await self.store.save_recording(with_pin(known, pinned=pinned))

    async def rule(self, **limits: int) -> None:
        known = await self.retention.settings()
        await self.retention.change(known.model_copy(update={"rule": RetentionRule.model_validate(limits)}))

    async def due(self) -> dict[str, str]:
        return {one.recording_id: one.why for one in await self.retention.due()}


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncGenerator[Stage]:
    async with open_sqlite_catalog(tmp_path / "catalog.db") as store:
        yield Stage(store)


async def test_nothing_is_due_without_a_rule(stage: Stage) -> None:
    await stage.add(3000)
    assert await stage.due() == {}
    assert (await stage.retention.run()).binned == 0


async def test_each_limit_and_pins(stage: Stage) -> None:
    old, pinned, middle, new = [
        await stage.add(30), await stage.add(20, pinned=True), await stage.add(10), await stage.add(1)
    ]  # fmt: skip
    await stage.rule(max_age_days=15)
    assert await stage.due() == {old.recording_id: "age"}
    await stage.rule(max_count=1)
    assert await stage.due() == {old.recording_id: "count", middle.recording_id: "count"}
    await stage.rule(max_bytes=25)
    assert await stage.due() == {old.recording_id: "bytes"}
    assert pinned.recording_id not in await stage.due()
    assert new.recording_id not in await stage.due()


async def test_a_creators_own_rule_takes_the_place_of_the_others(stage: Stage) -> None:
    own = CreatorSettings(retention=RetentionRule(max_count=2))
    await stage.store.save_creator(Creator(handle="fox", settings=own))
    foxes = [await stage.add(n, handle="fox") for n in (5, 4, 3)]
    owls = [await stage.add(n) for n in (5, 4)]
    await stage.rule(max_count=1)
    assert await stage.due() == {foxes[0].recording_id: "count", owls[0].recording_id: "count"}


async def test_through_the_bin_and_out_of_storage(stage: Stage) -> None:
    gone, kept = await stage.add(30), await stage.add(1)
    await stage.rule(max_age_days=15)
    assert (await stage.retention.run()).model_dump() == {"binned": 1, "erased": 0, "blobs": 0}
    in_bin = await stage.store.recording(gone.recording_id)
    assert in_bin is not None
    assert in_bin.deleted_by == "retention"
    stage.clock.at += timedelta(days=6)
    assert (await stage.retention.run()).erased == 0
    stage.clock.at += timedelta(days=2)
    assert (await stage.retention.run()).model_dump() == {"binned": 0, "erased": 1, "blobs": 2}
    left = await stage.store.recording(gone.recording_id)
    assert left is not None
    assert (left.parts, left.leftover) == ((), None)
    assert set(stage.storage.blobs) == {kept.parts[0].report.blob, f"{kept.folder}/recording.json"}
    with pytest.raises(Conflict):
        await stage.store.save_recording(restored(in_bin))


async def test_what_storage_refused_to_delete_is_deleted_by_the_next_run(stage: Stage) -> None:
    gone = await stage.add(30)
    await stage.rule(max_age_days=15)
    await stage.retention.change((await stage.retention.settings()).model_copy(update={"bin_days": 0}))
    stage.storage.answers = False
    with pytest.raises(Transient):
        await stage.retention.run()
    stage.storage.answers = True
    assert (await stage.retention.run()).blobs == 2
    late = RecordingStory("owl", "7", "31", NOW, recording_id=gone.recording_id).requested()
    assert isinstance(late.data, RecordingData)
    left = await stage.store.recording(gone.recording_id)
    assert recorded(left, late.data) == left


outlines = st.builds(
    lambda handle, size, days: Outline(
        recording_id=new_ulid(), handle=handle, started_at=NOW - timedelta(days=days), ended_at=None, bytes=size
    ),
    st.sampled_from(("owl", "fox")), st.integers(0, 50), st.integers(0, 50),
)  # fmt: skip
limits = st.none() | st.integers(1, 60)


@given(st.lists(outlines, max_size=20), limits, limits, limits)
def test_what_is_kept_is_within_every_limit(found: list[Outline], days: int, count: int, size: int) -> None:
    rule = RetentionRule(max_age_days=days, max_count=count, max_bytes=size)
    deciding = Deciding(rule, {}, NOW)
    kept = [one for one in found if deciding.decide(one) is None]
    assert count is None or len(kept) <= count
    assert size is None or sum(one.bytes for one in kept) <= size
    assert all(days is None or NOW - one.started_at <= timedelta(days=days) for one in kept)


def test_the_lifecycle_policy_moves_media_only() -> None:
    assert lifecycle_policy("recordings", RetentionSettings()) == {"rules": []}
    (rule,) = lifecycle_policy("recordings", RetentionSettings(cool_after_days=30))["rules"]
    assert rule["definition"]["actions"]["baseBlob"] == {"tierToCool": {"daysAfterModificationGreaterThan": 30}}
    assert "recordings/7" in rule["definition"]["filters"]["prefixMatch"]


async def test_the_rule_over_the_api(catalog: Catalog) -> None:
    admin = await catalog.sign_in()
    before = await admin.get("/api/v1/retention")
    body = {"rule": {"max_age_days": 90}, "bin_days": 3, "cool_after_days": 30}
    changed = await admin.put("/api/v1/retention", json=body, headers={"if-match": before.headers["etag"]})
    assert changed.status_code == 200, changed.text
    stale = await admin.put("/api/v1/retention", json=body, headers={"if-match": before.headers["etag"]})
    assert stale.status_code == 412
    assert (await admin.get("/api/v1/retention/due")).json() == {"items": [], "bytes": 0, "more": False}
    assert (await admin.post("/api/v1/retention/run")).json() == {"binned": 0, "erased": 0, "blobs": 0}
    assert (await admin.get("/api/v1/retention/lifecycle-policy")).json()["rules"]
    member = await catalog.person("ann")
    assert (await member.get("/api/v1/retention")).json()["bin_days"] == 3
    for answer in (
        await member.put("/api/v1/retention", json=body), await member.get("/api/v1/retention/due"),
        await member.post("/api/v1/retention/run"),
    ):  # fmt: skip
        assert answer.status_code == 403
    await member.aclose()


async def test_what_containers_cost_is_counted_once(catalog: Catalog) -> None:
    story = RecordingStory("owl", "7", "8", NOW)
    await catalog.bus.publish(story.requested())
    await catalog.bus.drain()
    facts: dict[str, object] = {
        "recording_id": story.recording_id, "attempt": 1, "runtime": "aci", "name": "rec-1", "at": NOW,
        "vcpu_seconds": 60, "gb_seconds": 60, "estimated_cost_usd": 0.25,
    }  # fmt: skip
    for _ in range(2):
        await catalog.bus.publish(new_event(ContainerDeleted.model_validate(facts), "orchestrator", time=NOW))
    await catalog.bus.drain()
    admin = await catalog.sign_in()
    assert (await admin.get(f"/api/v1/recordings/{story.recording_id}")).json()["cost_usd"] == 0.25
    assert (await admin.get("/api/v1/stats/totals")).json()["everything"]["cost_usd"] == 0.25
