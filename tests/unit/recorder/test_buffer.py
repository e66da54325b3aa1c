"""Media waits for storage in memory up to a bound and on disk beyond it, and takes no more room than it needs."""

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wentlive_common.clock import SystemClock
from wentlive_recorder.buffer import Buffer
from wentlive_recorder.errors import DiskFailed, StorageBehind
from wentlive_recorder.spool import Media, Spooled, slices

MEBIBYTE = 1024 * 1024


def buffer(in_memory: int = 10, limit: int = 1000 * MEBIBYTE) -> Buffer:
    return Buffer(limit, in_memory, 0.01, SystemClock())


def content(media: Media) -> bytes:
    return b"".join(slices(media))


def open_files() -> int:
    """Of those that media waits in."""
    links = Path("/proc/self/fd").iterdir()
    return sum("/wentlive-" in str(link.readlink()) for link in links if link.exists() or link.is_symlink())


def test_what_comes_beyond_the_bound_waits_on_disk() -> None:
    kept = buffer(in_memory=10)
    first, second = kept.keep(b"a" * 10), kept.keep(b"b")
    assert first == b"a" * 10
    assert isinstance(second, Spooled)
    assert (content(second), len(second)) == (b"b", 1)
    assert content(second) == b"b"  # as often as it has to be sent
    assert kept.waiting == 11


@given(st.lists(st.integers(1, 700_000), max_size=30))
def test_everything_comes_back_as_it_was(sizes: list[int]) -> None:
    kept = buffer(in_memory=MEBIBYTE)
    given_ = [bytes([number]) * size for number, size in enumerate(sizes)]
    taken = [kept.keep(data) for data in given_]
    assert [content(media) for media in taken] == given_


def test_disk_is_given_back_as_storage_takes_what_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = open_files()
    kept = buffer(in_memory=0)
    waiting = [kept.keep(bytes(MEBIBYTE)) for _ in range(40)]
    assert open_files() == before + 5
    for _ in range(20):
        waiting.pop(0)
        kept.take(MEBIBYTE)
    assert open_files() == before + 3
    waiting.clear()
    kept.take(20 * MEBIBYTE)
    assert open_files() == before
    assert not list(tmp_path.iterdir())


async def test_without_a_disk_it_waits_in_memory_and_the_bound_is_lower(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    kept = buffer(in_memory=0)
    assert kept.keep(b"a" * 10) == b"a" * 10
    monkeypatch.undo()
    assert kept.keep(bytes(23 * MEBIBYTE)) == bytes(23 * MEBIBYTE)
    await kept.room()
    kept.keep(bytes(MEBIBYTE))
    with pytest.raises(StorageBehind):
        await kept.room()


def test_a_disk_that_cannot_be_read_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = buffer(in_memory=0)
    media = kept.keep(b"abc")
    monkeypatch.setattr(os, "pread", lambda *_: b"a")
    with pytest.raises(DiskFailed):
        content(media)
    monkeypatch.undo()
    assert content(media) == b"abc"
