"""The only place that puts a recorder together from settings, a job and the real adapters."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

from wentlive_common.clock import Clock, SystemClock
from wentlive_common.job import RecordingJob
from wentlive_tiktok.client import TikTokClient
from wentlive_tiktok.ports import LiveStatusSource

from wentlive_recorder.adapters.azure_blob_sink import azure_blob_sink
from wentlive_recorder.adapters.http_report_channel import http_report_channel
from wentlive_recorder.adapters.http_stream_source import http_stream_source
from wentlive_recorder.adapters.tiktok_http import lean_tiktok_http_client
from wentlive_recorder.buffer import Buffer
from wentlive_recorder.companions import Companions
from wentlive_recorder.grants import GrantBook
from wentlive_recorder.journal import Journal
from wentlive_recorder.manifest import ManifestKeeper, ManifestPlace
from wentlive_recorder.orders import Orders
from wentlive_recorder.part import PartOpener, Storage
from wentlive_recorder.part_writer import WriterLimits
from wentlive_recorder.patience import Patience
from wentlive_recorder.pictures.studio import Studio
from wentlive_recorder.ports import BlobSink, ReportChannel, StreamSource
from wentlive_recorder.progress import Progress
from wentlive_recorder.recorder import FinishLimits, Recorder
from wentlive_recorder.reports import Reporter
from wentlive_recorder.salvage import Salvage
from wentlive_recorder.salvager import Salvager
from wentlive_recorder.session import Session, World
from wentlive_recorder.settings import RecorderSettings

_STORAGE_TIMEOUTS = (10.0, 20.0)
_HURRIED_REPORT = 1.0
"""Seconds; with `stop_patience` it keeps a recorder that is told to stop below five."""


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
    salvage = Salvage(sink, Patience(settings.salvage_patience, clock), clock)
    salvager = Salvager(salvage, progress, clock, job.attempt, job.salvage, settings.quiet_before_salvage)
    studio = Studio(sink, grants.recording.preview)
    opener = PartOpener(_storage(settings, sink, grants, clock), studio, progress, clock, salvager.found)
    session = None
    if job.task == "record":
        session = Session(job, settings, World(tiktok, streams, opener, progress, orders, clock))
    reporter = Reporter(channel, progress, grants, orders, clock, settings.report_interval)
    limits = FinishLimits(
        settings.stop_patience, _HURRIED_REPORT, settings.final_report_patience, settings.salvage_patience
    )
    place = ManifestPlace(sink, grants.recording.manifest, grants.recording.log)
    companions = Companions(
        studio, ManifestKeeper(place, job, progress, clock), Journal(sink, grants.recording.log, clock)
    )
    return Recorder(session, salvager, opener, reporter, progress, orders, limits, companions)


def _storage(settings: RecorderSettings, sink: BlobSink, grants: GrantBook, clock: Clock) -> Storage:
    return Storage(
        sink,
        grants,
        WriterLimits(settings.commit_interval, settings.commit_bytes, settings.buffer_bytes),
        Buffer(settings.buffer_bytes, settings.buffer_memory, settings.hold_back, clock),
        Patience(settings.storage_patience, clock),
        settings.grant_patience,
    )


@asynccontextmanager
async def bootstrap(
    settings: RecorderSettings, job: RecordingJob, *, clock: Clock | None = None
) -> AsyncGenerator[Recorder]:
    clock = clock or SystemClock()
    grants = GrantBook(job.blob_prefix, job.attempt, clock, job.grants)
    async with AsyncExitStack() as stack:
        tiktok = await stack.enter_async_context(lean_tiktok_http_client())
        streams = await stack.enter_async_context(http_stream_source(settings.connect_timeout, settings.read_timeout))
        channel = http_report_channel(str(job.report_url), job.report_token, settings.report_timeout)
        sink = await stack.enter_async_context(azure_blob_sink(grants.url, *_STORAGE_TIMEOUTS))
        yield assemble(
            job,
            settings,
            tiktok=TikTokClient(tiktok, settings.tiktok_base_url),
            streams=streams,
            sink=sink,
            channel=await stack.enter_async_context(channel),
            grants=grants,
            clock=clock,
        )
