"""Settings: one's own (password, sessions, tokens, links, being told), and those of the installation for its admins.

Every form calls what the API calls, with the same rules; what is refused is told on the same page.
"""

from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Form, Path, Request
from pydantic import SecretStr
from starlette.responses import RedirectResponse, Response
from wentlive_common.errors import WentliveError
from wentlive_common.ids import Ulid

from wentlive_catalog.access import Identity
from wentlive_catalog.api.context import Asker, Context, Here, note
from wentlive_catalog.api.notifications import NewTarget
from wentlive_catalog.api.problems import status_of
from wentlive_catalog.api.retention import RetentionIn
from wentlive_catalog.api.sessions import PasswordIn
from wentlive_catalog.api.tokens import TokenIn
from wentlive_catalog.api.users import UserChange, UserIn
from wentlive_catalog.domain.retention import RetentionSettings
from wentlive_catalog.domain.users import ROLES, Username
from wentlive_catalog.web.forms import filled, number
from wentlive_catalog.web.templates import Templates

router = APIRouter(include_in_schema=False)
templates = Templates()

MOST_LINKS = 100
MOST_DUE = 200
NO_SECRET = SecretStr("")
Text = Annotated[str, Form(max_length=2000)]
Short = Annotated[str, Form(max_length=100)]
Secret = Annotated[SecretStr, Form(max_length=1000)]
Choices = Annotated[list[str] | None, Form(max_length=20)]
UserPath = Annotated[Username, Path()]


@dataclass(frozen=True, slots=True)
class Said:
    """What a form led to; `secret` is told this once."""

    good: str = ""
    bad: str = ""
    secret: str = ""


@router.get("/settings", operation_id="showSettings")
async def settings_page(asker: Asker, here: Here) -> Response:
    return await _page(asker, here)


@router.post("/settings/password", operation_id="changePassword")
async def change_password(
    asker: Asker, here: Here, current: Secret = NO_SECRET, wanted: Secret = NO_SECRET
) -> Response:  # fmt: skip
    async def act() -> Said:
        form = filled(PasswordIn, current=current.get_secret_value(), wanted=wanted.get_secret_value())
        await here.people.change_password(asker.user, form.current.get_secret_value(), form.wanted, asker.session)
        return Said("Your password is changed; your other sessions are over.")

    return await _told(act(), asker, here)


@router.post("/settings/sessions/{session_id}/close", operation_id="closeSession")
async def close_session(
    session_id: Annotated[str, Path(pattern=r"^[0-9a-f]{16}$")], asker: Asker, here: Here
) -> Response:  # fmt: skip
    return await _done(here.access.close_session(asker.username, session_id), asker, here, "account")


@router.post("/settings/tokens", operation_id="createToken")
async def create_token(
    request: Request, asker: Asker, here: Here, name: Short = "", scopes: Choices = None, lifetime_days: Short = "90"
) -> Response:
    async def act() -> Said:
        form = filled(TokenIn, name=name, scopes=scopes or [], lifetime_days=number(lifetime_days) or 90)
        lifetime = timedelta(days=form.lifetime_days)
        text, token = await here.access.create_token(asker.username, form.name, tuple(form.scopes), lifetime)
        note(request, token_id=token.token_id)
        return Said("The token is made. Copy it now: it is not shown again.", secret=text)

    return await _told(act(), asker, here)


@router.post("/settings/tokens/{token_id}/revoke", operation_id="revokeToken")
async def revoke_token(token_id: Annotated[Ulid, Path()], asker: Asker, here: Here) -> Response:
    return await _done(here.access.revoke_token(asker.username, token_id), asker, here, "tokens")


@router.post("/settings/links/{link_id}/revoke", operation_id="revokeLink")
async def revoke_link(link_id: Annotated[Ulid, Path()], asker: Asker, here: Here) -> Response:
    return await _done(here.sharing.revoke(link_id, asker), asker, here, "links")


@router.post("/settings/targets", operation_id="createTarget")
async def create_target(
    asker: Asker, here: Here, kind: Short = "apprise", url: Text = "", label: Short = "", topics: Choices = None
) -> Response:
    async def act() -> Said:
        form = filled(NewTarget, kind=kind, url=url, label=label, topics=tuple(topics or ()))
        wanted = form.model_dump(exclude={"kind", "url"})
        made = await here.targets.add(asker.username, form.kind, form.url, wanted)
        said = "From now on you are told there." + (" Its messages are signed with this:" if made.secret else "")
        return Said(said, secret=made.secret)

    return await _told(act(), asker, here)


