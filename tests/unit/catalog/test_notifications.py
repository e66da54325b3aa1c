"""Who is told what, once, when they want it; and what becomes of what cannot be told."""

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import httpx
import pytest
from pydantic import ValidationError
from wentlive_catalog.adapters.apprise_carrier import AppriseCarrier, InvalidTarget
from wentlive_catalog.adapters.sqlite_catalog import SqliteCatalog, open_sqlite_catalog
from wentlive_catalog.adapters.webhook_carrier import (
    ForbiddenHost,
    InvalidWebhook,
    WebhookCarrier,
    WebhookRefused,
    WebhookUnanswered,
    signed_headers,
)
from wentlive_catalog.domain.creators import Creator, Preference
from wentlive_catalog.domain.library import RecordingFilter
from wentlive_catalog.domain.notices import (
    BACKOFF,
    DELIVERIES,
    MOST_TARGETS,
    Delivery,
    News,
    QuietHours,
    Target,
    delivery_of,
)
from wentlive_catalog.domain.recordings import Bill, recorded
from wentlive_catalog.notifications import Notifications, Targets, TooManyTargets
from wentlive_catalog.testing import RecordingStory
from wentlive_common.clock import SystemClock
from wentlive_common.errors import Permanent, Transient
from wentlive_common.events import AnyEvent, BroadcastWentLive, RecordingData, new_event
from wentlive_common.ids import new_ulid

from .conftest import Catalog

NOW = datetime(2026, 11, 20, 20, 0, tzinfo=UTC)


class FixedClock(SystemClock):
    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> datetime:
        return self.at


class FakeCarrier:
    def __init__(self) -> None:
        self.carried: list[News] = []
        self.trouble: Exception | None = None

    async def check(self, url: str) -> str:
        return url

    async def carry(self, delivery: Delivery, target: Target) -> None:
        if self.trouble:
            raise self.trouble
        self.carried.append(delivery.news)


class Stage:
    def __init__(self, store: SqliteCatalog) -> None:
        self.store, self.clock, self.carrier = store, FixedClock(), FakeCarrier()
        carriers = {"webhook": self.carrier, "apprise": self.carrier}
        self.targets = Targets(store, carriers, self.clock)  # type: ignore[arg-type]
        self.news = Notifications(store, carriers, self.clock, "https://catalog.test")  # type: ignore[arg-type]

    async def follow(self, *followers: str, preferences: tuple[Preference, ...] = ()) -> None:
        await self.store.save_creator(
            Creator(handle="owl", creator_id="7", followers=followers, preferences=preferences)
        )  # fmt: skip

    async def target(self, username: str, **wanted: object) -> Target:
        return await self.targets.add(username, "webhook", "https://hooks.test/x", wanted)

    async def told(self, *events: AnyEvent) -> list[str]:
        for event in events:
            await self.news.on_event(event)
        await self.news.carry_due()
        return [news.topic for news in self.carrier.carried]

    async def states(self, target: Target) -> list[str]:
        return [delivery.state for delivery in await self.targets.deliveries(target, 10)]


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncGenerator[Stage]:
    async with open_sqlite_catalog(tmp_path / "catalog.db") as store:
        yield Stage(store)


def went_live(room: str = "8", at: datetime = NOW) -> AnyEvent:
    data = BroadcastWentLive(creator_id="7", room_id=room, handle="owl", sequence=1, at=at, title="ramen")
    return new_event(data, "watcher", time=at)


def story() -> RecordingStory:
    return RecordingStory("owl", "7", "8", NOW, title="ramen")


async def test_followers_are_told_once_however_often_it_is_heard(stage: Stage) -> None:
    await stage.follow("ann")
    mine, _ = await stage.target("ann"), await stage.target("bob")
    assert await stage.told(went_live(), went_live(at=NOW + timedelta(minutes=1)), went_live("9")) == ["went_live"] * 2
    assert await stage.states(mine) == ["delivered"] * 2
    assert stage.carrier.carried[0].title == "owl is live"
    assert stage.carrier.carried[0].url == "https://catalog.test/"


async def test_recordings_that_end_are_told_with_their_page(stage: Stage) -> None:
    await stage.follow("ann")
    await stage.target("ann")
    told = story()
    done = told.completed(NOW, size=2**30, duration=600)
    assert await stage.told(done) == ["recording_finished"]
    assert await stage.told(story().failed(NOW, "no stream")) == ["recording_finished", "recording_failed"]
    assert stage.carrier.carried[0].url == f"https://catalog.test/recordings/{told.recording_id}"
    assert stage.carrier.carried[0].text == "10 min, 1024 MiB. ramen"


