"""Embeddings: exits, unit length, the contrastive loss by hand, and the measures of retrieval."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from omninet.model.checkpoint import Checkpoint
from omninet.model.errors import InputError
from omninet.model.outputs.embedding.answer import Embedding
from omninet.model.outputs.embedding.exits import EXITS
from omninet.model.outputs.embedding.head import EmbeddingHead
from omninet.model.outputs.embedding.retrieval import Described, retrieval
from omninet.model.outputs.head import States
from omninet.model.predictor import Predictor
from omninet.model.tasks import TASKS
from tests.conftest import FIRST_TASKS
from tests.samples import picture
from tests.toys import toy_with

TEXT = "A dog runs through the grass."


@pytest.fixture(scope="module")
def predictor(toy: Checkpoint) -> Predictor:
    """Return the toy network with two encoder layers and the task ``embed``."""
    return toy_with(toy, [*FIRST_TASKS, "embed"], encoder_layers=2)


def embedded(predictor: Predictor, **given: object) -> Embedding:
    answer = predictor.predict("embed", **given)
    assert isinstance(answer, Embedding)
    return answer


@pytest.mark.parametrize("given", [{"image": picture()}, {"text": TEXT}])
def test_vectors_of_all_exits_have_unit_length(predictor: Predictor, given: dict[str, object]) -> None:
    found = {name: embedded(predictor, **given, exit=name) for name in EXITS}

    for name, answer in found.items():
        assert (answer.exit, answer.width) == (name, len(answer.vector)) == (name, 32)
        assert math.sqrt(sum(x * x for x in answer.vector)) == pytest.approx(1, abs=1e-5)
    assert len({answer.vector for answer in found.values()}) == 3
    assert embedded(predictor, **given) == found["best"]


def test_words_given_apart_are_the_same_text(predictor: Predictor) -> None:
    text, tokens = embedded(predictor, text="A dog runs"), embedded(predictor, tokens=["A", "dog", "runs"])

    np.testing.assert_allclose(text.vector, tokens.vector, atol=1e-5)


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({}, "missing_input"),
        ({"image": picture(), "text": TEXT}, "unexpected_input"),
        ({"text": TEXT, "tokens": ["A"]}, "unexpected_input"),
        ({"text": TEXT, "exit": "late"}, "bad_option"),
        ({"text": " "}, "empty_text"),
        ({"text": "dog " * 500}, "too_many_subwords"),
    ],
)
def test_inputs_that_cannot_be_used(predictor: Predictor, given: dict[str, object], code: str) -> None:
    with pytest.raises(InputError) as caught:
        embedded(predictor, **given)

    assert caught.value.code == code
    if code == "missing_input":
        assert str(caught.value) == "task embed needs image or video or text or tokens"


def test_a_mixed_batch_answers_as_each_row_alone(predictor: Predictor) -> None:
    jobs = [
        predictor.prepare("embed", **given, exit=name)
        for name in EXITS
        for given in ({"image": picture()}, {"text": TEXT}, {"text": "Two men play tennis"})
    ] + [predictor.prepare("caption", image=picture())]

    decoded = predictor.run([row for job in jobs for row in job.rows])

    for job, row in zip(jobs[:-1], decoded, strict=False):
        (alone,) = predictor.run(job.rows)
        assert row.values is not None
        assert alone.values is not None
        np.testing.assert_allclose(row.values, alone.values, atol=1e-5)


def test_the_loss_by_hand() -> None:
    head = EmbeddingHead(TASKS["embed"], 2)
    with torch.no_grad():
        head.log_scale.fill_(math.log(2))
    pictures, texts = torch.randn(3, 4, 1, 2, generator=torch.Generator().manual_seed(0))[:2]
    photos = torch.tensor([[5.0], [7.0], [5.0], [8.0]])

    loss = head.compare([{"hidden": States(x), 0: States(x), 2: States(x)} for x in (pictures, texts)], photos)

    a, b = (head.values(x, None, "hidden").detach() for x in (pictures, texts))
    expected = 0.0
    for one, other in ((a, b), (b, a)):
        for i in range(4):
            others = [j for j in range(4) if j == i or photos[i] != photos[j]]
            scores = 2 * one[i] @ other[others].T
            expected += float(torch.logsumexp(scores, 0) - scores[others.index(i)]) / 2
    assert float(loss.terms["best"].detach()) == pytest.approx(expected, rel=1e-5)
    assert set(loss.terms) == set(EXITS)


def test_padding_is_not_in_the_mean() -> None:
    head = EmbeddingHead(TASKS["embed"], 4)
    states = torch.randn(1, 3, 4)
    mask = torch.tensor([[True, True, False]])

    torch.testing.assert_close(head.values(states, mask, 0), head.values(states[:, :2], None, 0))


def test_measures_of_both_directions() -> None:
    truths = [Described("image", "a"), Described("text", "a"), Described("text", "a"), Described("image", "b")]
    truths.append(Described("text", "b"))
    vectors = [[1.0, 0.0], [0.0, 1.0], [0.9, 0.1], [0.0, 1.0], [0.8, 0.2]]

    found = retrieval(truths, vectors)

    assert next(iter(found)) == "text-to-image R@10"
    assert found["text-to-image R@1"] == pytest.approx(100 / 3)
    assert found["image-to-text R@1"] == 50
    assert found["image-to-text median rank"] == 1.5
    assert retrieval(truths[:1], vectors[:1]) == {}
    unseen = Described("text", "c")
    assert retrieval([*truths, unseen], [*vectors, [1.0, 0.0]]) == found


def test_equal_vectors_find_nothing() -> None:
    truths = [Described(kind, str(i)) for kind in ("image", "text") for i in range(20)]

    assert retrieval(truths, [[1.0]] * 40)["text-to-image R@10"] == 0
