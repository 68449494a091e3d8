"""Studies that train and measure several networks: the tables of OmniNet's paper, and that of 12-in-1."""

from omninet.training.reproduce.paper import Study
from omninet.training.reproduce.parts import Train
from omninet.training.reproduce.twelve import Twelve

__all__ = ["Study", "Train", "Twelve"]
