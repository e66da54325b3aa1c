"""Servers' logs stay bounded, and their last words can be told."""

from pathlib import Path

from wentlive_devkit.servers.process import tail, trim


def test_tail_gives_the_last_lines_without_blank_ones(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("\n".join(f"line {n}\n" for n in range(100)))
    assert tail(log, lines=3) == ["line 97", "line 98", "line 99"]


def test_tail_cuts_long_lines_and_takes_broken_bytes(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"\xff" + b"x" * 1_000 + b"\n")
    assert tail(log, lines=2, width=10) == ["x" * 10]


def test_tail_of_a_log_that_never_was_is_empty(tmp_path: Path) -> None:
    assert tail(tmp_path / "absent") == []


def test_trim_keeps_the_end_and_the_writer_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"a" * 50 + b"b" * 50)
        trim(log, limit=60, kept=10)
        writer.write(b"c")
    assert log.read_bytes() == b"b" * 10 + b"c"


def test_trim_leaves_a_short_log_alone(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"short")
    trim(log, limit=60, kept=10)
    assert log.read_bytes() == b"short"
