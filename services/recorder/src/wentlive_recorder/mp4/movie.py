"""What a part is made of, said as the recorder reports it, and what makes a standard file of it."""

from collections.abc import Sequence

from wentlive_common.mp4.boxes import in_pieces, size_of
from wentlive_common.mp4.movie import HEAD, finished_head, movie
from wentlive_common.mp4.sample_table import SampleTable
from wentlive_common.mp4.track import Track

from wentlive_recorder.fragment import Ending, MediaInfo


def media_info(tracks: Sequence[Track]) -> MediaInfo:
    video = next((track for track in tracks if track.is_video), None)
    audio = next((track for track in tracks if not track.is_video), None)
    width, height = (video.width, video.height) if video else (0, 0)
    return MediaInfo(video.codec if video else None, audio.codec if audio else None, width, height)


def ending(init: bytes, tables: Sequence[SampleTable], end: int) -> Ending:
    """For fragments that lie between `init` and `end`; tables without a sample are left out."""
    moov = movie([table for table in tables if table.start is not None])
    return Ending(finished_head(end) + init[len(HEAD) :], in_pieces(moov), size_of(moov))
