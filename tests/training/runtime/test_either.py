"""Training of a task whose inputs are alternatives: each is encoded on its own, and the vectors are compared."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from omninet.model.checkpoint import Checkpoint
from omninet.model.modalities.language.config import Subwords
from omninet.model.modalities.language.peripheral import LanguagePeripheral
from omninet.model.network.auxiliary import Auxiliary
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
def matching(network: OmniNet) -> OmniNet:
    """Return the network with the task ``match``, which is trained on hard negatives."""
    tasks = {**network.config.tasks, "match": TASKS["match"]}
    sizes = {**network.config.vocabularies, "match": 2}
    torch.manual_seed(0)
    return OmniNet(replace(network.config, tasks=tasks, vocabularies=sizes, controls=()))


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
    terms = Objective(network.eval())(batch).terms

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


def test_mistaken_pairs_are_negatives_of_another_task(matching: OmniNet, batch: Batch) -> None:
    objective = Objective(matching.eval())
    torch.manual_seed(1)
    terms = objective(batch).terms

    head = matching.heads["embed"]
    assert isinstance(head, Head)
    states = [
        objective._states(replace(batch, inputs=(given,)), (0, 1, "hidden"), Auxiliary()) for given in batch.inputs
    ]
    torch.manual_seed(1)
    mistaken = head.compare(states, batch.targets).mistaken
    assert mistaken is not None
    assert all(batch.targets[i] != batch.targets[j] for i, j in enumerate(mistaken.tolist()))
    (_, _, pictures), (_, _, texts) = batch.inputs
    losses = []
    for row, other, target in [(i, i, 0) for i in range(4)] + [(i, int(mistaken[i]), 1) for i in range(4)]:
        inputs = (
            ("vision", "image", pictures[[row]]),
            ("language", "english", type(texts)(*(part[[other]] for part in texts))),
        )
        scores = matching.cnp.decode(matching.encode(inputs), "match", torch.tensor([[target]]))
        losses.append(-float(scores[0, 0, target].detach()))
    assert float(terms["match nll"].detach()) / 4 == pytest.approx(sum(losses) / 8, rel=1e-4)


def test_pairs_of_one_photo_are_never_negatives(matching: OmniNet, batch: Batch) -> None:
    alike = replace(batch, targets=torch.full_like(batch.targets, 3.0))

    terms = Objective(matching.eval())(alike).terms

    assert "match nll" not in terms
