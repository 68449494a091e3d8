"""Evaluation of a checkpoint on held-out data, compared with the best constant answer."""

from omninet.training.evaluate.answering import Answered, answer_all, answer_data
from omninet.training.evaluate.measures import Figure, Measure, evaluate, measure
from omninet.training.evaluate.report import Report, write_to_card
from omninet.training.evaluate.tables import table

__all__ = [
    "Answered",
    "Figure",
    "Measure",
    "Report",
    "answer_all",
    "answer_data",
    "evaluate",
    "measure",
    "table",
    "write_to_card",
]
