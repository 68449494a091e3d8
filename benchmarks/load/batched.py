"""Variant: the model behind LitServe, which makes batches of whole requests.

Media are decoded and texts tokenised by a dependency of the endpoint, in the threads of the process that speaks HTTP:
LitServe's own hook for it runs between the batches, in the process of the model. All endpoints are one API, so that
their requests share batches and the model is there once.
"""

# The annotations are read by LitServe and FastAPI as objects: they must not be postponed.
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import litserve
from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool

from benchmarks.load.baseline import arguments, fields_of, load, prepare, reply
from omninet.model.decoding.hypotheses import Decoded
from omninet.model.job import Job

WINDOW_S = 0.005  # for which a batch waits for more
DEADLINE_S = 60


async def prepared(endpoint: str, request: Request) -> bytes:
    """A request's job, as it goes to the process of the model."""
    predictor = load(request.app.state.checkpoint, threads=1)
    job = await run_in_threadpool(prepare, predictor, endpoint, await fields_of(request))
    return pickle.dumps(job)


class Api(litserve.LitAPI):
    """All endpoints."""

    def __init__(self, checkpoint: Path | None, threads: int, rows: int) -> None:
        super().__init__(max_batch_size=rows, batch_timeout=WINDOW_S, api_path="/{endpoint}")
        self.checkpoint, self.threads = checkpoint, threads

    def setup(self, device: str) -> None:  # noqa: ARG002
        """Load the model, in its process."""
        self.predictor = load(self.checkpoint, self.threads)

    def decode_request(self, request: Annotated[bytes, Depends(prepared)]) -> Job:
        """What came from the other process."""
        job: Job = pickle.loads(request)
        return job

    def batch(self, inputs: Sequence[Job]) -> Sequence[Job]:
        """The model takes any jobs together."""
        return inputs

    def predict(self, x: Sequence[Job]) -> list[tuple[Job, list[Decoded]]]:
        """Run the rows of all jobs."""
        decoded = iter(self.predictor.run([row for job in x for row in job.rows]))
        return [(job, [next(decoded) for _ in job.rows]) for job in x]

    def unbatch(self, output: list[tuple[Job, list[Decoded]]]) -> list[tuple[Job, list[Decoded]]]:
        """They are apart already."""
        return output

    def encode_response(self, output: tuple[Job, list[Decoded]]) -> dict[str, Any]:
        """Class ids to words."""
        job, decoded = output
        return reply(self.predictor, job.task, self.predictor.finish(job, decoded))


def main() -> None:
    """Serve until stopped."""
    args = arguments()
    api = Api(args.checkpoint, args.threads, args.rows)
    server = litserve.LitServer(api, accelerator="cpu", timeout=DEADLINE_S, fast_queue=True)
    server.app.state.checkpoint = args.checkpoint
    server.run("127.0.0.1", args.port, log_level="warning", generate_client_file=False, access_log=False)


if __name__ == "__main__":
    main()
