"""Several requests in one."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Depends, Request, Response

from omninet.app.http.batch.running import BatchRun
from omninet.app.http.batch.schemas import BatchReply, BatchRequest
from omninet.app.http.disconnect import until_disconnected
from omninet.app.http.routers.common import ERRORS, require_json, timeout
from omninet.app.http.service import ServiceDependency

router = APIRouter(tags=["batch"], responses=ERRORS)


@router.post(
    "/batch",
    summary="Several requests in one",
    response_model=BatchReply,
    dependencies=[Depends(require_json), Depends(timeout)],
)
async def batch(form: BatchRequest, service: ServiceDependency, request: Request) -> Response:
    """Answer up to 64 items at once; each has the status, the limits and the answer of a request of its own.

    An item that fails costs no other. Files are sent in base64; addresses are not fetched. Streams and pictures cannot
    be part of a batch. Each item counts for the rate limit, besides the request itself; all share its deadline.

    ```sh
    curl --json '{"items": [{"task": "pos", "inputs": {"text": "A dog runs."}}]}' http://127.0.0.1:8000/batch
    ```
    """
    items = BatchRun(request, service)
    running = asyncio.ensure_future(items.run(form.items))
    try:
        results = await until_disconnected(request, _result_of(running))
    finally:
        items.leave()
        await asyncio.wait({running})
    return Response(b'{"results":[%s]}' % b",".join(results), media_type="application/json")


async def _result_of(running: asyncio.Future[list[bytes]]) -> list[bytes]:
    """Wait without cancelling: items that end by themselves are logged and counted as any other request."""
    return await asyncio.shield(running)
