"""All that a recorder is ever given: the right to write its own blobs for a while, and a token for its own reports."""

import base64
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from azure.storage.blob.aio import BlobServiceClient
from pydantic import SecretStr
from wentlive_common.ids import new_ulid
from wentlive_common.job import RecordingJob
from wentlive_orchestrator.aci_settings import AciSettings
from wentlive_orchestrator.adapters.aci_group import group_for
from wentlive_orchestrator.adapters.azure_blob_grants import AzureBlobGrants
from wentlive_orchestrator.domain import Attempt, open_recording
from wentlive_orchestrator.jobs import JobOffice, hash_token
from wentlive_orchestrator.ports import AttemptSpec

KEY = base64.b64encode(b"the account's own key").decode()
LIFETIME = 4 * 3600.0
DIGEST = "0" * 64
FIELDS = {
    "recording_id", "attempt", "creator_id", "room_id", "handle", "blob_prefix", "report_url", "report_token", "grants",
    # The manifest tells these of the recording; whoever watches it sees them too.
    "title", "live_started_at", "detected_at",
    # What to do: which of the streams to read, and which of this recording's parts to close.
    "quality", "task", "salvage",
}  # fmt: skip
MOST = {
    ".mp4": {"r", "c", "w"}, ".json": {"r", "c", "w"}, ".index": {"r", "c", "w", "a"}, ".log": {"r", "c", "w", "a"},
    ".jpg": {"c", "w"}, ".vtt": {"c", "w"},
}  # fmt: skip
"""Read is for what has to be compared or closed (ADR 5), and for no picture. None may delete, list or tag."""
ALL_ATTEMPTS = ("recording.json", "preview.jpg")


@pytest.fixture
async def office(clock):
    account = "AccountName=wentlive;EndpointSuffix=core.windows.net"
    service = BlobServiceClient.from_connection_string(f"DefaultEndpointsProtocol=https;{account};AccountKey={KEY}")
    yield JobOffice(AzureBlobGrants(service, SecretStr(KEY), "recordings", clock), LIFETIME, clock)
    await service.close()


@pytest.fixture
def attempt(clock):
    return Attempt(number=2, name="rec-x-2", token_hash=hash_token("the-job-token"), created_at=clock.now())


@pytest.fixture
def recording(words, attempt):
    recording = open_recording(new_ulid(), words.live()).recording
    return recording.model_copy(update={"attempts": (attempt.model_copy(update={"number": 1}), attempt)})


@pytest.fixture
async def job(office, recording, attempt):
    return await office.job(recording, attempt, "the-job-token", "https://orchestrator.example")


def signature(grant):
    return {name: values[0] for name, values in parse_qs(urlsplit(grant.url.get_secret_value()).query).items()}


def check_grants(grants, recording, clock, left_open=()):
    for grant in grants:
        url, signed = urlsplit(grant.url.get_secret_value()), signature(grant)
        assert (url.scheme, url.netloc) == ("https", "wentlive.blob.core.windows.net")
        assert unquote(url.path) == f"/recordings/{grant.blob}"
        folder, _, name = grant.blob.rpartition("/")
        assert folder == recording.blob_prefix, "its own recording's"
        stem = name.partition(".")[0]
        assert stem.startswith("a2-p") or name in ("a2.log", *ALL_ATTEMPTS) or stem in left_open
        assert signed["sr"] == "b", "one blob; not a container, nor a folder"
        assert signed["spr"] == "https"
        suffix = "." + grant.blob.rpartition(".")[2]
        assert set(signed["sp"]) <= MOST[suffix]
        assert not signed.keys() & {"ss", "srt", "si", "sdd"}, "nothing for the account, nothing by a stored policy"
        ends = datetime.strptime(signed["se"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        assert ends == grant.expires_at <= clock.now() + timedelta(seconds=LIFETIME)


async def test_a_job_holds_grants_for_its_own_blobs_and_a_token_and_nothing_else(job, recording, clock):
    assert RecordingJob.model_fields.keys() == FIELDS, "whoever adds to the job says here why a recorder may know it"
    check_grants(job.grants, recording, clock)
    assert len(job.grants) == 4 * 5 + 3
    assert str(job.report_url).endswith(f"/v1/recordings/{recording.recording_id}/attempts/2/reports")
    assert hash_token(job.report_token.get_secret_value()) == recording.attempts[1].token_hash
    written = job.to_secret_json().decode()
    for secret in (KEY, "AccountKey", "amqp", "mongodb", "sqlite", recording.attempts[1].token_hash):
        assert secret not in written


async def test_a_salvage_reads_and_closes_what_was_left_open_and_nothing_else(office, recording, words, clock):
    first, second = recording.attempts
    lost = first.model_copy(update={"state": "lost", "parts": (words.part(1), words.part(2, state="closed"))})
    recording = recording.model_copy(update={"attempts": (lost, second)})
    salvage = second.model_copy(update={"task": "salvage"})
    job = await office.job(recording, salvage, "the-job-token", "https://orchestrator.example")
    check_grants(job.grants, recording, clock, left_open=("a1-p1",))
    about = {grant.blob.rpartition("/")[2] for grant in job.grants}
    assert about == {"a1-p1.mp4", "a1-p1.index", "a2.log", *ALL_ATTEMPTS}


def test_a_job_shows_no_secret_where_it_may_be_seen(job):
    for shown in (repr(job), str(job.model_dump()), job.model_dump_json()):
        assert "the-job-token" not in shown
        assert "sig=" not in shown


async def test_grants_are_renewed_through_the_reports_when_half_their_time_is_over(
    office, recording, attempt, job, words, clock
):
    def report(grants):
        first = min(grant.expires_at for grant in grants)
        return words.report(1, "recording", granted_through_part=4, grants_expire_at=first)

    assert await office.top_up(recording, attempt, report(job.grants)) == ()
    clock.advance(LIFETIME / 2 + 1)
    renewed = await office.top_up(recording, attempt, report(job.grants))
    check_grants(renewed, recording, clock)
    assert {grant.blob for grant in renewed} >= {g.blob for g in job.grants if "-p1." in g.blob}
    assert min(grant.expires_at for grant in renewed) > max(grant.expires_at for grant in job.grants)
    assert await office.top_up(recording, attempt, report(renewed)) == ()


async def test_a_container_group_shows_none_of_it(job, recording, clock):
    settings = AciSettings.model_validate(
        {"subscription_id": "s", "resource_group": "r", "regions": ["eastus"], "image": f"x.io/r@sha256:{DIGEST}"}
    )
    spec = AttemptSpec(name="rec-x-2", recording_id=recording.recording_id, number=2)
    proxy = {"WENTLIVE_RECORDER_PROXY": "http://user:password@proxy.example"}
    group = group_for(settings, "eastus", spec, job, proxy, clock.now())
    variables = group.containers[0].environment_variables or []
    assert {variable.name for variable in variables} == {"WENTLIVE_RECORDER_JOB", "WENTLIVE_RECORDER_PROXY"}
    assert all(variable.value is None and variable.secure_value for variable in variables)
    for variable in variables:
        variable.secure_value = None
    assert "the-job-token" not in str(group.serialize())
    assert "sig=" not in str(group.serialize())
