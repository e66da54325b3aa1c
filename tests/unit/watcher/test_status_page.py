"""The status endpoint lets nobody in but a service, and says just what the pages are built from."""

from datetime import timedelta

import httpx
import pytest
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from wentlive_common.errors import StoreUnavailable
from wentlive_tiktok.status import Blocked, Restricted, Unknown
from wentlive_tiktok.testing import FakeLiveStatusSource
from wentlive_watcher.bootstrap import always
from wentlive_watcher.decision import decide
from wentlive_watcher.domain import Follow
from wentlive_watcher.egress import Egress, Egresses
from wentlive_watcher.gauges import WatcherGauges
from wentlive_watcher.settings import WatcherSettings
from wentlive_watcher.status_page import status_routes

TOKEN = {"authorization": "Bearer s3cret"}


class Page:
    def __init__(self, store, clock):
        self.store = store
        self.clock = clock
        self.settings = WatcherSettings.model_validate({"store_url": "sqlite:///unused", "service_token": "s3cret"})
        gauges, source = WatcherGauges(CollectorRegistry()), always(FakeLiveStatusSource())
        (direct,) = self.settings.egresses
        self.egress = Egress("direct", self.settings.budget(direct), source, clock=clock, gauges=gauges)
        routes = status_routes(store, Egresses([self.egress]), self.settings, clock)
        self.transport = httpx.ASGITransport(Starlette(routes=routes))

    async def get(self, query="", headers=TOKEN):
        async with httpx.AsyncClient(transport=self.transport, base_url="http://watcher") as http:
            return await http.get(f"/internal/v1/watches{query}", headers=headers)

    async def watch(self, handle, *answers, **follow):
        await self.store.follow(Follow(handle=handle, **follow), self.clock.now(), self.clock.now())
        for answer in answers:
            lease = timedelta(seconds=30)
            (claim,) = await self.store.claim_due(self.clock.now(), lease, 1, "test", asked_for=True)
            decision = decide(claim.watch, answer, self.clock.now(), self.settings.policy)
            await self.store.save(claim, decision.watch, [])
            if answer is not answers[-1]:
                await self.store.expedite(handle, self.clock.now())


@pytest.fixture
def page(store, clock):
    return Page(store, clock)


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer wrong"}, {"authorization": "s3cret"}])
async def test_who_has_not_the_token_learns_nothing(page, headers):
    response = await page.get(headers=headers)
    assert response.status_code == 401
    assert response.headers["content-type"] == "application/problem+json"


async def test_without_a_token_there_is_no_such_page(store, clock):
    settings = WatcherSettings.model_validate({"store_url": "sqlite:///unused"})
    assert status_routes(store, Egresses([]), settings, clock) == []


async def test_a_live_creator(page, answers):
    await page.watch("ann", answers.live())
    response = await page.get("?handle=ann&handle=nobody")
    assert response.headers["cache-control"] == "no-store"
    body = response.json()
    assert body == {
        "taken_at": "2026-11-23T12:00:00.000Z",
        "watches": [
            {
                "handle": "ann",
                "current_handle": "ann",
                "creator_id": "42",
                "state": "live",
                "merged_into": None,
                "trouble": None,
                "restriction": None,
                "last_checked_at": "2026-11-23T12:00:00.000Z",
                "next_check_at": "2026-11-23T12:01:00.000Z",
                "interval_seconds": 60.0,
                "room_id": "7001",
                "evidence": None,
                "evidence_at": None,
                "egress": None,
            }
        ],
        "next": None,
        "egresses": [
            {
                "name": "direct",
                "state": "closed",
                "since": "2026-11-23T12:00:00.000Z",
                "why": None,
                "retry_at": None,
                "requests_per_second": 0.5,
            }
        ],
    }


async def test_why_it_is_restricted_or_blocked(page, answers):
    await page.watch("ann", Restricted(reason="private", profile=answers.profile()), Blocked(how="waf"))
    await page.watch("odd", Unknown(why="UpstreamChanged", evidence="<b>odd</b>"))
    for _ in range(2):
        page.egress.learn(Blocked(how="waf"), probe=False)
    body = (await page.get()).json()
    ann, odd = body["watches"]
    assert (ann["state"], ann["trouble"]) == ("restricted", "blocked: waf")
    assert ann["restriction"] == {"reason": "private", "since": "2026-11-23T12:00:00.000Z"}
    assert (odd["state"], odd["trouble"], odd["evidence"]) == ("new", "unknown: UpstreamChanged", "<b>odd</b>")
    (egress,) = body["egresses"]
    assert (egress["state"], egress["why"]) == ("open", "waf")
    assert "2026-11-23T12:01:00" <= egress["retry_at"] <= "2026-11-23T12:01:07"
    page.clock.advance(70)
    (egress,) = (await page.get()).json()["egresses"]
    assert (egress["state"], egress["retry_at"]) == ("half_open", None)


async def test_who_was_merged_says_with_whom(page):
    await page.watch("ann", creator_id="42")
    await page.watch("old.ann", creator_id="42")
    (old,) = (await page.get("?handle=old.ann")).json()["watches"]
    assert (old["state"], old["merged_into"], old["next_check_at"]) == ("merged", "ann", None)


async def test_pages(page):
    for handle in ("a", "b", "c"):
        await page.watch(handle)
    first = (await page.get("?limit=2")).json()
    assert ([w["handle"] for w in first["watches"]], first["next"]) == (["a", "b"], "b")
    rest = (await page.get(f"?limit=2&after={first['next']}")).json()
    assert ([w["handle"] for w in rest["watches"]], rest["next"]) == (["c"], None)


@pytest.mark.parametrize(
    "query",
    ["?limit=0", "?limit=many", "?limit=201", "?handle=A%20B", "?handle=", "?" + "&".join(["handle=a"] * 201)],
    ids=lambda query: query[:20],
)
async def test_what_makes_no_sense_is_refused(page, query):
    assert (await page.get(query)).status_code == 422


async def test_a_store_that_does_not_answer_is_said(page, monkeypatch):
    async def fail(*_arguments):
        raise StoreUnavailable

    monkeypatch.setattr(page.store, "list", fail)
    assert (await page.get()).status_code == 503
