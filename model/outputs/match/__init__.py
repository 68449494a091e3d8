"""Match output: how well a text fits a picture."""

from omninet.model.outputs.match.output import MatchOutput

__all__ = ["MatchOutput"]
