"""JSON schema of boxes."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class PlacedBoxBody(BaseModel):
    """A box around a thing: x1, y1, x2, y2 from the upper left corner of the picture as displayed."""

    model_config = ConfigDict(from_attributes=True)
    box: list[float] = Field(description="In pixels.", min_length=4, max_length=4)
    relative: list[float] = Field(
        description="As fractions of the picture's width and height.", min_length=4, max_length=4
    )
    probability: float


class PlacesBody(BaseModel):
    """Where a thing is: boxes, the likeliest first, none if it is absent; and the probability that it is absent."""

    model_config = ConfigDict(from_attributes=True)
    boxes: list[PlacedBoxBody]
    absent_probability: float
