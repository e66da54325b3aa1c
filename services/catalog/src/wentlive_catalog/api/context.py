"""What a request has at hand: the services, and who is asking."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Path, Request
from pydantic import SecretStr
from wentlive_common.clock import Clock
from wentlive_common.errors import Unauthenticated
from wentlive_common.ids import Ulid
from wentlive_common.model import Handle

from wentlive_catalog.access import Access, Identity
from wentlive_catalog.changes import Changes
from wentlive_catalog.clips import Clips
from wentlive_catalog.domain.recordings import Recording
from wentlive_catalog.domain.rights import is_open
from wentlive_catalog.follows import Follows
from wentlive_catalog.keeping import Keeping
from wentlive_catalog.notifications import Notifications, Targets
from wentlive_catalog.people import People
from wentlive_catalog.playback import Playback
from wentlive_catalog.ports import CatalogStore, WatchStatusSource
from wentlive_catalog.ports.health import HealthSource
from wentlive_catalog.retention import Retention
from wentlive_catalog.sharing import Sharing
from wentlive_catalog.trail import Trail


@dataclass(frozen=True, slots=True)
class Context:
    """Everything that routes use; put together by the composition root."""

    store: CatalogStore
    access: Access
    people: People
    trail: Trail
    follows: Follows
    keeping: Keeping
    sharing: Sharing
    playback: Playback
    clips: Clips
    changes: Changes
    clock: Clock
    service_token: SecretStr
    setup_code: SecretStr | None
    public_url: str | None
    """Where people reach the catalog; None: wherever a request came to."""
    secure_cookies: bool
    retention: Retention
    targets: Targets
    notifications: Notifications
    container_name: str
    storage_usd_per_gb_month: float
    services: HealthSource
    watches: WatchStatusSource | None
    """None when no watcher is set."""


async def context(request: Request) -> Context:
    found = request.app.state.context
    if not isinstance(found, Context):
        raise TypeError("the app was built without its context")
    return found


Here = Annotated[Context, Depends(context)]


def identity_of(request: Request) -> Identity:
    """Who is asking; the gate has seen to it that it is somebody."""
    identity = getattr(request.state, "identity", None)
    if not isinstance(identity, Identity):
        raise Unauthenticated
    return identity


async def known(request: Request) -> Identity:
    """`identity_of`, for routes; asynchronous, since FastAPI sends other dependencies through a thread each."""
    return identity_of(request)


async def authorized(request: Request) -> None:
    """Before every operation: may this person, with this token, do this? Raises Forbidden."""
    operation = getattr(request.scope.get("route"), "operation_id", None)
    if not is_open(operation):
        identity_of(request).check(operation)


def note(request: Request, **facts: str | None) -> None:
    """Tells the audit trail what the address does not: what an operation was done to."""
    noted: dict[str, str] = request.scope.setdefault("state", {}).setdefault("noted", {})
    noted |= {name: value for name, value in facts.items() if value is not None}


Asker = Annotated[Identity, Depends(known)]
HandlePath = Annotated[Handle, Path(description="The creator's handle, without @, in lower case.")]
RecordingId = Annotated[Ulid, Path(description="A recording's id.")]
PartName = Annotated[str, Path(pattern=r"^a[1-9][0-9]{0,3}-p[1-9][0-9]{0,4}$", description="Such as `a1-p1`.")]


async def wanted_recording(recording_id: RecordingId, here: Here) -> Recording:
    return await here.keeping.recording(recording_id)


WantedRecording = Annotated[Recording, Depends(wanted_recording)]
