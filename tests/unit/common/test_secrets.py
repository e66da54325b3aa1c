"""Secrets show in one place only: the JSON of a private channel."""

import json
import traceback
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError
from structlog.testing import capture_logs
from wentlive_common.bus.rabbit import RabbitBus
from wentlive_common.job import BlobGrant, RecordingJob, ReportAnswer
from wentlive_common.logging import MASK, redact, redact_secrets

SIGNATURE = "hunter2signature"
TOKEN = "hunter2token"

GRANT: dict[str, Any] = {
    "blob": "6789/2026/11/23/01m83jvz0hm2vdwkghjxgd5dgn/a1-p1.mp4",
    "url": f"https://account.blob.core.windows.net/recordings/a1-p1.mp4?sp=cw&sig={SIGNATURE}",
    "expires_at": "2026-11-23T07:53:03Z",
}
JOB: dict[str, Any] = {
    "recording_id": "01m83jvz0hm2vdwkghjxgd5dgn",
    "attempt": 1,
    "creator_id": "6789",
    "room_id": "7301",
    "handle": "nora",
    "blob_prefix": "6789/2026/11/23/01m83jvz0hm2vdwkghjxgd5dgn",
    "report_url": "http://127.0.0.1:8000/internal/v1/reports",
    "report_token": TOKEN,
    "grants": [GRANT],
}

MODELS = [
    RecordingJob.model_validate(JOB),
    BlobGrant.model_validate(GRANT),
    ReportAnswer.model_validate({"grants": [GRANT]}),
]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_a_model_does_not_show_its_secrets(model: RecordingJob | BlobGrant | ReportAnswer) -> None:
    shown = [repr(model), str(model), f"{model}", model.model_dump_json(), str(model.model_dump()), str(dict(model))]
    assert "hunter2" not in "".join(shown)


@pytest.mark.parametrize("model", [MODELS[0], MODELS[2]], ids=lambda model: type(model).__name__)
def test_the_private_channel_gets_them_in_clear(model: RecordingJob | ReportAnswer) -> None:
    body = model.to_secret_json()
    assert SIGNATURE in body.decode()
    assert type(model).model_validate_json(body) == model


def test_only_the_exact_context_reveals() -> None:
    for context in (None, {}, {"reveal_secrets": False}, {"reveal_secrets": "yes"}, True):
        assert "hunter2" not in MODELS[0].model_dump_json(context=context)


def test_a_rejected_job_does_not_show_its_token() -> None:
    with pytest.raises(ValidationError) as caught:
        RecordingJob.model_validate({**JOB, "handle": "NOT A HANDLE"})
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (f"GET https://x.blob/a.mp4?sp=r&sig={SIGNATURE}&se=1 403", "&se=1 403"),
        (f"https://pull.example/stream.flv?expire=1&sign={SIGNATURE}", "expire=1"),
        (f"Authorization: Bearer {TOKEN}", "Bearer"),
        (f"amqp://guest:{TOKEN}@127.0.0.1:5672/", "@127.0.0.1:5672/"),
        (f"DefaultEndpointsProtocol=http;AccountName=a;AccountKey={TOKEN}==;X=1", ";X=1"),
    ],
)
def test_texts_are_redacted(text: str, kept: str) -> None:
    shown = redact(text)
    assert "hunter2" not in shown
    assert MASK in shown
    assert kept in shown


def test_logged_values_are_redacted_by_key_and_by_content() -> None:
    event: dict[str, Any] = {
        "event": "part_uploaded",
        "job": json.loads(MODELS[0].to_secret_json()),
        "grants": [GRANT["url"], (GRANT["url"], {"sas": SIGNATURE})],
        "api_token": TOKEN,
        "body": f"sig=1?sig={SIGNATURE}".encode(),
        "error": RuntimeError(f"https://x/y?sig={SIGNATURE}"),
        "size": 7,
    }
    shown = redact_secrets(None, "info", event)
    assert "hunter2" not in str(shown)
    assert shown["event"] == "part_uploaded"
    assert shown["size"] == 7


def test_the_bus_does_not_show_its_password() -> None:
    with capture_logs() as logs:
        bus = RabbitBus(SecretStr(f"amqp://guest:{TOKEN}@127.0.0.1/"), "watcher")
    assert TOKEN not in repr(bus) + str(vars(bus)) + str(logs)
    assert TOKEN not in "".join(traceback.format_exception(ValueError(str(vars(bus)))))
