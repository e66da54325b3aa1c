"""The page for pasted links lets nobody in but a service, asks within the budget, and says what is wrong in words."""

import httpx
import pytest
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from wentlive_tiktok.links import LinkLeadsElsewhere, LinkUnresolved
from wentlive_tiktok.status import Blocked
from wentlive_tiktok.testing import FakeLiveStatusSource
from wentlive_watcher.bootstrap import always
from wentlive_watcher.egress import Egress, Egresses
from wentlive_watcher.gauges import WatcherGauges
from wentlive_watcher.link_page import MAX_BODY, MAX_TEXT_CHARS, PATH, link_routes
from wentlive_watcher.settings import WatcherSettings

SHORT = "https://vm.tiktok.com/ZM123/"


class Page:
    def __init__(self, clock):
        self.tiktok = FakeLiveStatusSource()
        settings = WatcherSettings.model_validate({"store_url": "sqlite:///unused", "service_token": "s3cret"})
        (direct,) = settings.egresses
        gauges = WatcherGauges(CollectorRegistry())
        self.egress = Egress("direct", settings.budget(direct), always(self.tiktok), clock=clock, gauges=gauges)
        routes = link_routes(Egresses([self.egress]), settings.service_token)
        self.transport = httpx.ASGITransport(Starlette(routes=routes))

    async def post(self, text=SHORT, token="s3cret", **kwargs):
        headers = {"authorization": f"Bearer {token}"}
        body = kwargs or {"json": {"text": text}}
        async with httpx.AsyncClient(transport=self.transport, base_url="http://watcher") as http:
            return await http.post(PATH, headers=headers, **body)


@pytest.fixture
def page(clock):
    return Page(clock)


async def test_a_share_link_is_followed_to_its_creator(page):
    page.tiktok.links[SHORT] = "ann"
    answer = await page.post()
    assert (answer.status_code, answer.json()) == (200, {"handle": "ann"})
    assert answer.headers["cache-control"] == "no-store"


async def test_who_has_not_the_token_learns_nothing(page):
    assert (await page.post(token="wrong")).status_code == 401
    assert link_routes(Egresses([]), None) == []


@pytest.mark.parametrize(
    ("why", "status"), [(LinkLeadsElsewhere(), 422), (LinkUnresolved(), 503)], ids=["elsewhere", "unresolved"]
)
async def test_what_is_wrong_is_said_in_words(page, why, status):
    page.tiktok.links[SHORT] = why
    answer = await page.post()
    assert (answer.status_code, answer.json()["title"]) == (status, why.message)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nonsense",
        b'{"text": 5}',
        b"[" * 5000,
        b"x" * (MAX_BODY * 2),
        b'{"text":"' + b"x" * MAX_TEXT_CHARS + b'x"}',
    ],
)
async def test_what_is_no_query_is_refused(page, body):
    assert (await page.post(content=body)).status_code == 422


async def test_links_are_looked_up_within_the_budget_of_what_people_ask(page, clock):
    page.tiktok.links[SHORT] = "ann"
    codes = [(await page.post()).status_code for _ in range(20)]
    assert codes[0] == 200
    assert codes[-1] == 503
    clock.advance(60)
    assert (await page.post()).status_code == 200


async def test_a_refusal_that_a_link_meets_counts_like_any_other(page):
    page.tiktok.links[SHORT] = LinkUnresolved(Blocked(how="rate_limited"))
    assert (await page.post()).status_code == 503
    assert (page.egress.report().state, page.egress.why) == ("open", "rate_limited")


async def test_what_a_link_cannot_tell_says_nothing_about_the_address(page, clock):
    for why in (LinkUnresolved(), LinkLeadsElsewhere(), LinkUnresolved(), LinkLeadsElsewhere()):
        page.tiktok.links[SHORT] = why
        await page.post()
        clock.advance(60)
    assert page.egress.report().state == "closed"


async def test_nothing_is_asked_over_an_egress_that_rests(page):
    page.tiktok.links[SHORT] = "ann"
    page.egress.learn(Blocked(how="rate_limited"), probe=False)
    answer = await page.post()
    assert answer.status_code == 503
    assert "Try again later" in answer.json()["title"]
