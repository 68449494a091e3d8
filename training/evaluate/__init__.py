"""How good a checkpoint is on data it was not trained on, beside the best constant answer."""

from training.evaluate.answering import Answered, answer_all, answer_data
from training.evaluate.measures import Figure, Measure, evaluate, measure
from training.evaluate.report import Report, write_to_card
from training.evaluate.tables import table

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