async def test_only_what_is_wanted_of_this_creator_and_of_this_target(stage: Stage) -> None:
    await stage.follow("ann", "bob", preferences=(Preference(follower="bob", notices=("recording_failed",)),))
    await stage.target("ann", topics=("went_live",))
    await stage.target("bob", topics=("went_live",))
    await stage.target("ann", enabled=False)
    told = await stage.told(went_live(), story().failed(NOW, "no stream"))
    assert sorted(told) == ["recording_failed", "went_live"]


async def test_what_is_long_past_is_not_told(stage: Stage) -> None:
    await stage.follow("ann")
    await stage.target("ann")
    assert await stage.told(went_live(at=NOW - timedelta(hours=2))) == []


async def test_quiet_hours_hold_back_and_drop_that_somebody_is_live(stage: Stage) -> None:
    await stage.follow("ann")
    quiet = {"since": "19:00", "until": "21:00"}
    target = await stage.target("ann", quiet=quiet)
    assert await stage.told(went_live(), story().completed(NOW)) == []
    assert sorted(await stage.states(target)) == ["muted", "waiting"]
    stage.clock.at = NOW + timedelta(hours=1)
    assert await stage.told() == ["recording_finished"]


async def test_it_is_tried_again_with_longer_waits_and_given_up_at_last(stage: Stage) -> None:
    await stage.follow("ann")
    target = await stage.target("ann")
    stage.carrier.trouble = Transient("the receiver answered 503")
    await stage.told(went_live())
    for wait in BACKOFF:
        assert await stage.states(target) == ["waiting"]
        assert await stage.news.carry_due() == 0
        stage.clock.at += timedelta(seconds=wait)
        assert await stage.news.carry_due() == 1
    (log,) = await stage.targets.deliveries(target, 5)
    assert (log.state, log.tries, log.error) == ("failed", len(BACKOFF) + 1, "the receiver answered 503")


async def test_a_refusal_is_final_and_a_removed_target_is_told_nothing(stage: Stage) -> None:
    await stage.follow("ann")
    target = await stage.target("ann")
    stage.carrier.trouble = Permanent("404")
    await stage.told(went_live())
    assert await stage.states(target) == ["failed"]
    stage.carrier.trouble = None
    await stage.news.on_event(went_live("9"))
    await stage.targets.remove(target)
    assert await stage.told() == []
    assert await stage.store.documents(DELIVERIES).page(5) == []


async def test_who_carries_it_has_it_to_themselves(stage: Stage) -> None:
    await stage.follow("ann")
    await stage.target("ann")
    await stage.news.on_event(went_live())
    (waiting,) = await stage.store.documents(DELIVERIES).page(5)
    await stage.store.documents(DELIVERIES).save(waiting)
    await stage.news._carry(waiting)  # pyright: ignore[reportPrivateUsage]
    assert stage.carrier.carried == []


async def test_targets_are_bounded_and_private(stage: Stage) -> None:
    targets = [await stage.target("ann") for _ in range(MOST_TARGETS)]
    with pytest.raises(TooManyTargets):
        await stage.target("ann")
    assert "hooks" not in repr(targets[0])
    assert targets[0].secret not in repr(targets[0])
    await stage.targets.forget("ann")
    assert await stage.targets.of("ann") == []


async def test_admins_hear_once_a_month_that_the_budget_is_used_up(stage: Stage) -> None:
    event = story().requested()
    assert isinstance(event.data, RecordingData)
    bill = Bill(name="rec-1", attempt=1, cost_usd=3)
    await stage.store.save_recording(recorded(None, event.data).model_copy(update={"bills": (bill,)}))
    assert (await stage.store.totals(RecordingFilter())).cost_usd == 3
    await stage.target("admin")
    await stage.news.tell_budget(["admin"], 5.0)
    assert await stage.told() == []
    for _ in range(2):
        await stage.news.tell_budget(["admin"], 2.5)
    assert await stage.told() == ["budget"]


@pytest.mark.parametrize(
    ("since", "until", "at", "ends"),
    [
        ("22:00", "07:00", "23:30", "07:00+1"),
        ("22:00", "07:00", "06:59", "07:00"),
        ("22:00", "07:00", "07:00", None),
        ("12:00", "13:00", "12:00", "13:00"),
        ("12:00", "13:00", "11:59", None),
    ],
)
def test_quiet_hours(since: str, until: str, at: str, ends: str | None) -> None:
    quiet = QuietHours(since=time.fromisoformat(since), until=time.fromisoformat(until), zone="Europe/Berlin")
    now = datetime.fromisoformat(f"2026-11-20T{at}:00+01:00").astimezone(UTC)
    expected = None
    if ends:
        day = NOW + timedelta(days=ends.count("+1"))
        expected = datetime.fromisoformat(f"{day:%Y-%m-%d}T{ends[:5]}:00+01:00")
    assert quiet.ends_at(now) == expected
    with pytest.raises(ValidationError):
        QuietHours(since=time(1), until=time(2), zone="Nowhere/Never")


