"""What a request has at hand: the services, and who is asking."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Path, Request
from pydantic import SecretStr
from wentlive_common.clock import Clock
from wentlive_common.errors import Unauthenticated
from wentlive_common.ids import Ulid
from wentlive_common.model import Handle

from wentlive_catalog.access import Access
from wentlive_catalog.changes import Changes
from wentlive_catalog.domain.recordings import Recording
from wentlive_catalog.domain.sessions import Session
from wentlive_catalog.follows import Follows
from wentlive_catalog.playback import Playback
from wentlive_catalog.ports import CatalogStore, WatchStatusSource


@dataclass(frozen=True, slots=True)
class Context:
    """Everything that routes use; put together by the composition root."""

    store: CatalogStore
    access: Access
    follows: Follows
    playback: Playback
    changes: Changes
    clock: Clock
    service_token: SecretStr
    secure_cookies: bool
    watches: WatchStatusSource | None
    """None when no watcher is set."""


def context(request: Request) -> Context:
    found = request.app.state.context
    if not isinstance(found, Context):
        raise TypeError("the app was built without its context")
    return found


Here = Annotated[Context, Depends(context)]


def signed_in(request: Request) -> Session:
    """The asker's session; the gate has seen to it that there is one."""
    session = getattr(request.state, "session", None)
    if not isinstance(session, Session):
        raise Unauthenticated
    return session


Asker = Annotated[Session, Depends(signed_in)]
HandlePath = Annotated[Handle, Path(description="The creator's handle, without @, in lower case.")]
RecordingId = Annotated[Ulid, Path(description="A recording's id.")]
PartName = Annotated[str, Path(pattern=r"^a[1-9][0-9]{0,3}-p[1-9][0-9]{0,4}$", description="Such as `a1-p1`.")]


async def wanted_recording(recording_id: RecordingId, here: Here) -> Recording:
    return await here.follows.recording(recording_id)


WantedRecording = Annotated[Recording, Depends(wanted_recording)]
