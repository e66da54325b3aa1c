"""Tells people what they asked to be told: each piece of news once to each target, tried again until it arrives."""

import asyncio
import secrets
from base64 import b64encode
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

import structlog
from wentlive_common.bus import EventBus
from wentlive_common.clock import Clock
from wentlive_common.errors import Conflict, InvalidInput, Permanent, Transient, WentliveError
from wentlive_common.events import (
    AnyEvent,
    BroadcastWentLive,
    CreatorRestricted,
    RecordingCompleted,
    RecordingFailed,
)
from wentlive_common.ids import new_ulid
from wentlive_common.lifecycle import wait_any

from wentlive_catalog.domain.creators import Creator, Notice
from wentlive_catalog.domain.library import RecordingFilter
from wentlive_catalog.domain.notices import (
    DELIVERIES,
    MOST_TARGETS,
    STALE,
    TARGETS,
    Delivery,
    News,
    NoSuchTarget,
    Target,
    TargetKind,
    claimed,
    delivered,
    delivery_of,
    failed,
    wants,
)
from wentlive_catalog.ports import CatalogStore
from wentlive_catalog.ports.notices import NewsCarrier

log = structlog.get_logger(__name__)

TOLD = (BroadcastWentLive, RecordingCompleted, RecordingFailed, CreatorRestricted)
PAGE = 200
AT_ONCE = 8
POLL_SECONDS = 5.0
KEPT = timedelta(days=30)
"""So long a delivery can be looked up, and is not made again."""
MOST_DAYS = 31


class TooManyTargets(InvalidInput):
    """You have as many targets as one person may have; remove one first."""


class Targets:
    """Where people are told: theirs alone."""

    def __init__(self, store: CatalogStore, carriers: Mapping[TargetKind, NewsCarrier], clock: Clock) -> None:
        self._targets = store.documents(TARGETS)
        self._deliveries = store.documents(DELIVERIES)
        self._carriers = carriers
        self._clock = clock

    async def of(self, username: str) -> Sequence[Target]:
        """Newest first."""
        return await self._targets.page(MOST_TARGETS, username=username)

    async def target(self, target_id: str, username: str) -> Target:
        """Raises NoSuchTarget, for somebody else's too."""
        found = await self._targets.get(target_id)
        if found is None or found.username != username:
            raise NoSuchTarget
        return found

    async def add(self, username: str, kind: TargetKind, url: str, wanted: Mapping[str, object]) -> Target:
        """A webhook gets a secret; raises InvalidInput for an address that cannot be one."""
        if len(await self.of(username)) >= MOST_TARGETS:
            raise TooManyTargets
        secret = f"whsec_{b64encode(secrets.token_bytes(32)).decode()}" if kind == "webhook" else ""
        facts = {
            "target_id": new_ulid(), "username": username, "kind": kind, "secret": secret,
            "url": await self._carriers[kind].check(url), "created_at": self._clock.now(),
        }  # fmt: skip
        return await self._targets.save(Target.model_validate(dict(wanted) | facts))

    async def change(self, target: Target, wanted: Mapping[str, object]) -> Target:
        changed = target.model_dump() | dict(wanted) | {"disabled_because": None}
        return await self._targets.save(Target.model_validate(changed))

    async def remove(self, target: Target) -> None:
        await self._targets.remove(target.target_id)
        await self._deliveries.remove_where(target_id=target.target_id)

    async def forget(self, username: str) -> None:
        """All of somebody who leaves."""
        await self._targets.remove_where(username=username)
        await self._deliveries.remove_where(username=username)

    async def deliveries(self, target: Target, limit: int) -> Sequence[Delivery]:
        """The latest first."""
        found = await self._deliveries.page(PAGE * AT_ONCE, target_id=target.target_id)
        return sorted(found, key=lambda delivery: delivery.at, reverse=True)[:limit]


