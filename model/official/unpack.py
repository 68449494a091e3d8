"""Convert the authors' pickles to safetensors and JSON in a restricted process, since pickles are untrusted.

python -m omninet.model.official.unpack weights model.pth state.safetensors
python -m omninet.model.official.unpack answers vqa_vocab.pkl answers.json
"""

from __future__ import annotations

import json
import pickle
import re
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

from omninet.model.errors import CheckpointError

TIMEOUT_S = 600
ANSWERS_BYTES = 16 * 2**20  # limit of the answers file; that of the authors has about 100 kB
MEMORY = 16 * 2**30


class PlainUnpickler(pickle.Unpickler):
    """Unpickler for dictionaries, lists, tuples, strings and numbers; it refuses all classes and functions."""

    def find_class(self, module: str, name: str) -> NoReturn:
        """Raise UnpicklingError."""
        raise pickle.UnpicklingError(f"it contains {module}.{name}; only containers, strings and numbers are allowed")

    def persistent_load(self, pid: Any) -> NoReturn:
        """Raise UnpicklingError."""
        raise pickle.UnpicklingError(f"it refers to the external object {pid!r}; external objects are not allowed")


def unpack(kind: str, source: Path, target: Path) -> None:
    """Convert ``source`` to ``target`` in another process.

    Args:
        kind: ``weights`` or ``answers``.

    Raises:
        CheckpointError: the file is missing, invalid or takes too long; the message gives the reason.
    """
    if not source.is_file():
        raise CheckpointError(f"{source} does not exist")
    command = [sys.executable, "-P", "-m", "omninet.model.official.unpack", kind, str(source), str(target)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        raise CheckpointError(f"{source} took longer to read than {TIMEOUT_S} s") from None
    if done.returncode:
        why = done.stderr.strip().splitlines()[-1:] or [f"the reader process ended with exit code {done.returncode}"]
        raise CheckpointError(f"{source} cannot be read: {why[0]}")


def read_weights(source: Path, target: Path) -> None:
    """Convert a state dict saved by torch to safetensors; tensors that share memory are copied.

    Raises:
        CheckpointError: the file is not a state dict, or contains other objects.
    """
    import torch
    from safetensors.torch import save_file

    try:
        state = torch.load(source, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        asked = re.search(r"GLOBAL (\S+)", str(error))  # the rest of torch's message advises to load the file unsafely
        raise CheckpointError(f"it contains {asked[1]}" if asked else "it is not a state dict saved by torch") from None
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise CheckpointError("it is not a state dict, which maps names to tensors")
    save_file({str(name): tensor.clone().contiguous() for name, tensor in state.items()}, target)


def read_answers(source: Path, target: Path) -> None:
    """Convert the authors' pair of dictionaries, answer -> id and id -> answer, to JSON: id -> answer.

    Raises:
        CheckpointError: the file is too large or has another structure.
    """
    if source.stat().st_size > ANSWERS_BYTES:
        raise CheckpointError(f"it has more than {ANSWERS_BYTES} bytes")
    with source.open("rb") as file:
        found = PlainUnpickler(file).load()
    if not isinstance(found, tuple) or len(found) != 2 or not all(isinstance(part, dict) for part in found):
        raise CheckpointError("it is not a pair of dictionaries, answer to id and id to answer")
    target.write_text(json.dumps({str(number): str(answer) for number, answer in found[1].items()}), encoding="utf-8")


def main() -> int:
    """Convert the file named on the command line; after an error the last line on stderr gives the reason."""
    kind, source, target = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        {"weights": read_weights, "answers": read_answers}[kind](source, target)
    except Exception as error:
        print(str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
