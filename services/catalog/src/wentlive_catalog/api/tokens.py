"""API tokens of the asker's own."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Request
from pydantic import Field
from starlette.responses import Response
from wentlive_common.ids import Ulid
from wentlive_common.model import UtcDatetime

from wentlive_catalog.access import LONGEST_TOKEN
from wentlive_catalog.api.context import Asker, Here, note
from wentlive_catalog.api.problems import documented
from wentlive_catalog.api.shapes import Input, Line, Output
from wentlive_catalog.domain.tokens import ApiToken, Scope

router = APIRouter(prefix="/tokens", tags=["tokens"])


class TokenIn(Input):
    name: Annotated[Line, Field(min_length=1, max_length=100, examples=["backup script"])]
    """What it is for, so that you know it when you see it again."""
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=10, examples=[["read"]])]
    lifetime_days: Annotated[int, Field(ge=1, le=LONGEST_TOKEN.days)] = 90


class TokenOut(Output):
    token_id: str
    name: str
    scopes: list[Scope]
    created_at: UtcDatetime
    expires_at: UtcDatetime
    used_at: UtcDatetime | None
    """When it was last used, to the hour."""


class NewTokenOut(TokenOut):
    token: str
    """Send it as `Authorization: Bearer <token>`. It is told this once."""


class TokenList(Output):
    items: list[TokenOut]


@router.get("", operation_id="listTokens", responses=documented())
async def list_tokens(asker: Asker, here: Here) -> TokenList:
    """Yours, the newest first; those that ended are gone."""
    return TokenList(items=[_token_out(token) for token in await here.access.tokens(asker.username)])


@router.post("", operation_id="createToken", status_code=201, responses=documented(409, 422))
async def create_token(body: TokenIn, asker: Asker, request: Request, here: Here) -> NewTokenOut:
    """A token never may more than its owner, whatever its scopes say, and ends with its owner's access."""
    lifetime = timedelta(days=body.lifetime_days)
    text, token = await here.access.create_token(asker.username, body.name, tuple(body.scopes), lifetime)
    note(request, token_id=token.token_id)
    return NewTokenOut(**_token_out(token).model_dump(), token=text)


@router.delete("/{token_id}", operation_id="revokeToken", status_code=204, responses=documented(404, 422))
async def revoke_token(token_id: Annotated[Ulid, Path()], asker: Asker, here: Here) -> Response:
    """It is worthless from now on."""
    await here.access.revoke_token(asker.username, token_id)
    return Response(status_code=204)


def _token_out(token: ApiToken) -> TokenOut:
    return TokenOut(**token.model_dump(include=set(TokenOut.model_fields) - {"scopes"}), scopes=list(token.scopes))
