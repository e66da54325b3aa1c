"""The recorders' HTTP channel: who may report, what is answered, what is refused and how."""

import httpx
import pytest
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from wentlive_common.errors import Conflict
from wentlive_common.ids import new_ulid
from wentlive_common.job import PartReport, Report, Salvaged
from wentlive_orchestrator.domain import (
    Policy,
    on_attempt_lost,
    on_attempt_planned,
    on_broadcast_ended,
    on_stop_requested,
)
from wentlive_orchestrator.finishing import FinishRequests
from wentlive_orchestrator.jobs import JobOffice, hash_token
from wentlive_orchestrator.ledger import RecordingLedger
from wentlive_orchestrator.metrics import OrchestratorMetrics
from wentlive_orchestrator.reports import ReportDesk
from wentlive_orchestrator.testing import FakeGrants, InMemoryRecordings

TOKEN = "the-job-token"
POLICY = Policy()


class Channel:
    def __init__(self, clock):
        self.store = InMemoryRecordings()
        self.ledger = RecordingLedger(self.store, clock, POLICY)
        jobs = JobOffice(FakeGrants(clock.now), 3600, clock)
        metrics = OrchestratorMetrics(CollectorRegistry())
        self.finishing = FinishRequests()
        app = Starlette(routes=ReportDesk(self.ledger, jobs, metrics.reports, self.finishing).routes())
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://o")

    async def change(self, decide):
        self.recording = await self.ledger.change(self.recording.recording_id, decide)

    async def post(self, report: Report | bytes, token=TOKEN, path=None):
        path = path or f"/v1/recordings/{self.recording.recording_id}/attempts/1/reports"
        headers = {"authorization": f"Bearer {token}"} if token else {}
        body = report if isinstance(report, bytes) else self._of_this_job(report).model_dump_json().encode()
        return await self.client.post(path, content=body, headers=headers)

    def _of_this_job(self, report: Report) -> Report:
        """The report with its parts' blobs named as the job's grants are."""

        def named(part: PartReport) -> PartReport:
            stem = f"{self.recording.blob_prefix}/a1-p{part.part}"
            names = {"blob": f"{stem}.mp4", "index_blob": f"{stem}.index"}
            return part if "/" in part.blob + part.index_blob else part.model_copy(update=names)

        return report.model_copy(update={"parts": tuple(named(part) for part in report.parts)})


@pytest.fixture
async def channel(clock, words):
    channel = Channel(clock)
    channel.recording = await channel.ledger.went_live(words.live())
    await channel.change(lambda r, now: on_attempt_planned(r, hash_token(TOKEN), now, POLICY))
    async with channel.client:
        yield channel


async def test_a_report_is_kept_and_answered(channel, words):
    answer = await channel.post(words.report(1, "recording", words.part(), granted_through_part=4))
    assert answer.status_code == 200
    assert answer.json() == {"command": "continue", "grants": []}
    recording = await channel.store.get(channel.recording.recording_id)
    assert recording.state == "recording"
    assert recording.committed_parts[0].bytes == 1000


async def test_a_recorder_that_runs_short_of_grants_gets_the_next(channel, words):
    answer = await channel.post(words.report(1, "recording", words.part(3), granted_through_part=4))
    stems = [grant["blob"].rpartition("/")[2] for grant in answer.json()["grants"]]
    assert [stem for stem in stems if stem.endswith((".mp4", ".index"))] == [
        "a1-p5.mp4", "a1-p5.index", "a1-p6.mp4", "a1-p6.index",
    ]  # fmt: skip
    assert {"a1-p6.jpg", "a1-p6.storyboard.vtt", "recording.json", "a1.log"} <= set(stems)
    assert "sig=fake" in answer.json()["grants"][0]["url"], "the private channel shows them in clear"


async def test_grants_are_renewed_when_half_of_their_time_is_over(channel, words, clock):
    soon = clock.now().replace(minute=20)
    report = words.report(
        1, "recording", words.part(1, "closed"), words.part(2), granted_through_part=5, grants_expire_at=soon
    )
    grants = (await channel.post(report)).json()["grants"]
    assert [grant["blob"].rpartition("/")[2] for grant in grants if grant["blob"].endswith("mp4")] == [
        "a1-p2.mp4", "a1-p3.mp4", "a1-p4.mp4", "a1-p5.mp4",
    ]  # fmt: skip


