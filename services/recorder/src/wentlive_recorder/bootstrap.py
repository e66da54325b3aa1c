"""The only place that puts a recorder together from settings, a job and the real adapters."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
from wentlive_common.clock import Clock, SystemClock
from wentlive_common.job import RecordingJob
from wentlive_tiktok.client import TikTokClient, tiktok_http_client
from wentlive_tiktok.ports import LiveStatusSource

from wentlive_recorder.adapters.azure_blob_sink import azure_blob_sink
from wentlive_recorder.adapters.http_report_channel import HttpReportChannel
from wentlive_recorder.adapters.http_stream_source import HttpStreamSource
from wentlive_recorder.grants import GrantBook
from wentlive_recorder.orders import Orders
from wentlive_recorder.part import PartOpener
from wentlive_recorder.part_writer import WriterLimits
from wentlive_recorder.ports import BlobSink, ReportChannel, StreamSource
from wentlive_recorder.progress import Progress
from wentlive_recorder.recorder import Recorder
from wentlive_recorder.reports import Reporter
from wentlive_recorder.session import Session, World
from wentlive_recorder.settings import RecorderSettings

_STORAGE_TIMEOUTS = (10.0, 20.0)


def assemble(
    job: RecordingJob,
    settings: RecorderSettings,
    *,
    tiktok: LiveStatusSource,
    streams: StreamSource,
    sink: BlobSink,
    channel: ReportChannel,
    grants: GrantBook,
    clock: Clock,
) -> Recorder:
    """A recorder over whichever adapters are given."""
    progress, orders = Progress(), Orders()
    limits = WriterLimits(
        settings.commit_interval, settings.commit_bytes, settings.buffer_bytes, settings.storage_patience
    )
    opener = PartOpener(sink, grants, progress, limits, settings.grant_patience, clock)
    session = Session(job, settings, World(tiktok, streams, opener, progress, orders, clock))
    reporter = Reporter(channel, progress, grants, orders, clock, settings.report_interval)
    return Recorder(session, reporter, progress, orders, settings.final_report_patience)


@asynccontextmanager
async def bootstrap(
    settings: RecorderSettings, job: RecordingJob, *, clock: Clock | None = None
) -> AsyncGenerator[Recorder]:
    clock = clock or SystemClock()
    grants = GrantBook(job.blob_prefix, job.attempt, clock, job.grants)
    timeout = httpx.Timeout(settings.read_timeout, connect=settings.connect_timeout)
    async with AsyncExitStack() as stack:
        tiktok = await stack.enter_async_context(tiktok_http_client())
        streams = await stack.enter_async_context(httpx.AsyncClient(timeout=timeout))
        reports = await stack.enter_async_context(httpx.AsyncClient(timeout=settings.report_timeout))
        sink = await stack.enter_async_context(azure_blob_sink(grants.url, *_STORAGE_TIMEOUTS))
        yield assemble(
            job,
            settings,
            tiktok=TikTokClient(tiktok, settings.tiktok_base_url),
            streams=HttpStreamSource(streams),
            sink=sink,
            channel=HttpReportChannel(reports, str(job.report_url), job.report_token),
            grants=grants,
            clock=clock,
        )
