"""Studies that train and measure several networks: the tables of OmniNet's paper."""

from omninet.training.reproduce.paper import Study
from omninet.training.reproduce.parts import Train

__all__ = ["Study", "Train"]
