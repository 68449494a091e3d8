"""One copy of the model."""

from __future__ import annotations

from omninet.app.engine.admission import Intake
from omninet.app.engine.cnp_stage import CNPStage
from omninet.app.engine.feature_stage import VisionStage
from omninet.app.engine.metrics import EngineMetrics
from omninet.app.engine.warm_up import warm_up
from omninet.app.engine.work import Kind, WorkQueue
from omninet.model.predictor import Predictor


class Replica:
    """Takes work from the queue, brings it through the model and answers it, in two stages.

    Images and videos first go through the backbone, which is most of their work; texts need the CNP alone, and its
    steps go on beside the backbone, in a thread of their own.

    Args:
        rows: of each kind that it has at a time.
        frames: that go through the backbone at once.
    """

    def __init__(
        self, predictor: Predictor, queue: WorkQueue, metrics: EngineMetrics, *, rows: int, frames: int
    ) -> None:
        self.predictor = predictor
        room: dict[Kind, int] = {"text": rows, "image": rows, "video": max(1, rows // 4)}
        self._intake = Intake(queue, room)
        self.vision = VisionStage(predictor, self._intake, metrics, frames)
        self.cnp = CNPStage(predictor, self._intake, metrics, self.vision)

    @property
    def is_alive(self) -> bool:
        """Whether it works."""
        return self.cnp.is_alive and self.vision.is_alive

    @property
    def held(self) -> int:
        """Rows that it has taken and not answered."""
        return self._intake.held

    def warm_up(self) -> None:
        """Run every task once, before it is started.

        Raises:
            CheckpointError: a probability is no number.
        """
        warm_up(self.predictor)

    def start(self) -> None:
        """Begin to take work."""
        self.vision.start()
        self.cnp.start()

    def join(self) -> None:
        """Wait until the queue is closed and all work is answered, or nothing works any more."""
        self.vision.join()
        self.cnp.join()
