"""ETags of what can be edited: a change that was decided on an old state is refused instead of undoing another's."""

from typing import Annotated

from fastapi import Header
from starlette.responses import Response

from wentlive_catalog.api.problems import PreconditionFailed

IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match", max_length=200,
        description="The ETag of the state that this change is meant for; when it is another by now, nothing is done.",
    ),
]  # fmt: skip
IfNoneMatch = Annotated[
    str | None,
    Header(alias="If-None-Match", max_length=500, description="ETags that are known; 304 when it is still one."),
]


def etag(version: int | str) -> str:
    return f'"{version}"'


def check_match(if_match: str | None, version: int | str) -> None:
    """Raises PreconditionFailed."""
    if if_match is not None and not _names(if_match, version):
        raise PreconditionFailed


def not_modified(if_none_match: str | None, version: int | str) -> Response | None:
    """The 304, if that is the answer."""
    if if_none_match is None or not _names(if_none_match, version):
        return None
    return Response(status_code=304, headers={"etag": etag(version)})


def _names(tags: str, version: int | str) -> bool:
    return tags.strip() == "*" or etag(version) in [tag.strip().removeprefix("W/") for tag in tags.split(",")]
