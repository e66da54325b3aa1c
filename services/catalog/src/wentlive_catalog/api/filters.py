"""What recordings are asked for by: the same parameters wherever many of them are meant."""

from typing import Annotated

from fastapi import Depends, Query
from wentlive_common.events import RecordingState
from wentlive_common.handle import parse_handle
from wentlive_common.model import Bytes, Seconds, UtcDatetime

from wentlive_catalog.api.context import Asker
from wentlive_catalog.domain.library import RecordingFilter

CreatorQuery = Annotated[str | None, Query(max_length=500, description="A handle or profile link.")]
StateQuery = Annotated[list[RecordingState] | None, Query(max_length=7, description="One or several.")]
Since = Annotated[UtcDatetime | None, Query(description="The live began then or later.")]
Until = Annotated[UtcDatetime | None, Query(description="The live began before.")]
MinDuration = Annotated[Seconds | None, Query(description="In seconds.")]
MaxDuration = Annotated[Seconds | None, Query(description="In seconds.")]
Pinned = Annotated[bool | None, Query(description="Only what retention leaves alone, or only what it does not.")]
Binned = Annotated[bool, Query(description="What is in the bin, instead of what is not.")]
Following = Annotated[bool, Query(description="Only of creators that you follow.")]
Text = Annotated[
    str, Query(max_length=200, description="Words, or their beginnings, of title, name and handle: all must be there.")
]


async def recording_filter(
    asker: Asker, creator: CreatorQuery = None, state: StateQuery = None, since: Since = None, until: Until = None,
    min_duration: MinDuration = None, max_duration: MaxDuration = None,
    min_bytes: Annotated[Bytes | None, Query()] = None, max_bytes: Annotated[Bytes | None, Query()] = None,
    pinned: Pinned = None, binned: Binned = False, following: Following = False, q: Text = "",
) -> RecordingFilter:  # fmt: skip
    """Everything that is named must hold."""
    return RecordingFilter(
        handle=parse_handle(creator) if creator else None, states=tuple(dict.fromkeys(state or ())),
        since=since, until=until, min_duration=min_duration, max_duration=max_duration,
        min_bytes=min_bytes, max_bytes=max_bytes, pinned=pinned, place="bin" if binned else "library", text=q.strip(),
        follower=asker.username if following else None,
    )  # fmt: skip


Wanted = Annotated[RecordingFilter, Depends(recording_filter)]
