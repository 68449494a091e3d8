"""Weights of a checkpoint: one safetensors file, or several with an index (tensor -> file)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import init
from torch.overrides import TorchFunctionMode

from omninet.model.errors import CheckpointError
from omninet.model.network.omninet import OmniNet
from omninet.model.network_config import OmniNetConfig
from omninet.model.storage.layout import INDEX, WEIGHTS


def write_weights(network: OmniNet, folder: Path, dtype: torch.dtype, apart: Mapping[str, str]) -> None:
    """Write the weights of a network as safetensors, with an index if there are several files.

    Args:
        dtype: dtype of floating-point weights on disk.
        apart: prefix of weight names -> file to write them to; all other weights go to ``model.safetensors``.
    """
    tensors = {name: _on_disk(tensor, dtype) for name, tensor in network.state_dict().items()}
    files = {name: _file_of(name, apart) for name in tensors}
    for file in {WEIGHTS, *files.values()}:
        save_file({name: tensor for name, tensor in tensors.items() if files[name] == file}, folder / file)
    if set(files.values()) != {WEIGHTS}:
        (folder / INDEX).write_text(json.dumps({"weight_map": files}, indent=2) + "\n", encoding="utf-8")


def places(folder: Path, listed: Mapping[str, str]) -> dict[str, str]:
    """Return tensor name -> file, from the index or, without one, from the header of ``model.safetensors``.

    Args:
        listed: files of the folder: name -> digest.

    Raises:
        CheckpointError: the index is invalid, or names files that are not listed.
    """
    if INDEX not in listed:
        with _opened(folder / WEIGHTS) as file:
            return dict.fromkeys(file.keys(), WEIGHTS)
    try:
        found = json.loads((folder / INDEX).read_text(encoding="utf-8"))["weight_map"]
    except (OSError, ValueError, TypeError, KeyError):
        found = None
    if not isinstance(found, dict) or not all(isinstance(place, str) for place in found.values()):
        raise CheckpointError(f"{folder / INDEX} must have an object weight_map that maps names of tensors to files")
    if unlisted := set(found.values()) - listed.keys():
        raise CheckpointError(f"{folder / INDEX} names {min(unlisted)}, which SHA256SUMS does not list")
    return found


def read_tensors(folder: Path, wanted: Mapping[str, str]) -> dict[str, Tensor]:
    """Read tensors; tensors that are not in their file are left out.

    Args:
        wanted: tensor name -> file.

    Raises:
        CheckpointError: a file is not a safetensors file.
    """
    tensors: dict[str, Tensor] = {}
    for place in sorted(set(wanted.values())):
        with _opened(folder / place) as file:
            held = set(file.keys())
            tensors |= {n: file.get_tensor(n) for n, p in wanted.items() if p == place and n in held}
    return tensors


def digest(sums: Mapping[str, str], files: Mapping[str, str]) -> str:
    """Return the digest of the weights: the SHA-256 of the one file, or of the joined digests of several files."""
    names = sorted(set(files.values()))
    return sums[WEIGHTS] if names == [WEIGHTS] else hashlib.sha256("".join(sums[n] for n in names).encode()).hexdigest()


def build_network(config: OmniNetConfig, tensors: Mapping[str, Tensor], source: str) -> OmniNet:
    """Build a network with the given weights on the CPU in float32.

    Args:
        source: path of the weights, for messages.

    Raises:
        CheckpointError: tensors are missing, unexpected or of another shape.
    """
    return load_into(empty_network(config), tensors, source)


class _Undrawn(TorchFunctionMode):
    """Leaves out random initial values, which are replaced anyway: drawing them takes longer than reading a file."""

    drawn = frozenset((init.normal_, init.uniform_, init.kaiming_uniform_, Tensor.normal_, Tensor.uniform_))

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Return the tensor itself in place of one filled at random."""
        given = kwargs or {}
        if func not in self.drawn:
            return func(*args, **given)
        return args[0] if args else given["tensor"]


def empty_network(config: OmniNetConfig) -> OmniNet:
    """Build a network whose weights have shapes but no meaningful values.

    Its memory has not been written and hence takes no space. On the meta device it would take none either, but torch
    would import its compiler, which takes a second.
    """
    with _Undrawn():
        return OmniNet(config)


def load_into(network: OmniNet, tensors: Mapping[str, Tensor], source: str) -> OmniNet:
    """Give an empty network its weights, on the CPU in float32.

    Args:
        source: path of the weights, for messages.

    Raises:
        CheckpointError: tensors are missing, unexpected or of another shape.
    """
    _check_fit(network, tensors, source)
    types = {name: tensor.dtype for name, tensor in network.state_dict().items()}
    network.load_state_dict({name: tensor.to(types[name], copy=True) for name, tensor in tensors.items()}, assign=True)
    # assign=True has replaced the weights of the convolutions, which were in the format channels_last.
    return network.to(memory_format=torch.channels_last)


def load_weights(network: torch.nn.Module, tensors: Mapping[str, Tensor], source: str) -> None:
    """Load ``tensors`` into a network; their names and shapes must match exactly.

    Args:
        source: path of the weights, for messages.

    Raises:
        CheckpointError: tensors are missing, unexpected or of another shape; the message names the first five.
    """
    _check_fit(network, tensors, source)
    network.load_state_dict(dict(tensors))


def _check_fit(network: torch.nn.Module, tensors: Mapping[str, Tensor], source: str) -> None:
    expected = network.state_dict()
    problems = [f"missing {name}" for name in expected if name not in tensors]
    problems += [f"unexpected {name}" for name in tensors if name not in expected]
    problems += [
        f"{name} has shape {tuple(tensors[name].shape)} instead of {tuple(tensor.shape)}"
        for name, tensor in expected.items()
        if name in tensors and tensors[name].shape != tensor.shape
    ]
    if problems:
        shown = "; ".join(problems[:5]) + (f"; and {len(problems) - 5} more" if len(problems) > 5 else "")
        raise CheckpointError(f"{source} does not fit its configuration: {shown}")


def _file_of(tensor: str, apart: Mapping[str, str]) -> str:
    return next((file for prefix, file in apart.items() if tensor.startswith(prefix)), WEIGHTS)


def _on_disk(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    tensor = tensor.detach().cpu().contiguous()
    return tensor.to(dtype) if tensor.is_floating_point() else tensor


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is not a safetensors file: {error}") from error
