"""Reports of a training run, and their outputs: log, TensorBoard and terminal."""

from omninet.training.watch.multi_watcher import watchers
from omninet.training.watch.records import EvaluationRecord, Sample, StepRecord, Watcher

__all__ = ["EvaluationRecord", "Sample", "StepRecord", "Watcher", "watchers"]
