"""Baseline: the model behind plain FastAPI, with a lock that admits one request at a time.

Media are decoded and texts tokenized in FastAPI's threads, outside the lock.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from starlette.concurrency import run_in_threadpool

from benchmarks.load.baseline import arguments, fields_of, load, prepare, reply
from benchmarks.load.posts import TASK
from omninet.model.predictor import Predictor


def create_app(predictor: Predictor) -> FastAPI:
    """Create an app that serves all endpoints with one function."""
    app, lock = FastAPI(), threading.Lock()

    def predict(task: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        job = prepare(predictor, task, fields)
        with lock:
            answer = predictor.complete(job, predictor.run(job.rows))
        return reply(predictor, task, answer)

    @app.get("/readyz")
    async def readyz() -> str:
        return "ok"

    @app.post("/{endpoint}")
    async def answer(endpoint: str, request: Request) -> dict[str, Any]:  # noqa: ARG001
        return await run_in_threadpool(predict, request.headers[TASK], await fields_of(request))

    return app


def main() -> None:
    """Serve until stopped."""
    args = arguments()
    uvicorn.run(create_app(load(args.checkpoint, args.threads)), port=args.port, access_log=False)


if __name__ == "__main__":
    main()
