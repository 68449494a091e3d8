"""The kinds of output: what is right for them, what that costs, and how it is decoded."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch

from model.decoding.goal import Goal
from model.outputs import OUTPUTS
from model.outputs.text.output import plain_text
from model.predictor import Predictor
from model.tasks import TASKS

IDS = {"red": 0, "dog": 1, "NN": 2}


@dataclass(frozen=True)
class Right:
    """What is right for an example."""

    answer: str = ""
    tags: tuple[str, ...] = ()


@pytest.mark.parametrize(
    ("output", "right", "target"),
    [
        ("label", Right("dog"), [1]),
        ("label", Right("hat"), [3]),
        ("tags", Right(tags=("NN", "VB", "NN")), [2, 3, 2]),
    ],
)
def test_targets_are_class_ids(output: str, right: Right, target: list[int], toy_predictor: Predictor) -> None:
    assert OUTPUTS[output].target(right, IDS, toy_predictor.tokenizer) == target


def test_the_target_of_a_text_is_its_subwords_and_the_end(toy_predictor: Predictor) -> None:
    tokenizer = toy_predictor.tokenizer

    target = OUTPUTS["text"].target(Right("A dog runs ."), {}, tokenizer)

    assert target[-1] == tokenizer.end
    assert "".join(tokenizer.pieces(target)) == plain_text("A dog runs .") == "A dog runs"


@pytest.mark.parametrize("output", OUTPUTS)
def test_the_loss_is_the_negative_log_probability_of_real_targets(output: str) -> None:
    scores = torch.log_softmax(torch.randn(2, 3, 5, generator=torch.manual_seed(0), dtype=torch.double), -1)
    targets = torch.tensor([[0, 1, 4], [2, 0, 0]])
    mask = torch.tensor([[True, True, True], [True, False, False]])

    (nll,) = OUTPUTS[output].loss(scores, targets, mask).values()

    wanted = -(scores[0, 0, 0] + scores[0, 1, 1] + scores[0, 2, 4] + scores[1, 0, 2])
    torch.testing.assert_close(nll, wanted)


def test_padding_costs_nothing_even_where_it_is_impossible() -> None:
    scores = torch.tensor([[[0.0, -torch.inf]]], requires_grad=True)

    (nll,) = OUTPUTS["label"].loss(scores, torch.tensor([[1]]), torch.tensor([[False]])).values()
    nll.backward()  # type: ignore[no-untyped-call]

    assert float(nll.detach()) == 0
    assert scores.grad is not None
    assert bool(torch.isfinite(scores.grad).all())


def test_goals(toy_predictor: Predictor) -> None:
    goals = {name: OUTPUTS[task.output].goal(task, toy_predictor, {}) for name, task in TASKS.items()}

    assert goals["vqa"] == Goal("vqa", 1)
    assert goals["caption"] == Goal("caption", 12, toy_predictor.tokenizer.end)
    assert [name for name, task in TASKS.items() if OUTPUTS[task.output].has_options] == ["caption"]
    assert [name for name, task in TASKS.items() if OUTPUTS[task.output].by_word] == ["pos"]
    assert [name for name, task in TASKS.items() if not OUTPUTS[task.output].named] == ["caption"]
