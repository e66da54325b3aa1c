"""CPU and memory of recording a 720x1280, 2 Mbit/s stream in process, as fast as it goes: reader, splitter and muxer.

Run it as a script; `--minutes 360` shows what a part of six hours costs. Storage is left out: it is the network's time.
"""

import argparse
import resource
import sys
import time
from collections.abc import Iterator

from wentlive_devkit.tiktok.clip import ClipPlan, encode
from wentlive_devkit.tiktok.playout import Playout
from wentlive_devkit.tiktok.scenario import MediaScript
from wentlive_recorder.decoder import SampleDecoder
from wentlive_recorder.flv import FlvReader
from wentlive_recorder.muxer import PartMuxer
from wentlive_recorder.splitter import PartSplitter, Start, Write

MEDIA = MediaScript(width=720, height=1280, fps=30, gop_s=2, loop_s=8, bitrate=2_000_000)
CHUNK = 16 * 1024
MEBIBYTE = 1024 * 1024


def stream(playout: Playout, minutes: int) -> Iterator[bytes]:
    first = playout.first_after(0)
    yield playout.opening(first, audio_only=False)
    for second in range(minutes * 60):
        after = playout.first_after((second + 1) * 1000)
        data = playout.tags(first, after, audio_only=False)
        yield from (data[start : start + CHUNK] for start in range(0, len(data), CHUNK))
        first = after


class Measured:
    def __init__(self) -> None:
        self.reader, self.decoder, self.splitter = FlvReader(), SampleDecoder(), PartSplitter()
        self.muxer: PartMuxer | None = None
        self.cpu = 0.0
        self.bytes_in = self.fragments = 0

    def feed(self, chunk: bytes) -> None:
        started = time.process_time()
        for unit in self.decoder.units(self.reader.feed(chunk)):
            for action in self.splitter.push(unit, expects_audio=True):
                if isinstance(action, Start):
                    self.muxer = PartMuxer(action)
                elif isinstance(action, Write) and self.muxer:
                    self.fragments += len(self.muxer.write(action))
        self.cpu += time.process_time() - started
        self.bytes_in += len(chunk)

    def finish(self) -> tuple[float, int]:
        """Milliseconds to close the part, and the size of its tail."""
        if self.muxer is None:
            raise SystemExit("nothing was recorded")
        started = time.perf_counter()
        _, ending = self.muxer.close()
        for _ in ending.tail:
            pass
        return (time.perf_counter() - started) * 1000, ending.tail_size


def memory() -> float:
    """Peak resident memory in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=int, default=10)
    minutes = parser.parse_args().minutes
    playout = Playout(encode(ClipPlan(MEDIA, ("#fe2c55", "#25f4ee"), 440), lambda: False), base_ms=123_456)
    before = memory()
    measured = Measured()
    for chunk in stream(playout, minutes):
        measured.feed(chunk)
    close_ms, tail = measured.finish()
    rate, cpu = measured.bytes_in * 8 / minutes / 60e6, measured.cpu / minutes
    rows = [
        ("stream", f"{minutes} min, {rate:.2f} Mbit/s, {measured.fragments} fragments"),
        ("CPU per minute of stream", f"{cpu * 1000:.1f} ms ({cpu / 0.6:.3f} % of a core)"),
        ("closing the part", f"{close_ms:.1f} ms, tail of {tail / MEBIBYTE:.2f} MiB"),
        ("peak memory", f"{memory():.0f} MiB, of which {before:.0f} MiB were there before the stream"),
    ]
    for name, value in rows:
        sys.stdout.write(f"| {name:<26} | {value:<60} |\n")


if __name__ == "__main__":
    main()
