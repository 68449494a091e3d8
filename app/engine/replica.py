"""One replica of the model."""

from __future__ import annotations

from omninet.app.engine.admission import Intake
from omninet.app.engine.cnp_stage import CNPStage
from omninet.app.engine.feature_stage import VisionStage
from omninet.app.engine.metrics import EngineMetrics
from omninet.app.engine.warm_up import warm_up
from omninet.app.engine.work import Kind, WorkQueue
from omninet.model.predictor import Predictor


class EngineReplica:
    """Processes work from the queue in two pipeline stages, each with its own thread.

    Images and videos first pass the backbone, which takes most of their time; texts need the CNP only, so they are
    decoded while the backbone runs.

    Args:
        predictor: the model on one device.
        queue: shared by all replicas.
        metrics: of the engine.
        rows: maximum number of rows of each kind in progress; a quarter of it for videos.
        frames: batch size of the backbone.
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
        """Whether both stages are healthy."""
        return self.cnp.is_alive and self.vision.is_alive

    @property
    def held(self) -> int:
        """Number of rows in progress."""
        return self._intake.held

    def warm_up(self) -> None:
        """Run every task once; call it before ``start``.

        Raises:
            CheckpointError: a task gives NaN or infinite probabilities.
        """
        warm_up(self.predictor)

    def start(self) -> None:
        """Start the threads of both stages."""
        self.vision.start()
        self.cnp.start()

    def join(self) -> None:
        """Wait until both stages have ended: the queue is closed and all work is done, or the stage is broken."""
        self.vision.join()
        self.cnp.join()
