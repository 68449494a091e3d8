"""Reports of a training run, and their outputs: log, TensorBoard and terminal."""

from omninet.training.watch.multi_watcher import watchers
from omninet.training.watch.records import EvaluationRecord, Sample, ScheduleRecord, StepRecord, Watcher

__all__ = ["EvaluationRecord", "Sample", "ScheduleRecord", "StepRecord", "Watcher", "watchers"]