async def test_grants_at_once_are_bounded_whatever_is_reported(channel, words):
    answer = await channel.post(words.report(1, "recording", words.part(1), words.part(90_000)))
    assert len(answer.json()["grants"]) <= 16 * 5 + 3


async def test_it_is_told_to_finish_and_to_leave(channel, words):
    await channel.change(lambda r, now: on_stop_requested(r, now, POLICY))
    assert (await channel.post(words.report(1))).json()["command"] == "finish"


async def test_a_lost_attempt_is_told_to_leave_while_the_recording_goes_on(channel, words):
    await channel.change(lambda r, now: on_attempt_lost(r, 1, "silent", now, POLICY))
    answer = await channel.post(words.report(1, "recording", words.part()))
    assert (answer.status_code, answer.json()) == (200, {"command": "abandon", "grants": []})
    assert (await channel.store.get(channel.recording.recording_id)).committed_parts


async def test_what_is_over_is_a_conflict(channel, words):
    await channel.change(lambda r, now: on_stop_requested(r, now, POLICY))
    done = words.report(1, "done", outcome="stopped")
    assert (await channel.post(done)).status_code == 200
    assert (await channel.post(done)).status_code == 200, "a last report whose answer was lost"
    refused = await channel.post(words.report(2))
    assert refused.status_code == 409
    assert refused.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("token", [None, "wrong", TOKEN + "x", "é"])
async def test_without_the_jobs_own_token_it_is_refused(channel, words, token):
    if token == "é":
        path = f"/v1/recordings/{channel.recording.recording_id}/attempts/1/reports"
        answer = await channel.client.post(path, headers={b"authorization": "Bearer é".encode()})
    else:
        answer = await channel.post(words.report(1), token=token)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert TOKEN not in answer.text


@pytest.mark.parametrize("path", ["/v1/recordings/{}/attempts/2/reports", "/v1/recordings/{}/attempts/0/reports"])
async def test_an_attempt_that_is_not_there(channel, words, path):
    assert (await channel.post(words.report(1), path=path.format(channel.recording.recording_id))).status_code == 404


async def test_a_recording_that_is_not_there(channel, words):
    answer = await channel.post(words.report(1), path=f"/v1/recordings/{new_ulid()}/attempts/1/reports")
    assert answer.status_code == 404


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b"{}", b"\xff", b'{"sequence": 0}', b'{"sequence":1,"at":"x","state":"asleep"}']
)
async def test_what_is_no_report_is_refused_by_field_without_quoting_it(channel, body):
    answer = await channel.post(body)
    assert answer.status_code == 422
    assert answer.json()["title"]
    assert "asleep" not in answer.text


async def test_a_body_that_is_too_long_is_refused(channel):
    assert (await channel.post(b" " * (256 * 1024 + 1))).status_code == 422


async def test_racing_writers_are_retried(channel, words):
    save, races = channel.store.save, []

    async def contended(recording, events):
        if len(races) < 3:
            races.append(1)
            raise Conflict
        return await save(recording, events)

    channel.store.save = contended
    assert (await channel.post(words.report(1))).status_code == 200


async def test_endless_races_are_busy_not_a_reason_to_leave(channel, words):
    async def contended(recording, events):
        raise Conflict

    channel.store.save = contended
    assert (await channel.post(words.report(1))).status_code == 503


async def test_a_reason_is_freed_of_signatures_before_anybody_reads_it(channel, words):
    await channel.change(lambda r, now: on_broadcast_ended(r, words.ended(), now, POLICY))
    reason = "403 from https://blobs.invalid/x.mp4?sv=1&sig=topsecret"
    await channel.post(words.report(1, "done", outcome="failed", reason=reason))
    recording = await channel.store.get(channel.recording.recording_id)
    assert "403 from https://blobs.invalid/x.mp4" in recording.failure
    assert "topsecret" not in recording.model_dump_json()


