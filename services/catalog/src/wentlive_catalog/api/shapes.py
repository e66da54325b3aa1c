"""What all shapes of the API have in common."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

Line = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]*$")]
"""Text that stays on one line, wherever it is shown, written or sent to."""


class Input(BaseModel):
    """What somebody sends. A field that is not known is refused: it was meant for something."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class Output(BaseModel):
    """What is answered."""

    model_config = ConfigDict(use_attribute_docstrings=True)
