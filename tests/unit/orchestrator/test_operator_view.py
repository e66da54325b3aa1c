"""What an operator is shown, and that nobody else is."""

import httpx
import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr
from starlette.applications import Starlette
from wentlive_common.ids import new_ulid
from wentlive_orchestrator.costs import BudgetLimits, CostMeter
from wentlive_orchestrator.domain import (
    Policy,
    attempt_name,
    on_attempt_lost,
    on_attempt_planned,
    on_attempt_started,
    on_report,
)
from wentlive_orchestrator.janitor import CleanUpReport, RegistryUsage
from wentlive_orchestrator.jobs import hash_token
from wentlive_orchestrator.ledger import RecordingLedger
from wentlive_orchestrator.metrics import OrchestratorMetrics
from wentlive_orchestrator.operator_view import OperatorView
from wentlive_orchestrator.ports import RuntimeHandle, RuntimeUnavailable
from wentlive_orchestrator.testing import FakeRuntime, InMemoryRecordings

TOKEN = SecretStr("an-operators-token")
POLICY = Policy()
STATE = {"runtime": "aci", "region": "eastus", "vcpu": 1.0, "memory_gb": 1.0, "priority": "regular"}


class Desk:
    def __init__(self, words):
        self.words = words
        self.store = InMemoryRecordings()
        self.ledger = RecordingLedger(self.store, words.clock, POLICY)
        self.runtime = FakeRuntime()
        self.metrics = OrchestratorMetrics(CollectorRegistry())
        self.undeletable = {}
        self.clean_up = None
        meter = CostMeter(self.store, self.ledger.prices, words.clock)
        limits = BudgetLimits(monthly_usd=50)
        self.view = OperatorView(self.ledger, self.runtime, meter, limits, self.undeletable, lambda: self.clean_up)
        app = Starlette(routes=self.view.routes(TOKEN))
        headers = {"authorization": f"Bearer {TOKEN.get_secret_value()}"}
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://o/internal/v1", headers=headers
        )

    async def get(self, path, status=200, **more):
        answer = await self.client.get(path, **more)
        assert answer.status_code == status, answer.text
        assert status != 200 or answer.headers["cache-control"] == "no-store"
        return answer.text if answer.headers["content-type"].startswith("text/plain") else answer.json()

    async def recording(self, room="42"):
        """One whose first recorder died and whose second one records."""
        recording = await self.ledger.went_live(self.words.live(room=room))

        async def change(decide):
            return await self.ledger.change(recording.recording_id, decide)

        token = hash_token("job-token")
        for number in (1, 2):
            await change(lambda r, now: on_attempt_planned(r, token, now, POLICY))
            await change(lambda r, now, n=number: on_attempt_started(r, n, STATE, now))
            if number == 1:
                await change(lambda r, now: on_attempt_lost(r, 1, "The recorder ended with code 137.", now, POLICY))
                self.words.clock.advance(5)
        report = self.words.report(1, "recording", self.words.part(duration=7.5))
        recording = await change(lambda r, now: on_report(r, 2, report, now, POLICY))
        name = attempt_name(recording.recording_id, 2)
        self.runtime.running[name] = RuntimeHandle(name=name, state=STATE)
        return recording


@pytest.fixture
async def desk(words):
    desk = Desk(words)
    async with desk.client:
        yield desk


ANY = "recordings/01kdv6k5000000000000000000"


@pytest.mark.parametrize("path", ["recordings", ANY, f"{ANY}/attempts/1/log", "containers", "costs", "registry"])
@pytest.mark.parametrize(
    "authorization", ["", "Bearer ", "Bearer wrong", "Basic x", f"bearer{TOKEN.get_secret_value()}"]
)
async def test_nobody_without_the_token_is_told_anything(desk, path, authorization):
    body = await desk.get(path, 401, headers={"authorization": authorization})
    assert body.keys() == {"type", "title", "status", "detail"}


def test_without_a_token_to_ask_for_there_is_nothing(desk):
    assert desk.view.routes(None) == []


