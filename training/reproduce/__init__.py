"""Studies that train and measure several networks: those of OmniNet's paper, of 12-in-1 and of MultiModel."""

from omninet.training.reproduce.blocks import Blocks
from omninet.training.reproduce.networks import Networks
from omninet.training.reproduce.paper import Study
from omninet.training.reproduce.parts import Train
from omninet.training.reproduce.twelve import Twelve

__all__ = ["Blocks", "Networks", "Study", "Train", "Twelve"]
