"""Pydantic models of batches."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidatorFunctionWrapHandler, WrapValidator
from pydantic.json_schema import SkipJsonSchema

from omninet.app.http.schemas import ErrorBody

MOST_ITEMS = 64


class BatchItem(BaseModel):
    """One request to an endpoint."""

    model_config = ConfigDict(extra="forbid")

    task: str = Field(description="The endpoint without its slash, such as `video-caption`.")
    inputs: dict[str, Any] = Field({}, description="Its files, in base64, and its texts.")
    options: dict[str, Any] = Field({}, description="Its other fields.")


def _or_error(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    """Return the error of an invalid item in its place, so that the item costs no other."""
    try:
        return validate(value)
    except ValidationError as error:
        return error


class BatchRequest(BaseModel):
    """Request body of /batch; a ValidationError takes the place of an invalid item."""

    model_config = ConfigDict(extra="forbid")

    items: list[Annotated[BatchItem, WrapValidator(_or_error)]] = Field(
        max_length=MOST_ITEMS, examples=[[{"task": "pos", "inputs": {"text": "A dog runs."}}]]
    )


class BatchResult(BaseModel):
    """Result of one item: ``answer`` with status 200, otherwise ``error``."""

    status: int = Field(description="Status that a request of its own would have.")
    answer: dict[str, Any] | SkipJsonSchema[None] = Field(None, description="The JSON that the endpoint answers.")
    error: ErrorBody | SkipJsonSchema[None] = None


class BatchReply(BaseModel):
    """The results in the order of the items."""

    results: list[BatchResult]
