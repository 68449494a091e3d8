"""The kinds of output: what is right for them, what that costs, and how it is decoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import torch

from omninet.model.decoding.goal import Goal
from omninet.model.outputs import OUTPUTS
from omninet.model.outputs.head import ClassHead, Head, States
from omninet.model.outputs.text.output import TextOutput, plain_text
from omninet.model.predictor import Predictor
from omninet.model.tasks import TASKS
from tests.conftest import FIRST_TASKS

IDS = {"red": 0, "dog": 1, "NN": 2}


@dataclass(frozen=True)
class Right:
    """What is right for an example."""

    answer: str = ""
    tags: tuple[str, ...] = ()
    question: str | None = None
    captions: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    answer_type: str = ""
    truth: Any = None


def head_of(task: str) -> Head:
    """Return the head that a network has for a task."""
    return OUTPUTS[TASKS[task].output].head().of(TASKS[task], 8, 4)


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

    target = TextOutput().target(Right("A dog runs ."), {}, tokenizer)

    assert target[-1] == tokenizer.end
    assert "".join(tokenizer.pieces(target)) == plain_text("A dog runs .") == "A dog runs"


@pytest.mark.parametrize("task", [name for name in TASKS if type(head_of(name)) is ClassHead])
def test_the_loss_is_the_negative_log_probability_of_real_targets(task: str) -> None:
    scores = torch.log_softmax(torch.randn(2, 3, 5, generator=torch.manual_seed(0), dtype=torch.double), -1)
    targets = torch.tensor([[0, 1, 4], [2, 0, 0]])
    mask = torch.tensor([[True, True, True], [True, False, False]])

    found = head_of(task).loss({"classes": States(scores)}, targets, mask)

    wanted = -(scores[0, 0, 0] + scores[0, 1, 1] + scores[0, 2, 4] + scores[1, 0, 2])
    torch.testing.assert_close(found.terms["nll"], wanted)
    assert int(found.right) == int(((scores.argmax(-1) == targets) & mask).sum())


def test_the_loss_of_a_soft_target_is_the_cross_entropy() -> None:
    scores = torch.log_softmax(torch.tensor([[[1.0, 2.0, -torch.inf]], [[0.5, 0.0, 1.0]]]), -1).requires_grad_()
    targets, mask = torch.tensor([[1], [2]]), torch.ones(2, 1, dtype=torch.bool)
    shares = torch.tensor([[0.25, 0.75, 0.0], [0.0, 0.0, 1.0]])

    found = head_of("vqa").soft_loss({"classes": States(scores)}, targets, shares, mask)
    found.terms["nll"].backward()  # type: ignore[no-untyped-call]

    wanted = -(0.25 * scores[0, 0, 0] + 0.75 * scores[0, 0, 1] + scores[1, 0, 2])
    torch.testing.assert_close(found.terms["nll"], wanted)
    assert int(found.right) == 2
    assert scores.grad is not None
    torch.testing.assert_close(scores.grad[:, 0], -shares)


@pytest.mark.parametrize("answers", [(), ("dog",) * 10, ("dog", "cat"), ("dog", "red"), ("cat", "hat")])
def test_only_several_known_answers_are_a_soft_target(answers: tuple[str, ...]) -> None:
    found = OUTPUTS["label"].shares(Right("dog", answers=answers), IDS)

    assert found == ({0: 0.5, 1: 0.5} if answers == ("dog", "red") else {})
    assert OUTPUTS["tags"].shares(Right(answers=answers), IDS) == {}


def test_probabilities_of_a_classifier_are_a_soft_target() -> None:
    found = OUTPUTS["label"].shares(Right("dog", truth={"dog": 0.6, "red": 0.2, "unknown": 0.2}), IDS)

    assert found == pytest.approx({IDS["dog"]: 0.75, IDS["red"]: 0.25})
    assert OUTPUTS["label"].shares(Right("dog", truth={"dog": 0.6, "unknown": 0.4}), IDS) == {}
    assert OUTPUTS["label"].shares(Right("dog", truth={"unknown": 1.0}), IDS) == {}


def test_padding_has_no_loss_even_at_zero_probability() -> None:
    scores = torch.tensor([[[0.0, -torch.inf]]], requires_grad=True)

    nll = head_of("vqa").loss({"classes": States(scores)}, torch.tensor([[1]]), torch.tensor([[False]])).terms["nll"]
    nll.backward()  # type: ignore[no-untyped-call]

    assert float(nll.detach()) == 0
    assert scores.grad is not None
    assert bool(torch.isfinite(scores.grad).all())


def test_goals(toy_predictor: Predictor) -> None:
    goals = {name: OUTPUTS[task.output].goal(task, toy_predictor, {}) for name, task in FIRST_TASKS.items()}

    assert goals["vqa"] == Goal("vqa", 1)
    assert goals["caption"] == Goal("caption", 12, toy_predictor.tokenizer.end)
    texts = ["caption", "german_caption", "english_german", "german_english"]
    texts += ["english_german_seen", "german_english_seen"]
    assert [name for name, task in TASKS.items() if OUTPUTS[task.output].options] == [
        *texts,
        "transcribe",
        "read_scene",
        "read_word",
        "embed",
        "ground",
    ]
    silent = [name for name, task in TASKS.items() if not OUTPUTS[task.output].explains]
    assert silent == ["pos", "entities", "parse", *texts[2:], "transcribe", "read_scene", "embed"]
    assert [name for name, task in TASKS.items() if not OUTPUTS[task.output].named] == texts
