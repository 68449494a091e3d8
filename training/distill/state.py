"""Training states of a distillation, in files of a few megabytes each, which are easy to transfer."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from omninet.model.errors import CheckpointError
from omninet.model.storage.weights import load_weights
from omninet.training.config import CONFIG, differences
from omninet.training.data import DataError
from omninet.training.distill.config import DistillConfig
from omninet.training.distill.optimiser import DistillOptimiser

LIMIT = 8 * 2**20  # maximum bytes per file, except for a single larger tensor
STEP = "step.json"
STUDENT = "student."
AVERAGE = "average."
# Settings that may change when a distillation is resumed: length, weights of the photos, frequency of evaluations.
FREE = {"steps", "cooldown", "often", "measured"}


@dataclass
class DistillProgress:
    """Steps done and training time in seconds."""

    step: int = 0
    seconds: float = 0.0


def save_state(
    folder: Path,
    config: DistillConfig,
    student: nn.Module,
    average: nn.Module,
    optimiser: DistillOptimiser,
    progress: DistillProgress,
) -> None:
    """Write ``state/`` atomically: after a kill at any moment, ``state/`` or ``state.old/`` is complete."""
    fresh, home, old = folder / "state.part", folder / "state", folder / "state.old"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    tensors = {f"{STUDENT}{name}": tensor for name, tensor in student.state_dict().items()}
    tensors |= {f"{AVERAGE}{name}": tensor for name, tensor in average.state_dict().items()}
    for number, shard in enumerate(_shards(tensors | optimiser.tensors())):
        save_file(shard, fresh / f"{number:02d}.safetensors")
    config.save(fresh / CONFIG)
    (fresh / STEP).write_text(json.dumps(asdict(progress)))
    if home.exists():
        shutil.rmtree(old, ignore_errors=True)
        home.rename(old)
    fresh.rename(home)
    shutil.rmtree(old, ignore_errors=True)


def load_state(
    folder: Path, config: DistillConfig, student: nn.Module, average: nn.Module, optimiser: DistillOptimiser
) -> DistillProgress:
    """Load the last state and return its progress; without a state, progress is 0.

    Raises:
        DataError: the state is of another configuration, incomplete or damaged.
    """
    homes = [folder / name for name in ("state", "state.old") if (folder / name / STEP).exists()]
    if not homes:
        return DistillProgress()
    home = homes[0]
    _check_config(home, config)
    tensors: dict[str, Tensor] = {}
    try:
        for path in sorted(home.glob("*.safetensors")):
            tensors |= load_file(path)
        for network, prefix in ((student, STUDENT), (average, AVERAGE)):
            mine = {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
            load_weights(network, mine, str(home))
        progress = DistillProgress(**json.loads((home / STEP).read_text()))
    except (SafetensorError, CheckpointError, ValueError, TypeError) as error:
        raise DataError(f"{home} is incomplete or damaged: {error}") from error
    optimiser.restore(tensors)
    return progress


def _check_config(home: Path, config: DistillConfig) -> None:
    """Check that a state's configuration matches; states without a configuration pass.

    Raises:
        DataError: a setting other than those in FREE differs.
    """
    path = home / CONFIG
    if not path.exists():
        return
    theirs, ours = (c.model_dump(mode="json") for c in (DistillConfig.load(path), config))
    changed = [found for found in differences(theirs, ours) if found[0].partition(".")[0] not in FREE]
    other = [f"{name} {a!r} instead of {b!r}" for name, a, b in changed]
    if other:
        raise DataError(
            f"{home} is of another distillation, with {', '.join(other)}: "
            "resume with the same configuration, or start a new distillation in another --out"
        )


def _shards(tensors: Mapping[str, Tensor]) -> Iterator[dict[str, Tensor]]:
    shard: dict[str, Tensor] = {}
    size = 0
    for name, tensor in tensors.items():
        if shard and size + tensor.nbytes > LIMIT:
            yield shard
            shard, size = {}, 0
        shard[name] = tensor.contiguous()
        size += tensor.nbytes
    yield shard
