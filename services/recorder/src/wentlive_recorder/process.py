"""What the recorder's process does: one job in by a private channel, exit 0 for every outcome that was handled."""

import asyncio
import sys

import structlog
from pydantic import ValidationError
from wentlive_common.entrypoint import read_settings
from wentlive_common.job import RecordingJob
from wentlive_common.lifecycle import stop_on_signals

from wentlive_recorder.bootstrap import bootstrap
from wentlive_recorder.memory import give_back
from wentlive_recorder.settings import RecorderSettings

JOB_UNREADABLE = "job_unreadable"
_LARGEST_JOB = 1024 * 1024
_UNREADABLE = 64


def read_job(settings: RecorderSettings) -> RecordingJob:
    """From the environment (a container's secure variable), else from standard input."""
    given = settings.job.get_secret_value() if settings.job else "-"
    return RecordingJob.model_validate_json(sys.stdin.buffer.read(_LARGEST_JOB) if given == "-" else given)


async def record(settings: RecorderSettings, job: RecordingJob) -> None:
    structlog.contextvars.bind_contextvars(recording_id=job.recording_id, attempt=job.attempt, creator=job.handle)
    async with bootstrap(settings, job) as recorder, stop_on_signals() as stop:
        give_back()
        await recorder.run(stop)


def run() -> None:
    settings = read_settings("recorder", RecorderSettings)
    try:
        job = read_job(settings)
    except ValidationError as error:
        # The input itself holds secrets, so only where it is wrong is told.
        places = [".".join(map(str, problem["loc"])) for problem in error.errors(include_input=False)]
        structlog.get_logger(__name__).error(JOB_UNREADABLE, places=places)
        sys.exit(_UNREADABLE)
    asyncio.run(record(settings, job))