@router.post("/settings/targets/{target_id}/test", operation_id="tryTarget")
async def try_target(target_id: Annotated[Ulid, Path()], asker: Asker, here: Here) -> Response:
    async def act() -> Said:
        await here.notifications.try_out(await here.targets.target(target_id, asker.username))
        return Said("It arrived, as far as can be told from here.")

    return await _told(act(), asker, here)


@router.post("/settings/targets/{target_id}/delete", operation_id="deleteTarget")
async def delete_target(target_id: Annotated[Ulid, Path()], asker: Asker, here: Here) -> Response:
    async def act() -> None:
        await here.targets.remove(await here.targets.target(target_id, asker.username))

    return await _done(act(), asker, here, "notifications")


@router.post("/settings/users", operation_id="createUser")
async def create_user(
    request: Request, asker: Asker, here: Here, username: Short = "", password: Secret = NO_SECRET,
    role: Short = "member",
) -> Response:  # fmt: skip
    async def act() -> Said:
        form = filled(UserIn, username=username, password=password.get_secret_value(), role=role)
        note(request, username=form.username, role=form.role)
        await here.people.create(form.username, form.password, form.role)
        return Said(f"{form.username} can sign in now.")

    return await _told(act(), asker, here)


@router.post("/settings/users/{username}", operation_id="updateUser")
async def update_user(
    username: UserPath, request: Request, asker: Asker, here: Here, role: Short = "",
    disabled: Annotated[bool, Form()] = False,
) -> Response:  # fmt: skip
    async def act() -> None:
        form = filled(UserChange, role=role or None, disabled=disabled)
        note(request, role=form.role, disabled=str(disabled).lower())
        await here.people.change(await here.people.user(username), role=form.role, disabled=form.disabled)

    return await _done(act(), asker, here, "users")


@router.post("/settings/users/{username}/delete", operation_id="deleteUser")
async def delete_user(username: UserPath, asker: Asker, here: Here) -> Response:
    return await _done(here.people.delete(username), asker, here, "users")


@router.post("/settings/retention", operation_id="setRetention")
async def set_retention(
    asker: Asker, here: Here, max_age_days: Short = "", max_count: Short = "", max_gb: Short = "", bin_days: Short = "7"
) -> Response:  # fmt: skip
    async def act() -> None:
        known, size = await here.retention.settings(), number(max_gb)
        rule = {
            "max_age_days": number(max_age_days), "max_count": number(max_count),
            "max_bytes": size * 10**9 if size is not None else None,
        }  # fmt: skip
        kept = {"cool_after_days": known.cool_after_days, "cold_after_days": known.cold_after_days}
        form = filled(RetentionIn, rule=rule, bin_days=number(bin_days) or 0, **kept)
        await here.retention.change(RetentionSettings(version=known.version, **dict(form)))

    return await _done(act(), asker, here, "retention")


async def _done(act: Awaitable[object], asker: Identity, here: Context, section: str) -> Response:
    """Back to where it was asked; what is refused is told instead."""
    try:
        await act
    except WentliveError as error:
        return await _page(asker, here, status_of(error), Said(bad=error.message))
    return RedirectResponse(f"/settings#{section}", status_code=303)


async def _told(act: Awaitable[Said], asker: Identity, here: Context) -> Response:
    try:
        said = await act
    except WentliveError as error:
        return await _page(asker, here, status_of(error), Said(bad=error.message))
    return await _page(asker, here, said=said)


async def _page(asker: Identity, here: Context, status: int = 200, said: Said | None = None) -> Response:
    now = here.clock.now()
    links = await here.sharing.page(MOST_LINKS, None, username=asker.username)
    return templates.page(
        "settings.html", status, asker=asker, said=said or Said(), sessions=await here.access.sessions(asker.username),
        tokens=await here.access.tokens(asker.username), links=[link for link in links if link.works(now)],
        targets=await here.targets.of(asker.username), retention=await here.retention.settings(),
        **(await _of_all(here) if asker.is_admin else {"users": (), "due": ()}), roles=ROLES,
    )  # fmt: skip


async def _of_all(here: Context) -> dict[str, Any]:
    return {"users": await here.people.all(), "due": await here.retention.due(MOST_DUE)}
