"""A network and what surrounds it: prepare, run, finish."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from model import checkpoint as checkpoints
from model.answers import Answer
from model.checkpoint import BUNDLED, Checkpoint
from model.cnp import group
from model.decoding import Decoded, RunningBatch, Search
from model.devices import check_precision, choose_device
from model.errors import CheckpointError
from model.explaining import attend
from model.media import MediaLimits
from model.memory import Memory
from model.peripherals.language import LanguageConfig
from model.precision import settle
from model.processor import Processor
from model.rows import Row, encode
from model.text import Tokenizer


class Predictor(Processor):
    """A checkpoint, ready to answer; also from several threads at a time.

    Attributes:
        precision: of its products.
        agreement: how near that comes to float32; None where it is float32.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        device: str = "auto",
        precision: str = "auto",
        limits: MediaLimits | None = None,
    ) -> None:
        tokenizer = _tokenizer(checkpoint)
        super().__init__(checkpoint.config, tokenizer, checkpoint.vocabularies, limits or MediaLimits())
        self.digest = checkpoint.digest
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
    ) -> Predictor:
        """Read a checkpoint folder; None is the bundled one.

        Raises:
            CheckpointError, DeviceError: say what is wrong with the folder or the device.
        """
        check_precision(precision, choose_device(device))  # before minutes are spent on reading
        return cls(checkpoints.load(folder or BUNDLED), device=device, precision=precision, limits=limits)

    def predict(self, task: str, **inputs: Any) -> Answer:
        """Answer one request; the inputs are those of ``prepare``."""
        job = self.prepare(task, **inputs)
        return self.finish(job, self.run(job.rows))

    @torch.inference_mode()
    def run(self, rows: Sequence[Row]) -> list[Decoded]:
        """Encode and decode rows of any tasks in one batch, in their order."""
        started = time.perf_counter()
        running, searches = RunningBatch(self.network.cnp), dict[int, Search]()
        for members in group(row.shape for row in rows).values():
            found = running.admit(self.encode([rows[i] for i in members]), [rows[i].goal for i in members])
            searches |= zip(members, found, strict=True)
        encoded = time.perf_counter()
        while running:
            running.step()
        done = time.perf_counter()
        results = [searches[i].result() for i in range(len(rows))]
        for row, result in zip(rows, results, strict=True):
            result.encode_ms, result.decode_ms = 1e3 * (encoded - started), 1e3 * (done - encoded)
            self.explain(row, result)
        return results

    def explain(self, row: Row, decoded: Decoded) -> None:
        """Add to what a row has decoded what it attended to, if its goal says so."""
        if row.goal.explain is not None:
            decoded.attention = attend(self.network, self.device, row, decoded.tokens)

    def see(self, frames: Tensor, peripheral: str) -> Tensor:
        """Bring frames of any rows, uint8 (f, 3, size, size), through a peripheral's backbone: (f, s, channels).

        In a row's input they may stand in the place of its frames.
        """
        found: Tensor = self.network.peripherals[peripheral].features(frames[None].to(self.device))  # type: ignore[operator]
        return found[0]

    def encode(self, rows: Sequence[Row]) -> Memory:
        """Rows of one shape, encoded together."""
        return encode(self.network, self.device, rows)


def _tokenizer(checkpoint: Checkpoint) -> Tokenizer:
    """Its subwords, which a network that reads any text must know."""
    language = checkpoint.config.network.first(LanguageConfig)
    tokenizer = Tokenizer(checkpoint.tokenizer_file, language is not None and language[1].lower_case)
    if language is not None and len(tokenizer) != language[1].vocabulary:
        raise CheckpointError(
            f"{checkpoint.tokenizer_file} has {len(tokenizer)} subwords, the network {language[1].vocabulary}"
        )
    return tokenizer
