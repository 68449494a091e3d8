"""Prediction with a loaded network: prepare inputs, encode and decode, build answers."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from omninet.model import checkpoint as checkpoints
from omninet.model.checkpoint import BUNDLED, Checkpoint
from omninet.model.decoding.batch import RunningBatch
from omninet.model.decoding.goal import score_goal
from omninet.model.decoding.hypotheses import Decoded, Hypothesis
from omninet.model.decoding.search import Search
from omninet.model.documents import Documents
from omninet.model.errors import CheckpointError
from omninet.model.explain.attention import explain
from omninet.model.fast.devices import check_precision, choose_device
from omninet.model.fast.precision import settle
from omninet.model.job import Job
from omninet.model.media.limits import MediaLimits
from omninet.model.modalities.language.config import LanguageConfig
from omninet.model.modalities.language.tokenizer import Tokenizer
from omninet.model.network.cnp import group
from omninet.model.network.encoding import encode, on_device
from omninet.model.network.memory import Memory
from omninet.model.outputs import OUTPUTS
from omninet.model.outputs.answer import Answer
from omninet.model.processor import Processor
from omninet.model.rows import Row


class Predictor(Processor):
    """A loaded checkpoint that answers requests; may be called from several threads at once.

    Attributes:
        device: device of the network.
        precision: precision of matrix products.
        agreement: comparison with float32; None if the precision is float32.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        device: str = "auto",
        precision: str = "auto",
        limits: MediaLimits | None = None,
    ) -> None:
        super().__init__(
            checkpoint.config,
            _tokenizer(checkpoint),
            checkpoint.vocabularies,
            limits or MediaLimits(),
            Documents(checkpoint.card, checkpoint.licence),
            checkpoint.confidences,
            checkpoint.digest,
            {name: _tokenizer(checkpoint, name) for name in checkpoint.tokenizer_files},
        )
        self.device = choose_device(device)
        self.network, self.precision, self.agreement = settle(
            checkpoint.network.eval().requires_grad_(False), self.device, precision, self
        )

    @classmethod
    def load(
        cls,
        folder: Path | None = None,
        *,
        device: str = "auto",
        precision: str = "auto",
        limits: MediaLimits | None = None,
    ) -> Self:
        """Load a checkpoint folder; None loads the bundled checkpoint.

        Args:
            device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
            precision: ``auto``, ``float32``, ``bfloat16`` or ``int8``.
            limits: limits of images, videos and recordings; None means the defaults.

        Raises:
            CheckpointError: the folder is not a valid checkpoint.
            DeviceError: the device does not exist or lacks the precision.
        """
        check_precision(precision, choose_device(device))  # fail before reading weights, which may take minutes
        return cls(checkpoints.load(folder or BUNDLED), device=device, precision=precision, limits=limits)

    def predict(self, task: str, **inputs: Any) -> Answer:
        """Answer one request; see ``prepare`` for the inputs and errors."""
        job = self.prepare(task, **inputs)
        return self.complete(job, self.run(job.rows))

    def complete(self, job: Job, decoded: Sequence[Decoded]) -> Answer:
        """Run the further rows that an answer needs, and return it.

        Args:
            decoded: of the rows of ``job``.
        """
        while (further := self.continued(job, decoded)) is not None:
            job, decoded = further, self.run(further.rows)
        return self.finish(job, decoded)

    def score(self, task: str, sequences: Sequence[Sequence[int]], **inputs: Any) -> list[Hypothesis]:
        """Return the log-probabilities of given sequences, in their order (forced decoding).

        Args:
            sequences: sequences of class ids, none empty; those of a text end with the tokenizer's end token.
            inputs: see ``prepare``.

        Raises:
            ValueError: no sequences, or an empty one.
        """
        (row,) = self.prepare(task, **inputs).rows
        goal = score_goal(task, tuple(map(tuple, sequences)))
        (decoded,) = self.run([replace(row, goal=goal)])
        return [Hypothesis(tuple(decoded.tokens), tuple(decoded.log_probabilities)), *decoded.others]

    @torch.inference_mode()
    def run(self, rows: Sequence[Row]) -> list[Decoded]:
        """Encode and decode rows of any tasks in one batch; return their results in the same order."""
        started = time.perf_counter()
        running, searches = self.running_batch(), dict[int, Search]()
        for members in group(row.shape for row in rows).values():
            searches |= zip(members, self.admit(running, [rows[i] for i in members]), strict=True)
        encoded = time.perf_counter()
        while running:
            running.step()
        done = time.perf_counter()
        results = [searches[i].result() for i in range(len(rows))]
        for row, result in zip(rows, results, strict=True):
            result.encode_ms, result.decode_ms = 1e3 * (encoded - started), 1e3 * (done - encoded)
            for _ in self.explain(row, result):
                pass
        return results

    def explain(self, row: Row, decoded: Decoded) -> Iterator[None]:
        """Set ``decoded.attention`` if the row's goal asks for it; each step of the iterator takes bounded time."""
        return iter(()) if row.goal.explain is None else explain(self.network, self.device, row, decoded)

    def running_batch(self) -> RunningBatch:
        """Return an empty running batch for rows of any tasks."""
        return RunningBatch(self.network.cnp, self.network.heads)

    def admit(self, batch: RunningBatch, rows: Sequence[Row]) -> list[Search]:
        """Encode rows of one shape and add them to a running batch; return the search of each row."""
        if rows[0].goal.depth is None:
            return batch.admit(self.encode(rows), [row.goal for row in rows])
        found: dict[int, Search] = {}
        for members in group(row.goal.task for row in rows).values():
            values = self._read([rows[i] for i in members])
            found |= zip(members, batch.settle([rows[i].goal for i in members], values), strict=True)
        return [found[i] for i in range(len(rows))]

    def _read(self, rows: Sequence[Row]) -> Tensor:
        """Compute the head values of rows of one task that reads an encoder layer, (b, values)."""
        task, depth = rows[0].goal.task, rows[0].goal.depth
        assert depth is not None
        found, mask = self.network.exits(on_device(self.network, self.device, rows), (depth,), rows[0].moves)
        values: Tensor = self.network.heads[task].values(found[depth], mask, depth)  # type: ignore[operator]
        return values

    def see(self, frames: np.ndarray, peripheral: str) -> Tensor:
        """Compute backbone features of frames: uint8 (f, 3, size, size) -> (f, s, channels).

        Equal frames, as still clips have, are computed once. The result may replace the frames in ``Prepared.value`` of
        a row.

        Args:
            frames: frames of any number of rows.
            peripheral: name of the peripheral that has the backbone.
        """
        first, places = distinct(frames)
        repeats = len(first) < len(frames)
        shown = torch.as_tensor(frames[first] if repeats else frames)[None].to(self.device)
        found: Tensor = self.network.peripherals[peripheral].features(shown)[0]  # type: ignore[operator]
        return found[places] if repeats else found

    def encode(self, rows: Sequence[Row]) -> Memory:
        """Encode rows of one shape as one batch."""
        return encode(self.network, self.device, rows)


