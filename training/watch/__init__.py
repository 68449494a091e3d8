"""What a run reports while it trains, and who shows it: a log, TensorBoard, the terminal."""

from training.watch.everyone import watchers
from training.watch.records import EvaluationRecord, Sample, StepRecord, Watcher

__all__ = ["EvaluationRecord", "Sample", "StepRecord", "Watcher", "watchers"]
