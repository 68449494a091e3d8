"""What a run reports while it trains, and who shows it: a log, TensorBoard, the terminal."""

from omninet.training.watch.everyone import watchers
from omninet.training.watch.records import EvaluationRecord, Sample, StepRecord, Watcher

__all__ = ["EvaluationRecord", "Sample", "StepRecord", "Watcher", "watchers"]
