"""The deployment that has the model."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import ray

from omninet.app.answering import answer, describe, told
from omninet.app.backend import Answered, Description, Tell
from omninet.app.cluster.messages import OtherPeripheralError, Question, packed
from omninet.app.engine.loading import load_engine
from omninet.app.http.deadline import within
from omninet.app.processes.messages import pack, unpack
from omninet.app.settings import Settings
from omninet.app.telemetry.logs import configure_logs
from omninet.app.telemetry.stopwatch import Stopwatch

GRACE_S = 1.0


class Model:
    """A replica with an engine of its own, which batches across tasks, for the checkpoint of the settings.

    Raises:
        CheckpointError, DeviceError: say what is wrong with the folder or the devices.
    """

    def __init__(self) -> None:
        configure_logs()
        settings = Settings()
        if settings.torch_threads is None:
            settings = settings.model_copy(update={"torch_threads": _threads()})
        self._engine = load_engine(settings)
        self._engine.start()

    async def answer(self, message: bytes) -> bytes:
        """The answer to a Question, as Answered."""
        return await packed(self._answer(unpack(message)))

    async def stream(self, message: bytes) -> AsyncIterator[bytes]:
        """What is settled of a text, whenever that is more, and last the answer."""
        question = unpack(message)
        found = told(lambda tell: packed(self._answer(question, tell)))
        async for each in found:
            yield each if isinstance(each, bytes) else pack(each)

    async def describe(self) -> Description:
        """The model of this replica."""
        return describe(self._engine)

    def check_health(self) -> None:
        """Ray puts another replica in the place of one on which this raises."""
        if not self._engine.is_alive:
            raise RuntimeError("the model has failed")

    async def _answer(self, question: Question, tell: Tell | None = None) -> Answered:
        peripherals = self._engine.processor.config.network.peripherals
        if any(peripherals.get(name) != config for name, config in question.configs.items()):
            raise OtherPeripheralError
        # Whoever asks gives up before, and says so to this replica; unless that machine is gone.
        seconds = question.seconds + GRACE_S
        return await within(seconds, answer(self._engine, question.task, question.inputs, Stopwatch(), tell))

    async def __del__(self) -> None:
        if hasattr(self, "_engine"):  # else it never began
            await self._engine.stop()


def _threads() -> int:
    """For each of the model's two stages: half of the cores that Ray has given this replica."""
    context: Any = ray.get_runtime_context()
    cores = context.get_assigned_resources().get("CPU", 1.0)
    return max(1, int(cores) // 2)
