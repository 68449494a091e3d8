"""Endpoints for administrators."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from omninet.app.http.routers.common import REFUSALS, require_admin
from omninet.app.http.schemas import ErrorReply, ModelName
from omninet.app.http.service import ServiceDependency

router = APIRouter(
    prefix="/admin",
    tags=["admin"],
    dependencies=[Depends(require_admin)],
    responses={**REFUSALS, **{status: {"model": ErrorReply} for status in (403, 409, 503)}},
)


@router.post("/reload", summary="Serve what the checkpoint's folder holds now")
async def reload(service: ServiceDependency) -> ModelName:
    """Load the checkpoint again and switch to it; respond when the old model has been unloaded.

    No request is lost: the old model completes the requests that it has started. If the new checkpoint cannot be
    loaded, or a task fails on it, the old model stays and the response is 409 `reload_failed` with the reason. The
    signal SIGHUP starts a reload, too.

    ```sh
    curl -X POST -H "Authorization: Bearer $KEY" http://127.0.0.1:8000/admin/reload
    ```
    """
    model = await service.backend.reload()
    return ModelName(name=model.name, version=model.version)
