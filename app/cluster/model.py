"""The Ray deployment that runs the model."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import ray

from omninet.app.answering import describe, prepare_and_run, with_updates
from omninet.app.backend import Description, Notify, Prediction
from omninet.app.cluster.messages import OtherPeripheralError, Question, packed
from omninet.app.engine.loading import load_engine
from omninet.app.http.deadline import within
from omninet.app.processes.messages import pack, unpack
from omninet.app.settings import Settings
from omninet.app.telemetry.logs import configure_logs
from omninet.app.telemetry.stopwatch import Stopwatch

GRACE_S = 1.0


class ModelDeployment:
    """A replica with its own engine, for the checkpoint of the settings.

    Raises:
        CheckpointError: the checkpoint cannot be loaded.
        DeviceError: a device cannot be used.
    """

    def __init__(self) -> None:
        configure_logs()
        settings = Settings()
        if settings.torch_threads is None:
            settings = settings.model_copy(update={"torch_threads": _threads()})
        self._engine = load_engine(settings)
        self._engine.start()

    async def check(self, task: str, given: dict[str, Any]) -> bytes:
        """Return a pickled None if ``Processor.check`` accepts a request, or the pickled error."""

        async def checked() -> None:
            self._engine.processor.check(task, **given)

        return await packed(checked())

    async def predict(self, message: bytes) -> bytes:
        """Run a pickled Question; return the pickled Prediction, or a pickled error."""
        return await packed(self._predict(unpack(message)))

    async def stream(self, message: bytes) -> AsyncIterator[bytes]:
        """Run a pickled Question; yield the final part of the text each time it has grown, then the result, pickled."""
        question = unpack(message)
        found = with_updates(lambda notify: packed(self._predict(question, notify)))
        async for each in found:
            yield each if isinstance(each, bytes) else pack(each)

    async def describe(self) -> Description:
        """Return the description of this replica's model."""
        return describe(self._engine)

    def check_health(self) -> None:
        """Raise RuntimeError if the engine is broken; Ray then replaces the replica."""
        if not self._engine.is_alive:
            raise RuntimeError("the engine has failed; the replica must be replaced")

    async def _predict(self, question: Question, notify: Notify | None = None) -> Prediction:
        peripherals = self._engine.processor.config.network.peripherals
        if any(peripherals.get(name) != config for name, config in question.configs.items()):
            raise OtherPeripheralError
        # The ingress cancels this call at the deadline. The time-out here is for an ingress that has died.
        seconds = question.seconds + GRACE_S
        return await within(seconds, prepare_and_run(self._engine, question.task, question.inputs, Stopwatch(), notify))

    async def __del__(self) -> None:
        if hasattr(self, "_engine"):  # missing if the constructor failed
            await self._engine.stop()


def _threads() -> int:
    """Return the number of threads of each of the model's two stages: half of the cores assigned by Ray."""
    context: Any = ray.get_runtime_context()
    cores = context.get_assigned_resources().get("CPU", 1.0)
    return max(1, int(cores) // 2)
