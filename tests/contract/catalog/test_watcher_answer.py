"""What the watcher writes is what the catalog reads: two services that never import each other."""

from datetime import UTC, datetime
from typing import get_args

import httpx
import pytest
from pydantic import SecretStr
from wentlive_catalog.adapters import http_link_resolver
from wentlive_catalog.adapters.http_watch_status import PATH, HttpWatchStatus
from wentlive_catalog.domain import watches
from wentlive_common.clock import SystemClock
from wentlive_watcher import link_page, status_page
from wentlive_watcher.domain import Restriction, WatchState
from wentlive_watcher.egress import EgressReport

AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def told(state: WatchState) -> status_page.WatchReport:
    return status_page.WatchReport(
        handle=state, current_handle="ann.new", creator_id="42", state=state, merged_into="ann", trouble="blocked: waf",
        restriction=Restriction(reason="age", since=AT), last_checked_at=AT, next_check_at=AT, interval_seconds=60.0,
        room_id="7001", evidence="<b>\x00é\U0001f600", evidence_at=AT, egress="direct",
    )  # fmt: skip


async def report_of(status: status_page.Status) -> watches.WatchReport | None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, text=status.model_dump_json()))
    async with httpx.AsyncClient(transport=transport) as http:
        source = HttpWatchStatus(http, "http://watcher.test", SecretStr("s3cret-token"), SystemClock())
        return await source.report([watch.handle for watch in status.watches])


async def test_every_state_and_field_is_understood() -> None:
    states: tuple[WatchState, ...] = get_args(WatchState)
    written = status_page.Status(taken_at=AT, watches=tuple(told(state) for state in states), next=None, egresses=())
    report = await report_of(written)
    assert report is not None
    assert set(report.watches) == set(get_args(watches.WatchState)) == set(states)
    for watch in written.watches:
        read = report.watches[watch.handle].model_dump()
        assert read == watch.model_dump(include=set(read))


@pytest.mark.parametrize("state", ["closed", "open", "half_open"])
async def test_every_state_of_an_egress_is_understood(state: str) -> None:
    facts = {"name": "direct", "state": state, "since": AT, "why": "waf", "retry_at": AT, "requests_per_second": 0.5}
    egress = EgressReport.model_validate(facts)
    status = status_page.Status(taken_at=AT, watches=(told("live"),), next=None, egresses=(egress,))
    report = await report_of(status)
    assert report is not None
    assert report.egresses[0].model_dump() == egress.model_dump(exclude={"requests_per_second"})


def test_it_asks_where_the_watcher_answers() -> None:
    assert PATH == status_page.PATH
    assert http_link_resolver.PATH == link_page.PATH
