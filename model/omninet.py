"""The network: peripherals around one Central Neural Processor, nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from torch import nn

from model.cnp import CNP
from model.config import CNPConfig, from_dict
from model.errors import ConfigError
from model.memory import Memory
from model.peripherals import PERIPHERALS


@dataclass(frozen=True)
class OmniNetConfig:
    """One network. The defaults are the paper's.

    Attributes:
        peripherals: name in PERIPHERALS -> its configuration.
        domains: names of the input domains, in the order of their control vectors.
        tasks: name of a task -> classes of its output, in the order of their control vectors.
    """

    cnp: CNPConfig = field(default_factory=CNPConfig)
    peripherals: Mapping[str, Any] = field(
        default_factory=lambda: {name: kind.Config() for name, kind in PERIPHERALS.items()}
    )
    domains: tuple[str, ...] = ("english", "german", "image")
    tasks: Mapping[str, int] = field(default_factory=lambda: {"pos": 48, "activity": 52, "caption": 25000, "vqa": 3500})

    def __post_init__(self) -> None:
        for name in ("peripherals", "tasks"):
            if not isinstance(getattr(self, name), Mapping):
                raise ConfigError(f"OmniNetConfig.{name} must map names to values, not {getattr(self, name)!r}")
        names = [*self.domains, *self.tasks]
        for name in names:
            if names.count(name) > 1:
                raise ConfigError(f"OmniNetConfig has more than one domain or task of the name {name!r}")
        if not self.tasks:
            raise ConfigError("OmniNetConfig.tasks must name at least one task")
        for name, classes in self.tasks.items():
            if not isinstance(classes, int) or classes < 1:
                raise ConfigError(f"OmniNetConfig.tasks.{name} must be a whole number above 0, not {classes!r}")
        for name in self.peripherals:
            if name not in PERIPHERALS:
                raise ConfigError(f"OmniNetConfig.peripherals.{name} is unknown; known are {', '.join(PERIPHERALS)}")
            if PERIPHERALS[name].domain not in self.domains:
                raise ConfigError(f"OmniNetConfig.domains lacks {PERIPHERALS[name].domain!r}, the domain of {name}")

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Any, where: str = "network") -> OmniNetConfig:
        """Build from JSON values, strictly.

        Raises:
            ConfigError: an unknown or missing name, or a value out of range; the message names it.
        """
        outer = from_dict(cls, values, where)
        peripherals = {}
        for name, inner in outer.peripherals.items():
            peripherals[name] = from_dict(PERIPHERALS[name].Config, inner, f"{where}.peripherals.{name}")
        return replace(outer, peripherals=peripherals)


class OmniNet(nn.Module):
    """Any mix of inputs to a Memory; what is decoded from it is the CNP's business."""

    def __init__(self, config: OmniNetConfig) -> None:
        super().__init__()
        self.config = config
        self.peripherals = nn.ModuleDict(
            {name: PERIPHERALS[name](inner, config.cnp.d_model) for name, inner in config.peripherals.items()}
        )
        self.cnp = CNP(config.cnp, config.domains, dict(config.tasks))

    def encode(self, inputs: Sequence[tuple[str, Any]], moves: bool = True) -> Memory:
        """Encode inputs in their order, pairs of a peripheral's name and its collated batch.

        Args:
            moves: whether what changes from frame to frame is told, to tasks that have learnt what it looks like.
        """
        memory: Memory | None = None
        for name, batch in inputs:
            x, mask = self.peripherals[name](batch, moves)
            memory = self.cnp.encode(x, PERIPHERALS[name].domain, memory, mask)
        if memory is None:
            raise ValueError("a memory needs at least one input")
        return memory
