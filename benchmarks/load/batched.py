"""Baseline: the model behind LitServe, which batches whole requests.

Media are decoded and texts tokenized by a dependency of the endpoint, in threads of the HTTP process, since LitServe's
own hook runs between batches in the model's process. All endpoints are one API, so that their requests share batches
and the model is loaded once.
"""

# LitServe and FastAPI read the annotations as objects, so `from __future__ import annotations` cannot be used.
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import litserve
from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool

from benchmarks.load.baseline import arguments, fields_of, load, prepare, reply
from benchmarks.load.posts import TASK
from omninet.model.decoding.hypotheses import Decoded
from omninet.model.job import Job

WINDOW_S = 0.005  # time for which a batch waits for further requests
DEADLINE_S = 60


async def prepared(request: Request) -> bytes:
    """Prepare a request's job, pickled for the model's process."""
    predictor = load(request.app.state.checkpoint, threads=1)
    job = await run_in_threadpool(prepare, predictor, request.headers[TASK], await fields_of(request))
    return pickle.dumps(job)


class Api(litserve.LitAPI):
    """LitServe API with all endpoints."""

    def __init__(self, checkpoint: Path | None, threads: int, rows: int) -> None:
        super().__init__(max_batch_size=rows, batch_timeout=WINDOW_S, api_path="/{endpoint}")
        self.checkpoint, self.threads = checkpoint, threads

    def setup(self, device: str) -> None:  # noqa: ARG002
        """Load the model in the worker process."""
        self.predictor = load(self.checkpoint, self.threads)

    def decode_request(self, request: Annotated[bytes, Depends(prepared)]) -> Job:
        """Unpickle a job from the HTTP process."""
        job: Job = pickle.loads(request)
        return job

    def batch(self, inputs: Sequence[Job]) -> Sequence[Job]:
        """Return the jobs unchanged; the predictor batches them."""
        return inputs

    def predict(self, x: Sequence[Job]) -> list[tuple[Job, list[Decoded]]]:
        """Run the rows of all jobs."""
        decoded = iter(self.predictor.run([row for job in x for row in job.rows]))
        return [(job, [next(decoded) for _ in job.rows]) for job in x]

    def unbatch(self, output: list[tuple[Job, list[Decoded]]]) -> list[tuple[Job, list[Decoded]]]:
        """Return the outputs unchanged; there is one per job already."""
        return output

    def encode_response(self, output: tuple[Job, list[Decoded]]) -> dict[str, Any]:
        """Convert the decoded class ids to a response; the words of a scene are read one scene after another."""
        job, decoded = output
        return reply(self.predictor, job.task, self.predictor.complete(job, decoded))


def main() -> None:
    """Serve until stopped."""
    args = arguments()
    api = Api(args.checkpoint, args.threads, args.rows)
    server = litserve.LitServer(api, accelerator="cpu", timeout=DEADLINE_S, fast_queue=True)
    server.app.state.checkpoint = args.checkpoint
    server.run("127.0.0.1", args.port, log_level="warning", generate_client_file=False, access_log=False)


if __name__ == "__main__":
    main()
