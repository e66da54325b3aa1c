"""The fragment index beside each part: what the recorder appends and the catalog makes playlists from.

JSON lines in an append blob: a header that keeps the init segment (the finished MP4's head no longer holds it), a
line for each committed fragment, and a last line when the part is a standard MP4. A line that was cut short is not
there yet.
"""

import base64
import json
from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PlainSerializer, ValidationError

from wentlive_common.errors import InvalidInput
from wentlive_common.model import Bytes, Model, Seconds, UtcDatetime

INDEX_CONTENT_TYPE = "application/x-ndjson"


class InvalidFragmentIndex(InvalidInput):
    """The fragment index cannot be read; the part's MP4 itself may still be whole."""


def _check_base64(text: str) -> str:
    base64.b64decode(text, validate=True)
    return text


class IndexHeader(Model):
    """The first line: how to decode the fragments, and when they began."""

    v: Literal[1] = 1
    init: Annotated[str, AfterValidator(_check_base64)]
    video_codec: str | None = None
    audio_codec: str | None = None
    width: int = Field(default=0, ge=0)
    height: int = Field(default=0, ge=0)
    opened_at: UtcDatetime

    @property
    def init_segment(self) -> bytes:
        return base64.b64decode(self.init)


Rounded = Annotated[Seconds, PlainSerializer(lambda seconds: round(seconds, 6), return_type=float, when_used="json")]


class IndexFragment(Model):
    """One `moof`+`mdat` pair, by its place in the part's MP4."""

    offset: Bytes
    length: Annotated[int, Field(gt=0)]
    duration: Rounded

    @property
    def end(self) -> int:
        return self.offset + self.length


class IndexClosing(Model):
    """The last line: the part is a standard MP4 and will not change."""

    closed: Literal[True] = True
    bytes: Bytes
    duration: Rounded


class FragmentIndex(Model):
    """The whole index as far as it was written."""

    header: IndexHeader
    fragments: tuple[IndexFragment, ...] = ()
    closing: IndexClosing | None = None

    @property
    def closed(self) -> bool:
        return self.closing is not None

    @property
    def duration(self) -> float:
        return sum(fragment.duration for fragment in self.fragments)


def header_line(header: IndexHeader) -> bytes:
    return header.model_dump_json().encode() + b"\n"


def fragment_lines(fragments: Iterable[IndexFragment]) -> bytes:
    return b"".join(f"[{f.offset},{f.length},{round(f.duration, 6)}]\n".encode() for f in fragments)


def closing_line(closing: IndexClosing) -> bytes:
    return closing.model_dump_json().encode() + b"\n"


def make_header(init_segment: bytes, **fields: object) -> IndexHeader:
    """A header for an init segment; `fields` are the header's own, `opened_at` among them."""
    return IndexHeader.model_validate({**fields, "init": base64.b64encode(init_segment).decode()})


def read_index(data: bytes) -> FragmentIndex:
    """Reads an index that may still be growing; raises InvalidFragmentIndex for anything else."""
    lines = data.split(b"\n")[:-1]
    if not lines:
        raise InvalidFragmentIndex("The fragment index has no header line yet.")
    try:
        header = IndexHeader.model_validate_json(lines[0])
        closing = IndexClosing.model_validate_json(lines[-1]) if lines[-1].startswith(b'{"closed"') else None
        body = lines[1:-1] if closing else lines[1:]
        return FragmentIndex(header=header, fragments=tuple(map(_read_fragment, body)), closing=closing)
    except (ValidationError, ValueError, TypeError) as error:
        raise InvalidFragmentIndex(f"The fragment index cannot be read: {error}") from error


def _read_fragment(line: bytes) -> IndexFragment:
    offset, length, duration = json.loads(line)
    return IndexFragment(offset=offset, length=length, duration=duration)