class Notifications:
    """Makes deliveries of events, and carries them."""

    def __init__(
        self, store: CatalogStore, carriers: Mapping[TargetKind, NewsCarrier], clock: Clock, site: str | None
    ) -> None:
        self._store = store
        self._targets = store.documents(TARGETS)
        self._deliveries = store.documents(DELIVERIES)
        self._carriers = carriers
        self._clock = clock
        self._site = site
        self._made = asyncio.Event()

    async def subscribe(self, bus: EventBus) -> None:
        await bus.subscribe("catalog.notifications", TOLD, self.on_event)

    async def on_event(self, event: AnyEvent) -> None:
        if self._clock.now() - event.time > STALE:
            return
        match event.data:
            case BroadcastWentLive() as data:
                text = data.title or "A live began."
                await self._tell(data.creator_id, data.handle, "went_live", "is live", text, data.room_id, event.time)
            case RecordingCompleted() as data:
                text = f"{round(data.duration / 60)} min, {data.bytes / 2**20:.0f} MiB. {data.title}".strip()
                await self._tell_recording(data, "recording_finished", "was recorded", text, event.time)
            case RecordingFailed() as data:
                await self._tell_recording(data, "recording_failed", "could not be recorded", data.reason, event.time)
            case CreatorRestricted() as data:
                subject = f"{data.handle}/{data.reason}/{data.since.isoformat()}"
                text = f"TikTok does not show their lives: {data.reason.replace('_', ' ')}."
                await self._tell(data.creator_id, data.handle, "restricted", "is restricted", text, subject, event.time)
            case _:
                raise TypeError(f"catalog.notifications does not take {event.type}")

    async def _tell_recording(
        self, data: RecordingCompleted | RecordingFailed, topic: Notice, what: str, text: str, at: datetime
    ) -> None:
        await self._tell(
            data.creator_id, data.handle, topic, what, text, data.recording_id, at, recording_id=data.recording_id
        )  # fmt: skip

    async def _tell(
        self, creator_id: str | None, handle: str, topic: Notice, what: str, text: str, subject: str, at: datetime,
        *, recording_id: str | None = None,
    ) -> None:  # fmt: skip
        for creator in await self._creators(creator_id, handle):
            news = News(
                topic=topic, at=at, title=f"{creator.name} {what}", text=text, handle=creator.handle,
                recording_id=recording_id, url=self._link(recording_id),
            )  # fmt: skip
            for follower in creator.followers:
                for target in await self._targets.page(MOST_TARGETS, username=follower):
                    if wants(creator, follower, topic, target):
                        await self._make(target, news, subject)

    async def _creators(self, creator_id: str | None, handle: str) -> tuple[Creator, ...]:
        by_id = await self._store.creators_by_id(creator_id) if creator_id else ()
        named = await self._store.creator(handle)
        return by_id or ((named,) if named else ())

    def _link(self, recording_id: str | None) -> str | None:
        if self._site is None:
            return None
        return f"{self._site}/recordings/{recording_id}" if recording_id else f"{self._site}/"

    async def tell_budget(self, admins: Sequence[str], budget_usd: float) -> None:
        """Once a month, when recording has cost more than was planned."""
        now = self._clock.now()
        month = f"{now:%Y-%m}"
        days = await self._store.totals_by_day(RecordingFilter(place=None), MOST_DAYS)
        spent = sum(day.cost_usd for day in days if day.day.startswith(month))
        if spent < budget_usd:
            return
        text = f"Recording has cost an estimated ${spent:.2f} this month; planned were ${budget_usd:.2f}."
        news = News(topic="budget", at=now, title="The month's budget is used up", text=text, url=self._link(None))
        for username in admins:
            for target in await self._targets.page(MOST_TARGETS, username=username):
                if target.enabled and "budget" in target.topics:
                    await self._make(target, news, month)

    async def try_out(self, target: Target) -> None:
        """Tells it something now, quiet hours or not; raises what goes wrong."""
        now = self._clock.now()
        news = News(topic="went_live", at=now, title="Wentlive", text="This target works.", url=self._link(None))
        await self._carriers[target.kind].carry(delivery_of(target, news, new_ulid(), now), target)

    async def _make(self, target: Target, news: News, subject: str) -> None:
        with suppress(Conflict):  # it was told before
            await self._deliveries.save(delivery_of(target, news, subject, self._clock.now()))
            self._made.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Carries until `stop`; what waits then waits for the next start."""
        while not stop.is_set():
            self._made.clear()
            try:
                await self.carry_due()
            except WentliveError as error:
                log.warning("deliveries_wait", error=error.message)
            await wait_any(stop.wait(), self._made.wait(), self._clock.sleep(POLL_SECONDS))

    async def carry_due(self) -> int:
        """Everything whose time has come; says how many were tried."""
        tried, below = 0, None
        while page := await self._deliveries.page(PAGE, below, state="waiting"):
            below = page[-1].key
            due = [one for one in page if one.next_try_at <= self._clock.now()]
            for start in range(0, len(due), AT_ONCE):
                await asyncio.gather(*(self._carry(one) for one in due[start : start + AT_ONCE]))
            tried += len(due)
        return tried

    async def _carry(self, waiting: Delivery) -> None:
        try:
            mine = await self._deliveries.save(claimed(waiting, self._clock.now()))
        except Conflict:  # another catalog carries it
            return
        target = await self._targets.get(mine.target_id)
        if target is None or not target.enabled:
            await self._deliveries.remove(mine.key)
            return
        await self._note(await self._outcome(mine, target))

    async def _outcome(self, mine: Delivery, target: Target) -> Delivery:
        try:
            await self._carriers[target.kind].carry(mine, target)
        except Transient as error:
            return failed(mine, error.message, self._clock.now(), for_good=False)
        except Permanent as error:
            return failed(mine, error.message, self._clock.now(), for_good=True)
        return delivered(mine, self._clock.now())

    async def _note(self, delivery: Delivery) -> None:
        with suppress(Conflict):  # it was removed, or took so long that somebody else tried again
            await self._deliveries.save(delivery)
        log.info("news_carried", topic=delivery.news.topic, state=delivery.state, tries=delivery.tries)

    async def forget_old(self) -> None:
        await self._deliveries.remove_before(self._clock.now() - KEPT)
