"""Real streams, damaged at random, through the whole recorder: never a hang, a crash, or a file that lies."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from io import BytesIO
from itertools import pairwise
from typing import Any

import av
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wentlive_common.clock import SystemClock
from wentlive_common.fragment_index import FragmentIndex, read_index
from wentlive_common.ids import new_ulid
from wentlive_common.job import BlobGrant, RecordingJob
from wentlive_common.model import part_name
from wentlive_devkit.media_check import top_level_boxes
from wentlive_devkit.rig.film import watch
from wentlive_devkit.tiktok.clip import Clip, ClipPlan, encode
from wentlive_devkit.tiktok.playout import Playout
from wentlive_devkit.tiktok.scenario import AAC_FRAME, SAMPLE_RATE, MediaScript
from wentlive_devkit.tiktok.twists import FormatTurn
from wentlive_recorder.bootstrap import assemble
from wentlive_recorder.grants import GrantBook
from wentlive_recorder.session import Verdict
from wentlive_recorder.settings import RecorderSettings
from wentlive_recorder.testing import FakeReportChannel, FakeStreamSource, InMemoryBlobSink, ScriptedStream
from wentlive_tiktok.status import Live, Offline, Profile, Room
from wentlive_tiktok.streams import StreamCandidate
from wentlive_tiktok.testing import FakeLiveStatusSource

MEDIA = MediaScript(width=64, height=96, fps=12, gop_s=1, loop_s=8, bitrate=50_000)
URL = "http://cdn/main.flv"
PREFIX = "42/2026/11/23/x"
PROFILE = Profile(creator_id="42", handle="ada", nickname="Ada")
HURRIED: dict[str, Any] = {
    "commit_interval": 0.2, "end_confirmation": 0.0, "longest_backoff": 0.01, "report_interval": 0.05,
    "final_report_patience": 0.5, "storage_patience": 0.5, "grant_patience": 0.3, "reconnect_rounds": 2,
}  # fmt: skip
relaxed = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)


def clip(**media: Any) -> Clip:
    plan = ClipPlan(media=MEDIA.model_copy(update=media), colours=("#fe2c55", "#25f4ee"), tone_hz=440)
    return encode(plan, lambda: False)


def flv(playout: Playout) -> bytes:
    end = playout.first_after(6000)
    return playout.opening(0, audio_only=False) + playout.tags(0, end, audio_only=False)


class Original:
    """A stream as it would be without a mishap; its name is all that a failing example shows of it."""

    def __init__(self, name: str, data: bytes) -> None:
        self.name, self.data = name, data

    def __repr__(self) -> str:
        return self.name


@pytest.fixture(scope="module")
def originals() -> tuple[Original, ...]:
    """H.264; one that turns from upright to landscape; H.265 as enhanced FLV and under the legacy id."""
    upright, turn = clip(), FormatTurn(at_s=3, width=96, height=64)
    turned = Playout(upright, 7000, (turn,), [clip(width=96, height=64)])
    others = {codec: Playout(clip(codec=codec), 7000) for codec in ("hevc", "hevc_legacy")}
    playouts = {"h264": Playout(upright, 7000), "turned": turned, **others}
    return tuple(Original(name, flv(playout)) for name, playout in playouts.items())


def tags(stream: bytes) -> list[bytes]:
    """The file header, then every tag with its back pointer."""
    cuts = [0, 13]
    while cuts[-1] < len(stream):
        cuts.append(cuts[-1] + 15 + int.from_bytes(stream[cuts[-1] + 1 : cuts[-1] + 4], "big"))
    return [stream[start:end] for start, end in pairwise(cuts)]


class Recording:
    """The recorder over fakes, on one connection that brings `data` and then ends."""

    def __init__(self, data: bytes) -> None:
        self.sink = InMemoryBlobSink()
        self._data = data

    async def _run(self) -> Verdict:
        tiktok, source, clock = FakeLiveStatusSource(), FakeStreamSource(chunk=3000), SystemClock()
        stream = StreamCandidate(url=URL, protocol="flv", quality="origin", level=10, codec="h264")
        live = Live(room=Room(room_id="7001"), profile=PROFILE, streams=(stream,))
        tiktok.script("ada", live, Offline(profile=PROFILE))
        source.script(URL, ScriptedStream(self._data))
        job = RecordingJob.model_validate(
            {
                "recording_id": new_ulid(), "attempt": 1, "creator_id": "42", "room_id": "7001", "handle": "ada",
                "blob_prefix": PREFIX, "report_url": "http://o/report", "report_token": "t", "grants": _grants(),
            }
        )  # fmt: skip
        recorder = assemble(
            job, RecorderSettings(**HURRIED), tiktok=tiktok, streams=source, sink=self.sink,
            channel=FakeReportChannel(), grants=GrantBook(PREFIX, 1, clock, job.grants), clock=clock,
        )  # fmt: skip
        async with asyncio.timeout(20):
            return await recorder.run(asyncio.Event())

    def run(self) -> Verdict:
        return asyncio.run(self._run())

    def parts(self) -> list[tuple[FragmentIndex, bytes]]:
        """Index and media of each part that has any."""
        found: list[tuple[FragmentIndex, bytes]] = []
        for name, blob in sorted(self.sink.blobs.items()):
            if name.endswith(".mp4") and blob.data:
                found.append((read_index(self.sink.blobs[name.replace(".mp4", ".index")].data), blob.data))
        return found


def _grants() -> tuple[BlobGrant, ...]:
    stems = [f"{PREFIX}/{part_name(1, part)}" for part in range(1, 41)]
    expires_at = datetime.now(UTC) + timedelta(hours=1)
    return tuple(
        BlobGrant.model_validate({"blob": f"{stem}.{kind}", "url": "http://b?sig=x", "expires_at": expires_at})
        for stem in stems
        for kind in ("mp4", "index", "jpg")
    )


def check(recording: Recording, read: Callable[[bytes], Sequence[float]]) -> list[float]:
    """That the verdict is one, and what claims to be whole is; the seconds of each part."""
    verdict = recording.run()
    assert "broke" not in (verdict.reason or ""), verdict.reason
    seconds: list[float] = []
    for index, media in recording.parts():
        assert index.closed
        kinds = [kind for kind, _ in top_level_boxes(media)]
        assert (kinds.count("moov"), "moof" in kinds) == (1, False)
        # A track may end before the other: damage cost it its last moments.
        lengths = read(media)
        assert min(lengths) - 0.2 <= index.duration <= max(lengths) + 0.2
        seconds.append(index.duration)
    return seconds


def demuxed(media: bytes) -> list[float]:
    """Seconds of each track, when every packet of the file can be had and their times grow."""
    with av.open(BytesIO(media), "r", format="mp4") as container:
        packets = [packet for packet in container.demux() if packet.dts is not None]
        for stream in container.streams:
            times = [packet.dts or 0 for packet in packets if packet.stream_index == stream.index]
            assert len(times) == stream.frames
            assert all(earlier < later for earlier, later in pairwise(times))
        return [float((stream.duration or 0) * (stream.time_base or 0)) for stream in container.streams]


def decoded(media: bytes) -> list[float]:
    """Seconds to the ends of the last picture and of the last sound."""
    film = watch(media)
    return [film.span, *(sound + AAC_FRAME / SAMPLE_RATE for sound in film.sounds[-1:])]


places = st.floats(0, 1, exclude_max=True)
damages = st.lists(
    st.one_of(
        st.tuples(st.just("flip"), places, st.binary(min_size=1, max_size=8)),
        st.tuples(st.just("insert"), places, st.binary(min_size=1, max_size=3000)),
        st.tuples(st.just("delete"), places, st.integers(1, 5000)),
        st.tuples(st.just("repeat"), places, st.integers(1, 20_000)),
        st.tuples(st.just("cut"), st.floats(0.1, 1), st.none()),
    ),
    min_size=1,
    max_size=6,
)


def damaged(stream: bytes, wounds: list[tuple[str, float, Any]]) -> bytes:
    for how, place, what in wounds:
        at = int(place * len(stream))
        match how:
            case "flip":
                stream = stream[:at] + what + stream[at + len(what) :]
            case "insert":
                stream = stream[:at] + what + stream[at:]
            case "delete":
                stream = stream[:at] + stream[at + what :]
            case "repeat":
                stream = stream[: at + what] + stream[at:]
            case _:
                stream = stream[:at]
    return stream


@pytest.mark.timeout(180)
@relaxed
@given(which=st.integers(0, 3), wounds=damages)
def test_any_damage_ends_in_whole_files_or_a_reason(originals, which: int, wounds) -> None:
    check(Recording(damaged(originals[which].data, wounds)), demuxed)


mischiefs = st.lists(
    st.one_of(
        st.tuples(st.just("garbage"), places, st.binary(min_size=1, max_size=3000)),
        st.tuples(st.just("again"), places, st.integers(1, 60)),
        st.tuples(st.just("header"), places, st.none()),
        st.tuples(st.just("half"), places, st.none()),
        st.tuples(st.just("clock"), places, st.sampled_from([-5000, -700, -300, -40, 300, 5000, 100_000, 2**31])),
        st.tuples(st.just("cut"), st.floats(0.3, 1), st.none()),
    ),
    min_size=1,
    max_size=3,
)


def led_astray(stream: bytes, wounds: list[tuple[str, float, Any]]) -> bytes:
    """What networks and CDNs do to a stream whose frames are good."""
    pieces = tags(stream)
    # Clocks first: what is sent again is sent as it was.
    for how, place, what in sorted(wounds, key=lambda wound: wound[0] != "clock"):
        at = 1 + int(place * (len(pieces) - 1))
        match how:
            case "garbage":
                pieces.insert(at, what)
            case "again":
                pieces[at:at] = pieces[max(at - what, 1) : at]
            case "header":
                pieces[at:at] = pieces[:2]
            case "half" if not _is_header(pieces[at]):
                pieces[at] = pieces[at][: len(pieces[at]) // 2]
            case "clock":
                pieces[at:] = [_moved(piece, what) for piece in pieces[at:]]
            case "cut":
                del pieces[at:]
            case _:
                continue
    return b"".join(pieces)


def _is_header(piece: bytes) -> bool:
    """Whether a tag tells how to decode what follows: nobody can make up for one that is lost."""
    enhanced = piece[0] == 9 and piece[11] & 0x80
    return piece[11] & 0x0F == 0 if enhanced else piece[0] in (8, 9) and piece[12] == 0


def _moved(piece: bytes, by_ms: int) -> bytes:
    if len(piece) < 15 or piece[0] not in (8, 9):
        return piece
    stamp = (int.from_bytes(piece[7:8] + piece[4:7], "big") + by_ms) % 2**32
    return piece[:4] + (stamp & 0xFFFFFF).to_bytes(3, "big") + bytes([stamp >> 24]) + piece[8:]


@pytest.mark.timeout(180)
@relaxed
@given(which=st.integers(0, 3), wounds=mischiefs)
def test_good_frames_on_a_bad_way_decode_to_the_last(originals, which: int, wounds) -> None:
    check(Recording(led_astray(originals[which].data, wounds)), decoded)


def test_an_undamaged_stream_is_all_there(originals) -> None:
    assert [pytest.approx([6.0], abs=0.1), pytest.approx([3.0, 3.0], abs=0.1)] == [
        check(Recording(original.data), decoded) for original in originals[:2]
    ]
