"""The box that says what a fragment holds, as this recorder writes it, and read back as strictly."""

from collections.abc import Sequence
from struct import Struct, pack, unpack_from

from wentlive_common.mp4.run import Run

from wentlive_recorder.errors import NotRebuildable

MDAT_HEADER = 8
_MOOF = Struct(">I4sI4sII")
_TRAF = Struct(">I4sI4sIIIII4sIQI4sIIi")
_TFHD, _TFDT, _MFHD = 24, 20, 16
_TRUN = 20
_TFHD_FLAGS = 0x020028
"""Offsets count from the `moof`; a default duration and default flags follow."""
_VERSION_1 = 0x01000000
"""A `tfdt` of 64 bits, and a `trun` whose delays are signed."""
_OFFSET, _DURATIONS, _SIZES, _FLAGS, _DELAYS = 0x1, 0x100, 0x200, 0x400, 0x800
_FIELDS = _DURATIONS | _SIZES | _FLAGS | _DELAYS
_MOST_SAMPLES = 1_000_000


def pack_moof(sequence: int, runs: Sequence[Run]) -> bytes:
    """Their data is to follow in one `mdat`, in the same order. Raises struct.error for what no MP4 can hold."""
    columns = [_columns(run) for run in runs]
    sizes = [_TRAF.size + 4 * len(run.sizes) * len(shown) for run, (_, shown) in zip(runs, columns, strict=True)]
    size = _MOOF.size + sum(sizes)
    offset = size + MDAT_HEADER
    pieces = [_MOOF.pack(size, b"moof", _MFHD, b"mfhd", 0, sequence)]
    for run, traf_size, (fields, shown) in zip(runs, sizes, columns, strict=True):
        count, width = len(run.sizes), len(shown)
        pieces.append(
            _TRAF.pack(
                traf_size, b"traf", _TFHD, b"tfhd", _TFHD_FLAGS, run.track, run.durations[0], run.flags[0],
                _TFDT, b"tfdt", _VERSION_1, run.start, _TRUN + 4 * count * width, b"trun", _VERSION_1 | fields, count,
                offset,
            )
        )  # fmt: skip
        table = [0] * (count * width)
        for place, column in enumerate(shown):
            table[place::width] = column
        pieces.append(pack(f">{count * width}I", *table))
        offset += sum(run.sizes)
    return b"".join(pieces)


def _columns(run: Run) -> tuple[int, list[Sequence[int]]]:
    """What differs from sample to sample."""
    fields, shown = _OFFSET | _SIZES, list[Sequence[int]]()
    if _differ(run.durations):
        fields |= _DURATIONS
        shown.append(run.durations)
    shown.append(run.sizes)
    if _differ(run.flags):
        fields |= _FLAGS
        shown.append(run.flags)
    if any(run.delays):
        fields |= _DELAYS
        shown.append([delay & 0xFFFFFFFF for delay in run.delays])
    return fields, shown


def _differ(values: Sequence[int]) -> bool:
    return min(values) != max(values)


def unpack_moof(data: bytes) -> tuple[int, list[Run]]:
    """Its sequence number and its runs; `data` is exactly the box. Raises NotRebuildable for any other than ours."""
    if len(data) < _MOOF.size:
        raise NotRebuildable
    size, kind, header_size, header, flags, sequence = _MOOF.unpack_from(data)
    if (size, kind, header_size, header, flags) != (len(data), b"moof", _MFHD, b"mfhd", 0):
        raise NotRebuildable
    runs: list[Run] = []
    position, media = _MOOF.size, size + MDAT_HEADER
    while position < size:
        position, run = _unpack_traf(data, position, media)
        media += sum(run.sizes)
        runs.append(run)
    return sequence, runs


def _unpack_traf(data: bytes, position: int, media: int) -> tuple[int, Run]:
    if position + _TRAF.size > len(data):
        raise NotRebuildable
    (
        size, traf, tfhd_size, tfhd, tfhd_flags, track, duration, flags, tfdt_size, tfdt, version, start,
        trun_size, trun, fields, count, offset,
    ) = _TRAF.unpack_from(data, position)  # fmt: skip
    kinds = (traf, tfhd, tfdt, trun)
    sizes = (tfhd_size, tfdt_size, trun_size + _TRAF.size - _TRUN)
    if kinds != (b"traf", b"tfhd", b"tfdt", b"trun") or sizes != (_TFHD, _TFDT, size):
        raise NotRebuildable
    named = [bit for bit in (_DURATIONS, _SIZES, _FLAGS, _DELAYS) if fields & bit]
    if (tfhd_flags, version, fields & ~_FIELDS, offset) != (_TFHD_FLAGS, _VERSION_1, _VERSION_1 | _OFFSET, media):
        raise NotRebuildable
    end = position + _TRAF.size + 4 * count * len(named)
    if not 0 < count <= _MOST_SAMPLES or not fields & _SIZES or end != position + size or end > len(data):
        raise NotRebuildable
    columns = _unpack_columns(data, position + _TRAF.size, count, named)
    delays = columns.get(_DELAYS)
    return end, Run(
        track,
        start,
        columns.get(_DURATIONS) or [duration] * count,
        columns[_SIZES],
        columns.get(_FLAGS) or [flags] * count,
        [delay - (delay >> 31 << 32) for delay in delays] if delays else [0] * count,
    )


def _unpack_columns(data: bytes, position: int, count: int, named: Sequence[int]) -> dict[int, list[int]]:
    values = unpack_from(f">{count * len(named)}I", data, position)
    return {bit: list(values[place :: len(named)]) for place, bit in enumerate(named)}
