"""The library: found, sorted, chosen from, and put in order."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from wentlive_common.ids import Ulid

from wentlive_catalog.api.actions import Act, act_of, tried
from wentlive_catalog.api.context import Asker, Here, RecordingId, note
from wentlive_catalog.api.cursors import LONGEST_CURSOR, read_cursor, write_cursor
from wentlive_catalog.web.entry import local_path
from wentlive_catalog.web.sought import Looking
from wentlive_catalog.web.templates import Templates
from wentlive_catalog.web.views import Views

router = APIRouter(include_in_schema=False)
templates = Templates()

PAGE = 60
MOST_AT_ONCE = 200
Done = Annotated[Act | None, Query()]
DoneIds = Annotated[list[Ulid] | None, Query(max_length=MOST_AT_ONCE)]
Count = Annotated[int, Query(ge=0, le=MOST_AT_ONCE)]


@router.get("/library", operation_id="showLibrary")
async def library_page(
    asker: Asker, here: Here, looking: Looking, after: Annotated[str | None, Query(max_length=LONGEST_CURSOR)] = None,
    done: Done = None, refused: Count = 0, recording: DoneIds = None,
) -> HTMLResponse:  # fmt: skip
    """`done`, `refused` and `recording` say what was just done, so that it can be told and undone."""
    views = Views(here.store, here.watches)
    wanted = looking.filter(asker.username, here.clock.now())
    page = await here.store.recordings(wanted, PAGE, read_cursor(after or None, looking.order), looking.order)
    more = looking.query(after=write_cursor(page.next, looking.order)) if page.next else None
    return templates.page(
        "library.html", asker=asker, looking=looking, cards=await views.cards(page.items), more=more, after=after,
        done=done, refused=refused, changed=recording or [],
        here=f"/library{looking.query(after=after)}",
    )  # fmt: skip


@router.post("/library", operation_id="changeRecordings")
async def change(
    request: Request, asker: Asker, here: Here, action: Annotated[Act, Form()],
    recording_id: Annotated[list[Ulid] | None, Form(max_length=MOST_AT_ONCE)] = None,
    back: Annotated[str, Form(max_length=2000)] = "/library",
) -> Response:  # fmt: skip
    ids = list(dict.fromkeys(recording_id or []))
    note(request, action=action, recordings=str(len(ids)))
    act = act_of(action, here.keeping, asker)
    items = [await tried(act, one) for one in ids]
    told = [("done", action), ("refused", str(sum(not item.done for item in items)))]
    told += [("recording", item.recording_id) for item in items if item.done]
    path = local_path(back)
    # What was told of the action before this one is over.
    kept = "&".join(pair for pair in path.partition("?")[2].split("&") if pair and not pair.startswith(TOLD))
    query = "&".join(filter(None, (kept, urlencode(told) if ids else "")))
    return RedirectResponse(path.partition("?")[0] + (f"?{query}" if query else ""), status_code=303)


TOLD = ("done=", "refused=", "recording=")


@router.post("/recordings/{recording_id}/name", operation_id="updateRecording")
async def rename(
    recording_id: RecordingId, asker: Asker, here: Here, name: Annotated[str, Form(max_length=200)] = ""
) -> Response:
    plain = "".join(letter for letter in name if letter.isprintable())
    await here.keeping.edit(recording_id, asker, check=lambda _: None, name=plain)
    return RedirectResponse(f"/recordings/{recording_id}", status_code=303)
