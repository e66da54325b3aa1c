"""What people do to recordings, one at a time or many at once."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Literal

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import Response
from wentlive_common.errors import WentliveError
from wentlive_common.ids import Ulid

from wentlive_catalog.access import Identity
from wentlive_catalog.api.context import Asker, Here, RecordingId, note
from wentlive_catalog.api.etags import IfMatch, check_match, etag
from wentlive_catalog.api.problems import Problem, documented, problem_of
from wentlive_catalog.api.schemas import RecordingOut, recording_out
from wentlive_catalog.api.shapes import Input, Line, Output
from wentlive_catalog.domain.recordings import Recording
from wentlive_catalog.keeping import Keeping

router = APIRouter(prefix="/recordings", tags=["recordings"])

Act = Literal["pin", "unpin", "stop", "retry", "delete", "restore"]


class RecordingChange(Input):
    """What is left out stays as it is."""

    name: Annotated[Line | None, Field(max_length=200, examples=["The ramen night"])] = None
    """What you call it; an empty one gives the live's title back."""
    pinned: bool | None = None
    """Retention leaves it alone."""


class Batch(Input):
    action: Act
    recording_ids: Annotated[list[Ulid], Field(min_length=1, max_length=200)]


class BatchItem(Output):
    recording_id: str
    done: bool
    problem: Problem | None
    """Why it was not done."""


class BatchOut(Output):
    done: int
    items: list[BatchItem]


@router.post("/batch", operation_id="changeRecordings", responses=documented(422))
async def change_recordings(body: Batch, asker: Asker, here: Here, request: Request) -> BatchOut:
    """The same to many: each is done or refused by itself, and the answer says which."""
    note(request, action=body.action, recordings=str(len(body.recording_ids)))
    act = act_of(body.action, here.keeping, asker)
    items = [await tried(act, recording_id) for recording_id in dict.fromkeys(body.recording_ids)]
    return BatchOut(done=sum(item.done for item in items), items=items)


@router.patch("/{recording_id}", operation_id="updateRecording", responses=documented(404, 409, 412, 422))
async def update_recording(
    recording_id: RecordingId, body: RecordingChange, asker: Asker, here: Here, response: Response,
    if_match: IfMatch = None,
) -> RecordingOut:  # fmt: skip
    """Names it, or pins it so that retention leaves it alone. Only who follows its creator, or an admin."""

    def check(known: Recording) -> None:
        check_match(if_match, known.version)

    changed = await here.keeping.edit(recording_id, asker, check=check, name=body.name, pinned=body.pinned)
    return _tagged(changed, response)


@router.post("/{recording_id}/stop", operation_id="stopRecording", status_code=202, responses=documented(404, 409, 422))
async def stop_recording(recording_id: RecordingId, asker: Asker, here: Here) -> RecordingOut:
    """Finishes the recording while the live goes on. What was recorded stays."""
    return recording_out(await here.keeping.stop(recording_id, asker))


@router.post(
    "/{recording_id}/retry", operation_id="retryRecording", status_code=202, responses=documented(404, 409, 422)
)
async def retry_recording(recording_id: RecordingId, asker: Asker, here: Here, response: Response) -> RecordingOut:
    """Tries again what failed, or was left open at its end: records on while the live goes on, else closes parts.

    When neither can be done any more it stays as it is.
    """
    return _tagged(await here.keeping.retry(recording_id, asker), response)


@router.delete("/{recording_id}", operation_id="deleteRecording", responses=documented(404, 409, 422))
async def delete_recording(recording_id: RecordingId, asker: Asker, here: Here, response: Response) -> RecordingOut:
    """Into the bin, from which it can be taken back for a while; links to it stop working at once.

    Only an admin may delete what others follow too.
    """
    return _tagged(await here.keeping.delete(recording_id, asker), response)


@router.post("/{recording_id}/restore", operation_id="restoreRecording", responses=documented(404, 409, 422))
async def restore_recording(recording_id: RecordingId, asker: Asker, here: Here, response: Response) -> RecordingOut:
    """Takes it back from the bin."""
    return _tagged(await here.keeping.restore(recording_id, asker), response)


def _tagged(recording: Recording, response: Response) -> RecordingOut:
    response.headers["etag"] = etag(recording.version)
    return recording_out(recording)


def act_of(action: Act, keeping: Keeping, asker: Identity) -> Callable[[str], Awaitable[Recording]]:
    def pin(*, pinned: bool) -> Callable[[str], Awaitable[Recording]]:
        return lambda recording_id: keeping.edit(recording_id, asker, check=lambda _: None, pinned=pinned)

    acts: dict[Act, Callable[[str], Awaitable[Recording]]] = {
        "pin": pin(pinned=True), "unpin": pin(pinned=False),
        "stop": lambda recording_id: keeping.stop(recording_id, asker),
        "retry": lambda recording_id: keeping.retry(recording_id, asker),
        "delete": lambda recording_id: keeping.delete(recording_id, asker),
        "restore": lambda recording_id: keeping.restore(recording_id, asker),
    }  # fmt: skip
    return acts[action]


async def tried(act: Callable[[str], Awaitable[Recording]], recording_id: str) -> BatchItem:
    try:
        await act(recording_id)
    except WentliveError as error:
        return BatchItem(recording_id=recording_id, done=False, problem=problem_of(error))
    return BatchItem(recording_id=recording_id, done=True, problem=None)
