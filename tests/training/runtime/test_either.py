"""Training of a task whose inputs are alternatives: each is encoded on its own, and the vectors are compared."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from omninet.model.checkpoint import Checkpoint
from omninet.model.modalities.language.config import Subwords
from omninet.model.modalities.language.peripheral import LanguagePeripheral
from omninet.model.network.omninet import OmniNet
from omninet.model.outputs.embedding.exits import reads_of
from omninet.model.outputs.head import Head, States
from omninet.model.tasks import TASKS
from omninet.training.pipeline.batches import Batch
from omninet.training.runtime.step import Objective, compute_gradients
from tests.conftest import FIRST_TASKS

STEPS = 60


@pytest.fixture
def network(toy: Checkpoint) -> OmniNet:
    cnp = replace(toy.config.network.cnp, encoder_layers=2, dropout=0.0)
    tasks = {**FIRST_TASKS, "embed": TASKS["embed"]}
    torch.manual_seed(0)
    return OmniNet(replace(toy.config.network, cnp=cnp, tasks=tasks, controls=()))


@pytest.fixture
def batch(network: OmniNet) -> Batch:
    """Return four pairs of features and a text, about three photos."""
    channels: int = network.peripherals["vision"].projection.in_features  # type: ignore[union-attr, assignment]
    features = torch.randn(4, 1, 4, channels, generator=torch.Generator().manual_seed(0))
    lengths = (2, 3, 4, 1)
    texts = LanguagePeripheral.collate([Subwords(np.arange(3, 3 + n), np.arange(1, 1 + n)) for n in lengths])
    inputs = (("vision", "image", features), ("language", "english", texts))
    photos = torch.tensor([[3.0], [4.0], [3.0], [5.0]])
    return Batch("embed", inputs, photos, torch.ones(4, 1, dtype=torch.bool))


@torch.no_grad()
def test_each_input_is_encoded_on_its_own(network: OmniNet, batch: Batch) -> None:
    terms, _ = Objective(network.eval())(batch)

    states = []
    for given in batch.inputs:
        exits, mask = network.exits((given,), (0, 1))
        hidden = network.cnp.first_hidden(network.encode((given,)), "embed")
        states.append({0: States(exits[0], mask), 1: States(exits[1], mask), "hidden": States(hidden)})
    head = network.heads["embed"]
    assert isinstance(head, Head)
    expected = head.compare(states, batch.targets).terms  # type: ignore[arg-type]
    assert terms.keys() == expected.keys() == reads_of(network.config.cnp).keys()
    for name, term in terms.items():
        torch.testing.assert_close(term, expected[name])


def test_training_tells_the_photos_apart(network: OmniNet, batch: Batch) -> None:
    objective = Objective(network.train())
    optimiser = torch.optim.Adam([p for p in network.parameters() if p.requires_grad], 3e-3)

    losses = []
    for _ in range(STEPS):
        losses.append(compute_gradients(objective, [batch], 1.0).loss)
        optimiser.step()

    assert losses[-1] < 0.2 * losses[0]
