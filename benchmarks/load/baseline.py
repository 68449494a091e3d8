"""What the two baselines share: a request's fields, the prepared job and the answer, all by the service's own code."""

from __future__ import annotations

import argparse
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from fastapi import Request
from starlette.datastructures import UploadFile

from benchmarks.load.posts import TASKS
from omninet.model.job import Job
from omninet.model.outputs.answer import Answer
from omninet.model.predictor import Predictor


def arguments() -> argparse.Namespace:
    """Of a baseline's command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--threads", type=int, default=1, help="of the model")
    parser.add_argument("--rows", type=int, default=32, help="most requests in a batch, where there are batches")
    return parser.parse_args()


@functools.cache
def load(checkpoint: Path | None, threads: int) -> Predictor:
    """The model, once a process."""
    torch.set_num_threads(threads)
    return Predictor.load(checkpoint)


async def fields_of(request: Request) -> dict[str, Any]:
    """Of a form, or of JSON."""
    if not request.headers["content-type"].startswith("multipart/"):
        fields: dict[str, Any] = await request.json()
        return fields
    async with request.form() as form:
        return {name: await value.read() if isinstance(value, UploadFile) else value for name, value in form.items()}


def prepare(predictor: Predictor, endpoint: str, fields: Mapping[str, Any]) -> Job:
    """Decode, resize and tokenise."""
    return predictor.prepare(TASKS[endpoint], **fields)


def reply(predictor: Predictor, task: str, answer: Answer) -> dict[str, Any]:
    """As JSON, in the names of the service."""
    return predictor.output(task).body(predictor.task(task), answer).model_dump()
