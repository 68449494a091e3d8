"""The weights of a checkpoint: in one safetensors file, or in several with an index of which tensor lies where."""

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

from omninet.model.errors import CheckpointError
from omninet.model.network.omninet import OmniNet
from omninet.model.network_config import OmniNetConfig
from omninet.model.storage.layout import INDEX, WEIGHTS


def write_weights(network: OmniNet, folder: Path, dtype: torch.dtype, apart: Mapping[str, str]) -> None:
    """Write the weights of a network.

    Args:
        dtype: type of floating-point weights on disk.
        apart: prefix of the names of weights -> file that they lie in; all others are in ``model.safetensors``.
    """
    tensors = {name: _on_disk(tensor, dtype) for name, tensor in network.state_dict().items()}
    files = {name: _file_of(name, apart) for name in tensors}
    for file in {WEIGHTS, *files.values()}:
        save_file({name: tensor for name, tensor in tensors.items() if files[name] == file}, folder / file)
    if set(files.values()) != {WEIGHTS}:
        (folder / INDEX).write_text(json.dumps({"weight_map": files}, indent=2) + "\n", encoding="utf-8")


def places(folder: Path, listed: Mapping[str, str]) -> dict[str, str]:
    """Return the file of each tensor, by the index, or by the header of the one file.

    Args:
        listed: names of the files that the folder has.

    Raises:
        CheckpointError: the index cannot be used, or names files that are not there.
    """
    if INDEX not in listed:
        with _opened(folder / WEIGHTS) as file:
            return dict.fromkeys(file.keys(), WEIGHTS)
    try:
        found = json.loads((folder / INDEX).read_text(encoding="utf-8"))["weight_map"]
    except (OSError, ValueError, TypeError, KeyError):
        found = None
    if not isinstance(found, dict) or not all(isinstance(place, str) for place in found.values()):
        raise CheckpointError(f"{folder / INDEX} must map the names of tensors to files, as weight_map")
    if unlisted := set(found.values()) - listed.keys():
        raise CheckpointError(f"{folder / INDEX} names {min(unlisted)}, which is not listed")
    return found


def read_tensors(folder: Path, wanted: Mapping[str, str]) -> dict[str, Tensor]:
    """Read tensors, name -> file; those that their file lacks are left out.

    Raises:
        CheckpointError: a file is no safetensors file.
    """
    tensors: dict[str, Tensor] = {}
    for place in sorted(set(wanted.values())):
        with _opened(folder / place) as file:
            held = set(file.keys())
            tensors |= {n: file.get_tensor(n) for n, p in wanted.items() if p == place and n in held}
    return tensors


def digest(sums: Mapping[str, str], files: Mapping[str, str]) -> str:
    """Return the SHA-256 of the one file, or of the digests of several."""
    names = sorted(set(files.values()))
    return sums[WEIGHTS] if names == [WEIGHTS] else hashlib.sha256("".join(sums[n] for n in names).encode()).hexdigest()


def built(config: OmniNetConfig, tensors: Mapping[str, Tensor], source: str) -> OmniNet:
    """A network with the given weights, all of them and nothing else, on the CPU in float32.

    Raises:
        CheckpointError: as ``load_weights``.
    """
    return filled(announced(config), tensors, source)


def announced(config: OmniNetConfig) -> OmniNet:
    """Build a network whose weights have shapes and no values."""
    with torch.device("meta"):  # to draw weights first, and to throw them away, takes longer than to read a file
        return OmniNet(config)


def filled(network: OmniNet, tensors: Mapping[str, Tensor], source: str) -> OmniNet:
    """Give an announced network its weights, on the CPU in float32.

    Raises:
        CheckpointError: as ``load_weights``.
    """
    _check_fit(network, tensors, source)
    types = {name: tensor.dtype for name, tensor in network.state_dict().items()}
    network.load_state_dict({name: tensor.to(types[name], copy=True) for name, tensor in tensors.items()}, assign=True)
    return network.to(memory_format=torch.channels_last)  # as its convolutions were before


def load_weights(network: torch.nn.Module, tensors: Mapping[str, Tensor], source: str) -> None:
    """Fill ``network`` from ``tensors``, all of them and nothing else.

    Raises:
        CheckpointError: names the tensors that are missing, extra or of another shape.
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
