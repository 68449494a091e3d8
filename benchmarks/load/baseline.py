"""Code shared by the two baselines: parsing requests, preparing jobs and formatting answers as the service does."""

from __future__ import annotations

import argparse
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from fastapi import Request
from starlette.datastructures import UploadFile

from omninet.model.job import Job
from omninet.model.outputs.answer import Answer
from omninet.model.predictor import Predictor


def arguments() -> argparse.Namespace:
    """Parse the command line of a baseline."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--threads", type=int, default=1, help="of the model")
    parser.add_argument("--rows", type=int, default=32, help="most requests in a batch, where there are batches")
    return parser.parse_args()


@functools.cache
def load(checkpoint: Path | None, threads: int) -> Predictor:
    """Load the model, once per process."""
    torch.set_num_threads(threads)
    return Predictor.load(checkpoint)


async def fields_of(request: Request) -> dict[str, Any]:
    """Return the fields of a form or a JSON body."""
    if not request.headers["content-type"].startswith("multipart/"):
        fields: dict[str, Any] = await request.json()
        return fields
    async with request.form() as form:
        return {name: await value.read() if isinstance(value, UploadFile) else value for name, value in form.items()}


def prepare(predictor: Predictor, task: str, fields: Mapping[str, Any]) -> Job:
    """Decode, resize and tokenize the inputs; fields that are none, such as the language of a caption, are left out."""
    inputs = predictor.config.network.keywords(predictor.task(task))
    return predictor.prepare(task, **{name: value for name, value in fields.items() if name in inputs})


def reply(predictor: Predictor, task: str, answer: Answer) -> dict[str, Any]:
    """Return the service's JSON response."""
    return predictor.output(task).body(predictor.task(task), answer).model_dump()
