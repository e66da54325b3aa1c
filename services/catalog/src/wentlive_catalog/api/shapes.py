"""What all shapes of the API have in common."""

from pydantic import BaseModel, ConfigDict


class Input(BaseModel):
    """What somebody sends. A field that is not known is refused: it was meant for something."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class Output(BaseModel):
    """What is answered."""

    model_config = ConfigDict(use_attribute_docstrings=True)
