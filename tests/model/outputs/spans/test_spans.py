"""Entities from BIO tags."""

from __future__ import annotations

import random
from typing import Any, cast

import pytest

from omninet.model.checkpoint import Checkpoint
from omninet.model.outputs import OUTPUTS
from omninet.model.outputs.spans.answer import Entities
from omninet.model.outputs.spans.bio import Span, span_scores, spans_of, with_beginnings
from omninet.model.predictor import Predictor
from tests.toys import NEW_VOCABULARIES, with_new_tasks

TAGS = NEW_VOCABULARIES["entities"]
TEXT = "Anna Lee went to New York. She met Peter there."


@pytest.fixture(scope="module")
def predictor(toy: Checkpoint) -> Predictor:
    checkpoint = with_new_tasks(toy)
    bias: Any = checkpoint.network.cnp.classifiers["entities"].bias
    bias.data[TAGS.index("O")] -= 2  # so that the random network finds names
    return Predictor(checkpoint, device="cpu")


@pytest.mark.parametrize(
    ("tags", "spans"),
    [
        ("O O", []),
        ("B-x I-x O B-y", [Span(0, 2, "x"), Span(3, 4, "y")]),
        ("B-x B-x I-x", [Span(0, 1, "x"), Span(1, 3, "x")]),
        ("O I-x I-x", [Span(1, 3, "x")]),
        ("B-x I-y", [Span(0, 1, "x"), Span(1, 2, "y")]),
        ("B-a-b I-a-b", [Span(0, 2, "a-b")]),
        ("I-x O I-x", [Span(0, 1, "x"), Span(2, 3, "x")]),
    ],
)
def test_spans(tags: str, spans: list[Span]) -> None:
    assert spans_of(tags.split()) == spans


def test_spans_begin_with_b() -> None:
    assert with_beginnings(["I-x", "I-x", "O", "I-y", "B-y"]) == ["B-x", "I-x", "O", "B-y", "B-y"]


def test_scores_are_of_whole_entities() -> None:
    wanted = [["B-x", "I-x", "O", "B-y"], ["O"], ["B-x"]]
    given = [["B-x", "I-x", "O", "B-x"], ["B-y"], ["O"]]

    scores = span_scores(wanted, given)

    assert scores == pytest.approx({"F1": 100 / 3, "precision": 100 / 3, "recall": 100 / 3})
    assert span_scores([["O"]], [["O"]]) == {"F1": 0, "precision": 0, "recall": 0}


def test_scores_are_those_of_seqeval() -> None:
    metrics = pytest.importorskip("seqeval.metrics")
    draw = random.Random(0)
    wanted, given = ([[draw.choice(TAGS) for _ in range(9)] for _ in range(50)] for _ in range(2))

    found = span_scores(wanted, given)

    assert found["F1"] == pytest.approx(100 * metrics.f1_score(wanted, given))
    assert found["precision"] == pytest.approx(100 * metrics.precision_score(wanted, given))


def test_entities_of_a_text(predictor: Predictor) -> None:
    answer = cast(Entities, predictor.predict("entities", text=TEXT))

    assert len(answer.sentences) == 2
    found = [entity for sentence in answer.sentences for entity in sentence.entities]
    tags = [word.tag for sentence in answer.sentences for word in sentence.tokens]
    assert len(found) == sum(tag.startswith("B-") for tag in tags)
    assert found
    for entity in found:
        assert entity.text == TEXT[entity.start : entity.end]
        assert entity.type in {"person", "place"}
        assert 0 < entity.probability <= 1
    assert predictor.output("entities").line(answer).startswith(f"{found[0].text} ({found[0].type})")


def test_a_tag_inside_follows_one_of_its_kind(predictor: Predictor) -> None:
    answer = cast(Entities, predictor.predict("entities", tokens=list("abcdefghijkl")))

    (sentence,) = answer.sentences
    former = "O"
    for word in sentence.tokens:
        assert word.start is None
        assert not word.tag.startswith("I-") or former[1:] == word.tag[1:]
        former = word.tag


def test_given_words_are_one_sentence(predictor: Predictor) -> None:
    answer = cast(Entities, predictor.predict("entities", tokens=["New York.", "Then", "it"]))

    (sentence,) = answer.sentences
    assert [word.text for word in sentence.tokens] == ["New York.", "Then", "it"]


def test_no_entity_is_the_constant_answer() -> None:
    class Right:
        tags = ("B-x", "O")

    truths: Any = [Right()]
    output = OUTPUTS["spans"]

    name, answers = output.constant(truths, truths)

    assert name == "no entity"
    assert output.metrics(truths, answers) == {"F1": 0, "precision": 0, "recall": 0}
    assert output.line(answers[0]) == "none"
    assert not output.is_right(truths[0], answers[0])
