"""Baseline: the model behind Ray Serve, which batches whole requests.

Media are decoded and texts tokenized in threads of the replica, of which there is one.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ray
from fastapi import Request
from ray import serve
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from benchmarks.load.baseline import arguments, fields_of, load, prepare, reply
from benchmarks.load.posts import TASK
from omninet.model.job import Job

WINDOW_S = 0.005  # time for which a batch waits for further requests
AT_ONCE = 256  # requests


@serve.deployment(max_ongoing_requests=AT_ONCE, health_check_timeout_s=60)
class Model:
    """Ray Serve deployment with all endpoints."""

    def __init__(self, checkpoint: Path | None, threads: int, rows: int) -> None:
        self.predictor = load(checkpoint, threads)
        self.answer.set_max_batch_size(rows)  # type: ignore[attr-defined]

    async def __call__(self, request: Request) -> JSONResponse:
        """Answer a request; GET is the probe for readiness."""
        if request.method == "GET":
            return JSONResponse("ok")
        job = await run_in_threadpool(prepare, self.predictor, request.headers[TASK], await fields_of(request))
        return JSONResponse(await self.answer(job))  # Ray would send a plain dictionary in chunks

    @serve.batch(batch_wait_timeout_s=WINDOW_S)
    async def answer(self, jobs: Sequence[Job]) -> list[dict[str, Any]]:
        """Answer a batch of requests."""
        return await asyncio.to_thread(self._answer, jobs)

    def _answer(self, jobs: Sequence[Job]) -> list[dict[str, Any]]:
        decoded = iter(self.predictor.run([row for job in jobs for row in job.rows]))
        found = [(job, [next(decoded) for _ in job.rows]) for job in jobs]
        return [reply(self.predictor, job.task, self.predictor.complete(job, each)) for job, each in found]


def main() -> None:
    """Serve until stopped."""
    args = arguments()
    ray.init(include_dashboard=False, log_to_driver=False)
    serve.start(http_options={"host": "127.0.0.1", "port": args.port})
    serve.run(Model.bind(args.checkpoint, args.threads, args.rows))  # type: ignore[attr-defined]
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    ray.shutdown()


if __name__ == "__main__":
    main()
