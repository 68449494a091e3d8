"""The Central Neural Processor: reference comparison, gates, ablations and memories."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from tests.model.networks import (
    EVERYTHING,
    GATES,
    IMAGE,
    NETWORKS,
    SHORT_TEXT,
    TEXT,
    VIDEO,
    Row,
    assert_same,
    by_reference,
    small_cnp,
    step_through,
)

STEPS = 4
each_network = pytest.mark.parametrize("changes", NETWORKS, ids=str)


# Against the reference


@each_network
@pytest.mark.parametrize("row", [EVERYTHING, Row((TEXT,), "pos"), Row((IMAGE, TEXT), "vqa")], ids=["all", "pos", "vqa"])
def test_cached_steps_equal_the_reference(changes: dict[str, Any], row: Row) -> None:
    cnp = small_cnp(**changes)

    (stepped,) = step_through(cnp, [row], STEPS)

    assert_same(stepped.detach(), by_reference(cnp, row, STEPS))


@each_network
def test_teacher_forcing_equals_the_reference(changes: dict[str, Any]) -> None:
    cnp = small_cnp(**changes)

    forced = cnp.decode(EVERYTHING.encode(cnp), EVERYTHING.task, torch.tensor([EVERYTHING.tokens(STEPS)]))

    assert_same(forced[0].detach(), by_reference(cnp, EVERYTHING, STEPS))


# Gates and ablations (paper, section 3.2 and Table 2)


def test_the_normalised_gate_equals_the_papers_on_one_image() -> None:
    row = Row((IMAGE,))

    (normalised,) = step_through(small_cnp(gate="normalised"), [row], STEPS)

    torch.testing.assert_close(normalised, step_through(small_cnp(gate="paper"), [row], STEPS)[0], rtol=0, atol=1e-13)


@pytest.mark.parametrize("row", [Row((VIDEO,)), Row((IMAGE, TEXT)), EVERYTHING], ids=["video", "vqa", "all"])
def test_spatial_weights_sum_to_one_when_normalised(row: Row) -> None:
    def sums(gate: str) -> Tensor:
        cnp = small_cnp(gate=gate)
        memory = row.encode(cnp)
        _, layers = cnp.decoder(cnp.decoder_inputs(memory, row.task, torch.tensor([row.tokens(STEPS)])), memory)
        return torch.stack([layer.spatial.sum(-1) for layer in layers])

    assert_same(sums("normalised"), torch.ones_like(sums("normalised")))
    assert (sums("paper") < 0.9).any()


def test_without_link_array_there_is_no_gate() -> None:
    results = [step_through(small_cnp(gate=gate, link_array=False), [EVERYTHING], STEPS)[0] for gate in GATES]

    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])
    assert not torch.allclose(results[0], step_through(small_cnp(), [EVERYTHING], STEPS)[0], atol=1e-3)


def test_without_spatial_cache_only_the_mean_of_a_frame_counts() -> None:
    cnp = small_cnp(spatial_cache=False)
    video = VIDEO.values()
    memory, shuffled = cnp.encode(video, "image"), cnp.encode(video.flip(2), "image")

    assert memory.spatial.shape[1] == 0
    assert memory.links == (((3, 4),),)
    assert_same(memory.temporal, shuffled.temporal)


# Memories are immutable


def test_two_memories_are_independent() -> None:
    cnp = small_cnp()
    first, second = EVERYTHING, Row((SHORT_TEXT,), "pos")
    expected = [step_through(cnp, [row], STEPS)[0] for row in (first, second)]

    cohorts = [cnp.start(row.encode(cnp), row.task) for row in (first, second)]
    outputs: list[list[Tensor]] = [[], []]
    for i in range(STEPS):
        for cohort, row, kept in zip(cohorts, (first, second), outputs, strict=True):
            (scores,) = cnp.step([cohort], [torch.tensor([[row.tokens(STEPS)[i - 1]]])])
            kept.append(scores[0, 0])

    assert torch.equal(torch.stack(outputs[0]), expected[0])
    assert torch.equal(torch.stack(outputs[1]), expected[1])


def test_encode_does_not_change_its_argument() -> None:
    cnp = small_cnp()
    memory = Row((TEXT,)).encode(cnp)
    before = memory.temporal.clone()

    cnp.encode(IMAGE.values(), "image", memory)

    assert memory.links == (((4, 1),),)
    assert torch.equal(memory.temporal, before)
