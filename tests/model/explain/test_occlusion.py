"""Occlusion: against a plain loop, on a network that reads one cell, and in parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from omninet.model.explain import occlusion
from omninet.model.explain.occlusion import Occlusion, _windows
from omninet.model.modalities.layout import Layout
from omninet.model.network.memory import Memory
from omninet.model.predictor import Predictor
from omninet.model.rows import Row
from tests.samples import jpeg_bytes, video_bytes

QUESTION = "What is it?"


def decoded(predictor: Predictor, task: str, **inputs: object) -> tuple[Row, list[int]]:
    (row,) = predictor.prepare(task, **inputs).rows
    (found,) = predictor.run([row])
    return row, found.tokens


def relevance(predictor: Predictor, row: Row, tokens: Sequence[int]) -> np.ndarray:
    with torch.inference_mode():
        found = Occlusion(predictor.network, predictor.device, row, tokens)
        for _ in found.parts():
            pass
    return found.relevance


@torch.inference_mode()
def by_a_plain_loop(predictor: Predictor, row: Row, tokens: list[int]) -> np.ndarray:
    """Compute the relevance for one window after the other, each row on its own."""
    network = predictor.network

    def log_probabilities(shares: Tensor) -> Tensor:
        memory: Memory | None = None
        for given in row.inputs:
            peripheral = network.peripherals[given.peripheral]
            x, mask = peripheral(peripheral.collate([given.value]), row.moves)  # type: ignore[operator]
            if given.frames:
                blank = x.mean((0, 1, 2))
                x = blank + shares.view(*x.shape[:3], 1) * (x - blank)
            memory = network.cnp.encode(x, given.domain, memory, mask)
        assert memory is not None
        scores = network.cnp.decode(memory, row.goal.task, torch.tensor([tokens]))
        return scores[0].gather(-1, torch.tensor(tokens)[:, None])[:, 0]

    frames = next(given.frames for given in row.inputs if given.frames)
    windows, spread = _windows(Layout.square(frames, 4), torch.zeros(1))
    whole, nothing = log_probabilities(torch.ones(frames * 4)), log_probabilities(torch.zeros(frames * 4))
    effects = [whole - log_probabilities(1 - w) + log_probabilities(w) - nothing for w in windows]
    found = (spread @ torch.stack(effects)).clamp(min=0).T.numpy()
    shares: np.ndarray = found / np.maximum(found.sum(1, keepdims=True), 1e-9)
    return shares


@pytest.mark.parametrize(
    ("task", "inputs"),
    [
        ("caption", {"image": jpeg_bytes(), "max_length": 4}),
        ("vqa", {"image": jpeg_bytes(), "question": QUESTION}),
        ("activity", {"video": video_bytes()}),
    ],
)
def test_it_equals_a_plain_loop(toy_predictor: Predictor, task: str, inputs: dict[str, object]) -> None:
    row, tokens = decoded(toy_predictor, task, **inputs)

    found = relevance(toy_predictor, row, tokens)

    np.testing.assert_allclose(found, by_a_plain_loop(toy_predictor, row, tokens), atol=2e-3)
    assert found.shape[0] == len(tokens)
    assert (found >= 0).all()


def test_parts_do_not_change_it(toy_predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    row, tokens = decoded(toy_predictor, "activity", video=video_bytes())
    whole = relevance(toy_predictor, row, tokens)

    monkeypatch.setattr(occlusion, "VECTORS", 1)

    np.testing.assert_allclose(relevance(toy_predictor, row, tokens), whole, atol=1e-4)


def test_the_cell_that_is_read_is_the_most_relevant(toy_predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a decoder that looks at the third of four cells alone."""
    row, tokens = decoded(toy_predictor, "vqa", image=jpeg_bytes(), question=QUESTION)

    def decode(memory: Memory, task: str, targets: Tensor) -> Tensor:
        seen: Tensor = (memory.spatial[:, 2] - blank).square().sum(-1)
        return seen[:, None, None].expand(*targets.shape, int(targets.max()) + 1)

    with torch.inference_mode():
        blank = toy_predictor.encode([row]).spatial[0].mean(0)
    monkeypatch.setattr(toy_predictor.network.cnp, "decode", decode)

    assert relevance(toy_predictor, row, tokens)[0].argmax() == 2


def test_windows_cover_every_cell_and_spread_evenly() -> None:
    for t, side in ((1, 7), (1, 14), (16, 7), (2, 2), (1, 1)):
        windows, spread = _windows(Layout.square(t, side**2), torch.zeros(1))

        assert windows.shape[1] == t * side**2 == spread.shape[0]
        assert windows.min() >= 0
        assert windows.max() <= 1
        assert windows.max(0).values.min() > 0.2
        assert spread.shape[1] == len(windows) <= 27


def test_a_row_without_effect_has_no_relevance(toy_predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    row, tokens = decoded(toy_predictor, "vqa", image=jpeg_bytes(), question=QUESTION)
    zeros = torch.zeros(1, 1, 100)
    monkeypatch.setattr(toy_predictor.network.cnp, "decode", lambda m, t, y: zeros.expand(len(y), y.shape[1], 100))

    assert not relevance(toy_predictor, replace(row), tokens).any()
