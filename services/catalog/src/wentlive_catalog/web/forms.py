"""What a form on a page sends, as the shapes of the API have it: one set of rules for both."""

from typing import TypeVar

from pydantic import BaseModel, ValidationError
from wentlive_common.errors import InvalidInput

ModelT = TypeVar("ModelT", bound=BaseModel)


class NotUsable(InvalidInput):
    """Something in this form cannot be used as it is."""


def filled(model: type[ModelT], **values: object) -> ModelT:
    """Raises NotUsable, which says what is wrong with which field."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        where = str(problem["loc"][0]).replace("_", " ") if problem["loc"] else "form"
        raise NotUsable(f"{where.capitalize()}: {problem['msg'].removeprefix('Value error, ')}.") from error


def number(text: str) -> int | None:
    """None for a field left empty."""
    try:
        return int(text) if text.strip() else None
    except ValueError as error:
        raise NotUsable(f"{text[:20]!r} is not a whole number.") from error
