"""What only administrators may ask for."""

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
    """Answers when the new model has taken over and nothing of the old one is left.

    No request is lost: those that the old model has begun it also ends. If the new one cannot be read, or a task fails
    on it, the old one stays and the answer is 409 `reload_failed` with the reason. SIGHUP does the same.

    ```sh
    curl -X POST -H "Authorization: Bearer $KEY" http://127.0.0.1:8000/admin/reload
    ```
    """
    model = await service.backend.reload()
    return ModelName(name=model.name, version=model.version)