def distinct(frames: np.ndarray) -> tuple[list[int], list[int]]:
    """Return which frames (f, ...) are not equal to an earlier one, and for each frame its equal among those."""
    known: dict[bytes, int] = {}
    places = [known.setdefault(frame.tobytes(), len(known)) for frame in frames]
    return [places.index(number) for number in range(len(known))], places


def _tokenizer(checkpoint: Checkpoint, name: str = "") -> Tokenizer:
    """Load a tokenizer of a checkpoint; the empty name is that of ``tokenizer.model``.

    Raises:
        CheckpointError: its number of subwords differs from that of a language peripheral or vocabulary that uses it.
    """
    file, network = checkpoint.tokenizer_files[name] if name else checkpoint.tokenizer_file, checkpoint.config.network
    readers = [reader for reader in network.every(LanguageConfig).values() if reader.tokenizer == name]
    tokenizer = Tokenizer(file, any(reader.lower_case for reader in readers))
    written = [t.vocabulary for t in network.tasks.values() if t.tokenizer == name and not OUTPUTS[t.output].named]
    needed = {reader.vocabulary for reader in readers} | {network.vocabularies[vocabulary] for vocabulary in written}
    for size in needed - {len(tokenizer)}:
        raise CheckpointError(f"{file} has {len(tokenizer)} subwords; the network needs {size}")
    return tokenizer