async def test_a_recording_is_shown_with_its_attempts_and_their_last_errors(desk):
    recording = await desk.recording()
    desk.words.clock.advance(3600)
    shown = await desk.get(f"recordings/{recording.recording_id}")
    assert (shown["handle"], shown["state"]) == ("ann", "recording")
    first, second = shown["attempts"]
    assert (first["state"], first["reason"]) == ("lost", "The recorder ended with code 137.")
    assert (second["reported"], second["parts"], second["bytes"], second["media_seconds"]) == (
        "recording",
        1,
        1000,
        7.5,
    )
    assert second["runtime"]["region"] == "eastus"
    assert second["bill"]["usd"] == pytest.approx(0.0405 + 0.00445)
    assert hash_token("job-token") not in str(shown), "not even the hash of a job's token"
    [listed] = (await desk.get("recordings", params={"only": "unsettled"}))["recordings"]
    assert listed == shown


async def test_recordings_come_in_pages(desk):
    ids = sorted([(await desk.ledger.went_live(desk.words.live(room=str(n)))).recording_id for n in range(1, 6)])[::-1]
    page = await desk.get("recordings", params={"limit": 3})
    assert [recording["recording_id"] for recording in page["recordings"]] == ids[:3]
    rest = await desk.get("recordings", params={"limit": 3, "before": page["next"]})
    assert [recording["recording_id"] for recording in rest["recordings"]] == ids[3:]
    assert rest["next"] is None


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("recordings", {"limit": 0}),
        ("recordings", {"limit": 201}),
        ("recordings", {"only": "x"}),
        ("costs", {"month": "2026-13"}),
        ("costs", {"month": "x"}),
    ],
)
async def test_a_query_that_is_wrong_is_refused(desk, path, query):
    assert "The query is wrong" in (await desk.get(path, 422, params=query))["detail"]


async def test_a_log_is_shown_without_secrets(desk):
    recording = await desk.recording()
    name = attempt_name(recording.recording_id, 1)
    desk.runtime.logs[name] = "committed https://blobs.invalid/x.mp4?sv=1&sig=c2VjcmV0\nended\n"
    shown = await desk.get(f"recordings/{recording.recording_id}/attempts/1/log")
    assert shown.endswith("ended\n")
    assert "c2VjcmV0" not in shown
    assert await desk.get(f"recordings/{recording.recording_id}/attempts/2/log") == ""
    await desk.get(f"recordings/{recording.recording_id}/attempts/3/log", 404)
    await desk.get(f"recordings/{new_ulid()}/attempts/1/log", 404)


async def test_containers_are_shown_with_their_owners_and_what_resists(desk):
    recording = await desk.recording()
    stray = attempt_name(new_ulid(), 3)
    desk.runtime.running[stray] = RuntimeHandle(name=stray, state={"region": "westus"}, doomed="past its deadline")
    desk.undeletable[stray] = "Azure says no."
    shown = {container["name"]: container for container in (await desk.get("containers"))["containers"]}
    owned = shown[attempt_name(recording.recording_id, 2)]
    assert (owned["owned"], owned["recording_id"], owned["attempt"]) == (True, recording.recording_id, 2)
    assert (shown[stray]["owned"], shown[stray]["attempt"]) == (False, 3)
    assert (shown[stray]["doomed"], shown[stray]["undeletable"]) == ("past its deadline", "Azure says no.")


async def test_a_runtime_that_does_not_answer_is_said(desk, monkeypatch):
    async def fails():
        raise RuntimeUnavailable("Azure does not list them.")

    monkeypatch.setattr(desk.runtime, "list", fails)
    assert (await desk.get("containers", 503))["detail"] == "Azure does not list them."


async def test_costs_are_shown_with_limits_and_prices(desk):
    await desk.recording()
    desk.words.clock.advance(3600)
    month = f"{desk.ledger.now():%Y-%m}"
    # A recording's month is its identifier's, and that is made by the real clock.
    for path in ("costs", f"costs?month={month}"):
        shown = await desk.get(path)
        assert shown["costs"]["month"] == month
        assert shown["limits"] == {"monthly_usd": 50, "creator_monthly_usd": None}
        assert shown["prices"]["default"]["regular"] == {"vcpu": 0.0405, "gb": 0.00445}
        assert shown["prices"]["as_of"] == "2026-10-09"


async def test_the_last_clean_up_is_shown(desk):
    assert await desk.get("registry") == {"last": None}
    desk.clean_up = CleanUpReport(
        at=desk.ledger.now(), dry_run=True, in_use=(), repositories=(), freed_bytes=0, failure=None,
        usage=RegistryUsage(bytes=1, limit=2),
    )  # fmt: skip
    assert (await desk.get("registry"))["last"]["usage"] == {"bytes": 1, "limit": 2}
