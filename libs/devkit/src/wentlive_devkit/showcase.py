"""A catalog with a believable library in it, for tests of pages and for their pictures: no TikTok, no recorder."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from azure.storage.blob.aio import BlobServiceClient, ContainerClient
from pydantic import HttpUrl, SecretStr
from wentlive_catalog.bootstrap import CatalogApp, bootstrap
from wentlive_catalog.domain.watches import WatchStatus
from wentlive_catalog.settings import CatalogSettings
from wentlive_catalog.testing import FakeWatchStatus, RecordingStory
from wentlive_common.bus.memory import InMemoryBus
from wentlive_common.events import (
    AnyEvent,
    BroadcastWentLive,
    ContainerDeleted,
    CreatorProfileChanged,
    CreatorRestricted,
    new_event,
)
from wentlive_common.health import Health, health_app, serve_http

from wentlive_devkit.recorded import Sample, StoredPart, make_sample
from wentlive_devkit.servers import AzuriteServer

CONTAINER = "showcase"
CREATORS = {
    "night.owl": "Night Owl", "ramen_at_3am": "Ramen at 3 a.m.", "quietpiano": "Quiet Piano",
    "ana.abroad": "Ana Abroad", "bikes.and.rain": "Bikes and Rain", "adults.only": "The Late Show",
}  # fmt: skip
IDS = {handle: str(700 + number) for number, handle in enumerate(CREATORS)}
TITLES = (
    "late ramen, slow broth",
    "questions and answers",
    "Chopin until we sleep",
    "Lisbon by tram",
    "rainy ride home",
    "new recipe tonight",
    "request night",
    "packing for Porto",
    "chain, cassette, coffee",
    "the long one",
)
HUES = (0.6, 0.05, 0.33, 0.83, 0.5)


@dataclass
class Showcase:
    """What pages and their tests act on."""

    app: CatalogApp
    bus: InMemoryBus
    container: ContainerClient
    watches: FakeWatchStatus
    samples: list[Sample] = field(default_factory=list[Sample])
    stories: dict[str, RecordingStory] = field(default_factory=dict[str, RecordingStory])
    """One of each kind, by name: `live`, `finished`, `wide`, `failed`."""

    async def tell(self, *events: AnyEvent) -> None:
        for event in events:
            await self.bus.publish(event)
        await self.bus.drain()

    async def part(self, story: RecordingStory, sample: Sample, at: datetime, *, close: bool = True) -> StoredPart:
        stored = StoredPart(self.container, story.stem(1, 1), sample, at)
        await stored.open()
        await (stored.close() if close else stored.grow(2))
        return stored

    async def finished(self, handle: str, title: str, sample: Sample, at: datetime, seconds: float) -> RecordingStory:
        """A whole recording; it is told to have lasted `seconds`, whatever the sample lasts."""
        story = RecordingStory(handle, IDS[handle], str(at.timestamp())[:10], at, title=title)
        stored = await self.part(story, sample, at)
        report = story.part(
            1, size=int(seconds * 310_000), duration=seconds, fragments=stored.written, closed=True, opened_at=at,
            width=sample.width, height=sample.height,
        )  # fmt: skip
        ended = at + timedelta(seconds=seconds)
        await self.tell(story.requested(), story.started(), story.part_closed(report), story.completed(ended))
        bill = ContainerDeleted(
            recording_id=story.recording_id, attempt=1, runtime="aci", name=f"rec-{story.recording_id}", at=ended,
            vcpu_seconds=seconds, gb_seconds=seconds, estimated_cost_usd=round(seconds * 1.4e-5, 4),
        )  # fmt: skip
        await self.tell(new_event(bill, "orchestrator", time=ended))
        return story


@asynccontextmanager
async def showcase(
    azurite: AzuriteServer, folder: Path, admin_password: str | None = None
) -> AsyncGenerator[Showcase]:  # fmt: skip
    """Serving, and empty: `furnish` fills it. Without a password it waits to be set up."""
    bus, stop, watches = InMemoryBus(), asyncio.Event(), FakeWatchStatus()
    async with (
        serve_http(health_app(_well("watcher", "bus", "tiktok", "follows")), "127.0.0.1", 0) as watcher,
        serve_http(health_app(_well("orchestrator", "store", "bus", "storage")), "127.0.0.1", 0) as orchestrator,
        BlobServiceClient.from_connection_string(azurite.connection_string) as service,
    ):
        settings = CatalogSettings(
            port=0, store_url=SecretStr(f"sqlite://{folder}/catalog.db"),
            admin_password=SecretStr(admin_password) if admin_password else None,
            service_token=SecretStr("service-token"), storage_container=CONTAINER,
            storage_connection_string=SecretStr(azurite.connection_string),
            service_urls={
                "watcher": HttpUrl(f"http://127.0.0.1:{watcher}"),
                "orchestrator": HttpUrl(f"http://127.0.0.1:{orchestrator}"),
            },
        )  # fmt: skip
        async with bootstrap(settings, bus=bus, watches=watches) as app:
            container = service.get_container_client(CONTAINER)
            await container.create_container()
            running = asyncio.create_task(app.run(stop))
            await app.serving.wait()
            try:
                yield Showcase(app, bus, container, watches)
            finally:
                stop.set()
                await asyncio.wait_for(running, 10)
                await container.delete_container()
    await bus.close()


async def furnish(stage: Showcase, follower: str, now: datetime | None = None) -> None:
    """Creators, lives, a library of a month, a failure and a restriction."""
    now = now or datetime.now(UTC)
    stage.samples = [await asyncio.to_thread(make_sample, 4, hue=hue) for hue in HUES]
    wide = await asyncio.to_thread(make_sample, 4, hue=0.15, width=640, height=360)
    await _creators(stage, follower, now)
    for number, days in enumerate((27, 24, 22, 19, 16, 13, 11, 8, 6, 5, 4, 3, 2, 1)):
        handle = tuple(CREATORS)[number % 5]
        at = (now - timedelta(days=days)).replace(hour=(17 + number) % 24, minute=7 * number % 60)
        seconds = 420.0 + 1130 * (number * 7 % 9)
        sample = wide if number % 5 == 3 else stage.samples[number % 5]
        name = "wide" if sample is wide else "finished"
        stage.stories[name] = await stage.finished(handle, TITLES[number % len(TITLES)], sample, at, seconds)
    await _failure(stage, now)
    await _live(stage, now)


async def _creators(stage: Showcase, follower: str, now: datetime) -> None:
    for handle, name in CREATORS.items():
        await stage.app.context.follows.follow(handle, follower)
        profile = CreatorProfileChanged(
            handle=handle, creator_id=IDS[handle], nickname=name, follower_count=1000 * len(name) ** 2
        )
        await stage.tell(new_event(profile, "watcher", time=now))
        stage.watches.tell(
            WatchStatus(
                handle=handle, current_handle=handle, state="offline", last_checked_at=now,
                next_check_at=now + timedelta(minutes=4),
            )
        )  # fmt: skip
    restricted = CreatorRestricted(handle="adults.only", creator_id=IDS["adults.only"], reason="age", since=now)
    await stage.tell(new_event(restricted, "watcher", time=now + timedelta(seconds=1)))


async def _failure(stage: Showcase, now: datetime) -> None:
    at = now - timedelta(hours=5)
    story = RecordingStory("ana.abroad", IDS["ana.abroad"], "990", at, title="from the train")
    await stage.tell(
        story.requested(), story.started(), story.recovering("The stream was dropped."),
        story.failed(at + timedelta(minutes=3), "TikTok sent a page instead of video, three times in a row."),
    )  # fmt: skip
    stage.stories["failed"] = story


async def _live(stage: Showcase, now: datetime) -> None:
    lives: tuple[tuple[str, str, float], ...] = (
        ("night.owl", "late ramen, slow broth", 41),
        ("quietpiano", "requests open", 7),
    )
    for number, (handle, title, minutes) in enumerate(lives):
        at = now - timedelta(minutes=minutes)
        live = {"handle": handle, "creator_id": IDS[handle], "room_id": f"88{number}", "sequence": 1, "at": at}
        await stage.tell(new_event(BroadcastWentLive.model_validate(live), "watcher", time=at))
        story = RecordingStory(handle, IDS[handle], f"88{number}", at, title=title)
        stored = await stage.part(story, stage.samples[number * 2], at, close=False)
        report = story.part(
            1, size=int(minutes * 18_000_000), duration=60 * minutes, fragments=stored.written, opened_at=at
        )
        await stage.tell(story.requested(), story.started(), story.part_opened(report))
        stage.stories["live"] = story


def _well(service: str, *checks: str) -> Health:
    health = Health(service)
    for check in checks:
        health.add(check, _yes)
    return health


async def _yes() -> bool:
    return True