def webhooks(handler: httpx.MockTransport, *, private: bool = True) -> WebhookCarrier:
    return WebhookCarrier(httpx.AsyncClient(transport=handler), FixedClock(), private_networks=private)


def a_delivery(url: str) -> tuple[Delivery, Target]:
    secret = "whsec_" + base64.b64encode(b"k" * 32).decode()
    target = Target(target_id=new_ulid(), username="ann", kind="webhook", url=url, secret=secret, created_at=NOW)
    news = News(topic="went_live", at=NOW, title="Öwl is live", text="ramen")
    return delivery_of(target, news, "8", NOW), target


async def test_a_webhook_is_signed_and_sent_to_the_address_that_was_judged() -> None:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(204)

    delivery, target = a_delivery("http://127.0.0.1:8099/hook?x=1")
    await webhooks(httpx.MockTransport(handler)).carry(delivery, target)
    (request,) = seen
    signed = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + request.content
    expected = base64.b64encode(hmac.new(b"k" * 32, signed, hashlib.sha256).digest()).decode()
    assert request.headers["webhook-signature"] == f"v1,{expected}"
    assert request.headers["host"] == "127.0.0.1:8099"
    assert json.loads(request.content)["title"] == "Öwl is live"


@pytest.mark.parametrize(
    ("status", "error"),
    [(503, WebhookUnanswered), (429, WebhookUnanswered), (410, WebhookRefused), (302, WebhookRefused)],
)
async def test_answers_of_receivers(status: int, error: type[Exception]) -> None:
    delivery, target = a_delivery("http://127.0.0.1/hook")
    with pytest.raises(error):
        await webhooks(httpx.MockTransport(lambda _: httpx.Response(status))).carry(delivery, target)


@pytest.mark.parametrize(
    ("address", "private"),
    [
        ("http://127.0.0.1/", False), ("http://10.1.2.3/", False), ("http://[::1]/", False),
        ("http://[::ffff:127.0.0.1]/", False), ("http://169.254.169.254/metadata", True), ("http://0.0.0.0/", True),
    ],
)  # fmt: skip
async def test_webhooks_do_not_lead_inside(address: str, private: bool) -> None:
    delivery, target = a_delivery(address)
    with pytest.raises(ForbiddenHost):
        await webhooks(httpx.MockTransport(lambda _: httpx.Response(204)), private=private).carry(delivery, target)


@pytest.mark.parametrize("url", ["ftp://x/", "https://", "https://user:pass@host/", "not a url", "http://[::1"])
async def test_strange_webhooks_are_refused(url: str) -> None:
    with pytest.raises(InvalidWebhook):
        await webhooks(httpx.MockTransport(lambda _: httpx.Response(204))).check(url)


@pytest.mark.parametrize(
    "url", ["json://127.0.0.1", "https://example.com", "file:///etc/passwd", "dbus://", "x", "tgram://"]
)
async def test_strange_apprise_urls_are_refused(url: str) -> None:
    with pytest.raises(InvalidTarget):
        await AppriseCarrier().check(url)
    assert await AppriseCarrier().check("ntfy://ntfy.sh/topic") == "ntfy://ntfy.sh/topic"


def test_the_signature_is_that_of_the_specification() -> None:
    """The example of standardwebhooks.com."""
    body = b'{"test": 2432232314}'
    headers = signed_headers("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


async def test_targets_over_the_api_are_ones_own(catalog: Catalog) -> None:
    ann, bob = await catalog.person("ann"), await catalog.person("bob")
    body = {"kind": "webhook", "url": "https://hooks.test/secret-path?key=1", "label": "mine"}
    made = await ann.post("/api/v1/notifications/targets", json=body)
    assert made.status_code == 201, made.text
    assert made.json()["secret"].startswith("whsec_")
    listed = (await ann.get("/api/v1/notifications/targets")).json()["items"]
    assert [one["host"] for one in listed] == ["https://hooks.test"]
    assert "secret-path" not in made.text
    url = f"/api/v1/notifications/targets/{made.json()['target_id']}"
    assert (await ann.put(url, json={"label": "new", "topics": ["budget"]})).json()["topics"] == ["budget"]
    assert (await ann.get(f"{url}/deliveries")).json() == {"items": []}
    for answer in (await bob.put(url, json={}), await bob.delete(url), await bob.get(f"{url}/deliveries")):
        assert answer.status_code == 404
    assert (await bob.get("/api/v1/notifications/targets")).json() == {"items": []}
    assert (await ann.post("/api/v1/notifications/targets", json=body | {"url": "ftp://x"})).status_code == 422
    assert (await ann.delete(url)).status_code == 204
    viewer = await catalog.person("vic", "viewer")
    assert (await viewer.get("/api/v1/notifications/targets")).status_code == 403
    for client in (ann, bob, viewer):
        await client.aclose()
