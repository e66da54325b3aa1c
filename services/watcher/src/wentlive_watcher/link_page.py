"""Whose link it is that somebody pasted: `POST /internal/v1/links`, for the catalog, which never asks TikTok itself."""

from pydantic import Field, SecretStr, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from wentlive_common.errors import InvalidInput, Transient
from wentlive_common.model import Model

from wentlive_watcher.egress import Egresses
from wentlive_watcher.service_access import is_let_in, not_let_in, problem

PATH = "/internal/v1/links"
MAX_TEXT_CHARS = 2000
MAX_BODY = 16 * 1024


class LinkQuery(Model):
    """What was pasted."""

    text: str = Field(max_length=MAX_TEXT_CHARS)


def link_routes(egresses: Egresses, token: SecretStr | None) -> list[Route]:
    """No route at all without a service token: nobody could be let in."""
    if token is None:
        return []

    async def links(request: Request) -> Response:
        if not is_let_in(request, token):
            return not_let_in()
        try:
            query = LinkQuery.model_validate_json(await _body(request))
            handle = await egresses.resolve_link(query.text)
        except ValidationError:
            return problem(422, f"Send the text in JSON, of at most {MAX_TEXT_CHARS} characters.")
        except InvalidInput as error:
            return problem(422, error.message)
        except Transient as error:
            return problem(503, error.message)
        return JSONResponse({"handle": handle}, headers={"cache-control": "no-store"})

    return [Route(PATH, links, methods=["POST"])]


async def _body(request: Request) -> bytes:
    """As much of it as can be a query; what is longer is cut, and so is none."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            break
    return bytes(body[:MAX_BODY])
