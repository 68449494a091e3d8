"""The authors' pickles to safetensors and JSON, in a process of its own: what they hold is not to be trusted.

python -m model.official.unpack weights model.pth state.safetensors
python -m model.official.unpack answers vqa_vocab.pkl answers.json
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

SECONDS = 600
ANSWERS_BYTES = 16 * 2**20  # of their file of answers, which has a hundred thousand
MEMORY = 16 * 2**30


class PlainUnpickler(pickle.Unpickler):
    """Dictionaries, lists, tuples, strings and numbers; whatever would have to be looked up is refused."""

    def find_class(self, module: str, name: str) -> NoReturn:
        """Raise UnpicklingError."""
        raise pickle.UnpicklingError(f"it asks for {module}.{name}; only containers, strings and numbers are read")

    def persistent_load(self, pid: Any) -> NoReturn:
        """Raise UnpicklingError."""
        raise pickle.UnpicklingError(f"it refers to {pid!r}, which is outside of it")


def unpack(kind: str, source: Path, target: Path) -> None:
    """Let another process read ``source`` and write ``target``.

    Args:
        kind: ``weights`` or ``answers``.

    Raises:
        CheckpointError: the file cannot be read; says why.
    """
    if not source.is_file():
        raise CheckpointError(f"{source} is not there")
    command = [sys.executable, "-P", "-m", "omninet.model.official.unpack", kind, str(source), str(target)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise CheckpointError(f"{source} took longer to read than {SECONDS} s") from None
    if done.returncode:
        why = done.stderr.strip().splitlines()[-1:] or [f"its reader ended with {done.returncode}"]
        raise CheckpointError(f"{source} cannot be read: {why[0]}")


def read_weights(source: Path, target: Path) -> None:
    """A state dict as torch saves it -> safetensors; what shares memory is written twice."""
    import torch
    from safetensors.torch import save_file

    try:
        state = torch.load(source, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        asked = re.search(r"GLOBAL (\S+)", str(error))  # the rest of torch's message is advice to run it
        raise CheckpointError(f"it asks for {asked[1]}" if asked else "it is no state dict of torch's") from None
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise CheckpointError("it is no state dict: names and tensors, nothing else")
    save_file({str(name): tensor.clone().contiguous() for name, tensor in state.items()}, target)


def read_answers(source: Path, target: Path) -> None:
    """Their pair of dictionaries, answer -> id and id -> answer, to the list of the answers by id."""
    if source.stat().st_size > ANSWERS_BYTES:
        raise CheckpointError(f"it has more than {ANSWERS_BYTES} bytes")
    with source.open("rb") as file:
        found = PlainUnpickler(file).load()
    if not isinstance(found, tuple) or len(found) != 2 or not all(isinstance(part, dict) for part in found):
        raise CheckpointError("it is no pair of dictionaries, answer to id and id to answer")
    target.write_text(json.dumps({str(number): str(answer) for number, answer in found[1].items()}), encoding="utf-8")


def main() -> int:
    """Do it; on failure the last line on stderr says why."""
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