async def test_a_salvaged_part_is_kept_and_a_foreign_one_refused(channel, words):
    stem = f"{channel.recording.blob_prefix}/a1-p1"
    own = words.part().model_copy(update={"blob": f"{stem}.mp4", "index_blob": f"{stem}.index"})
    await channel.post(words.report(1, "recording", own))
    await channel.change(lambda r, now: on_broadcast_ended(r, words.ended(), now, POLICY))
    await channel.change(lambda r, now: on_attempt_lost(r, 1, "it died", now, POLICY))
    await channel.change(lambda r, now: on_attempt_planned(r, hash_token(TOKEN), now, POLICY))
    path = f"/v1/recordings/{channel.recording.recording_id}/attempts/2/reports"
    closed = own.model_copy(update={"state": "closed", "bytes": 2000})
    for wrong in ({"part": 2}, {"attempt": 2}, {"report": closed.model_copy(update={"blob": "8/x/a1-p1.mp4"})}):
        foreign = Salvaged(attempt=1, part=1, report=closed).model_copy(update=wrong)
        assert (await channel.post(words.report(1, "finishing", salvaged=(foreign,)), path=path)).status_code == 422
    report = words.report(2, "finishing", salvaged=(Salvaged(attempt=1, part=1, report=closed),))
    assert (await channel.post(report, path=path)).json()["command"] == "continue"
    recording = await channel.store.get(channel.recording.recording_id)
    assert [(part.state, part.bytes) for part in recording.committed_parts] == [("closed", 2000)]


async def test_why_a_part_stays_open_is_freed_of_signatures(channel, words):
    stem = f"{channel.recording.blob_prefix}/a1-p1"
    own = words.part().model_copy(update={"blob": f"{stem}.mp4", "index_blob": f"{stem}.index"})
    await channel.post(words.report(1, "recording", own))
    await channel.change(lambda r, now: on_broadcast_ended(r, words.ended(), now, POLICY))
    await channel.change(lambda r, now: on_attempt_lost(r, 1, "it died", now, POLICY))
    await channel.change(lambda r, now: on_attempt_planned(r, hash_token(TOKEN), now, POLICY))
    hopeless = Salvaged(attempt=1, part=1, problem="403 from https://blobs.invalid/x.mp4?sv=1&sig=topsecret")
    path = f"/v1/recordings/{channel.recording.recording_id}/attempts/2/reports"
    assert (await channel.post(words.report(1, "recording", salvaged=(hopeless,)), path=path)).status_code == 200
    recording = await channel.store.get(channel.recording.recording_id)
    assert recording.attempts[0].lost_causes
    assert "topsecret" not in recording.model_dump_json()


@pytest.mark.parametrize("field", ["blob", "index_blob", "poster_blob", "storyboard_blob", "preview_blob"])
@pytest.mark.parametrize("name", ["8/2026/05/01/01arz3ndektsv4rrffq69g5fav/a1-p1.mp4", "../x.mp4", "{}/a2-p1.mp4"])
async def test_a_report_cannot_name_a_blob_that_is_not_its_own(channel, words, field, name):
    stem = f"{channel.recording.blob_prefix}/a1-p1"
    own = words.part().model_copy(update={"blob": f"{stem}.mp4", "index_blob": f"{stem}.index"})
    foreign = own.model_copy(update={field: name.format(channel.recording.blob_prefix)})
    answer = await channel.post(words.report(1, "recording", foreign))
    assert answer.status_code == 422
    recording = await channel.store.get(channel.recording.recording_id)
    assert recording.committed_parts == ()
    assert (await channel.post(words.report(1, "recording", own))).status_code == 200


async def test_a_recorder_that_no_signal_reaches_is_told_to_finish(channel, words):
    name = channel.recording.attempts[0].name
    assert (await channel.post(words.report(1, "recording", words.part()))).json()["command"] == "continue"
    channel.finishing.ask(name)
    assert (await channel.post(words.report(2, "recording", words.part()))).json()["command"] == "finish"
    channel.finishing.forget(name)
    assert (await channel.post(words.report(3, "recording", words.part()))).json()["command"] == "continue"
