"""Words that are read, and how many are right."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
import torch

from omninet.model.checkpoint import Checkpoint
from omninet.model.errors import ConfigError
from omninet.model.explain.occlusion import Occlusion
from omninet.model.outputs import OUTPUTS
from omninet.model.outputs.transcript.answer import SpokenText, Transcript
from omninet.model.outputs.word.scores import word_scores
from omninet.model.predictor import Predictor
from omninet.model.tasks import SPEECH, TASKS
from omninet.training.data import Example
from tests.toys import with_reading, with_speech

OUTPUT, TASK = OUTPUTS["word"], TASKS["read_word"]


@pytest.fixture(scope="module")
def predictor(toy: Checkpoint) -> Predictor:
    return Predictor(with_reading(toy), device="cpu")


def read(predictor: Predictor, image: Any, **options: Any) -> Transcript:
    return cast(Transcript, predictor.predict("read_word", image=image, **options))


def test_a_picture_becomes_characters(predictor: Predictor) -> None:
    images = [job.rows[0] for job in (predictor.sample("read_word", i) for i in range(3))]

    together = predictor.run(images)

    for row, found in zip(images, together, strict=True):
        (alone,) = predictor.run([row])
        assert found.tokens == alone.tokens
        assert len(found.tokens) <= 48 // 4 + 1
        assert found.log_probabilities == pytest.approx(alone.log_probabilities, abs=1e-4)


def test_the_body_has_probabilities() -> None:
    answer = Transcript(SpokenText("A", math.log(0.5), ()), (SpokenText("B", math.log(0.25), ()),))

    assert OUTPUT.body(TASK, answer).model_dump() == {
        "text": "A",
        "probability": pytest.approx(0.5),
        "tokens": [],
        "alternatives": [{"text": "B", "probability": pytest.approx(0.25)}],
    }


def test_case_and_punctuation_do_not_count() -> None:
    answer = Transcript(SpokenText("sale 50", 0.0, ()))

    assert OUTPUT.is_right(Example("read_word", answer="SALE-50%"), answer)
    assert not OUTPUT.is_right(Example("read_word", answer="SALE-5"), answer)


def test_scores_by_hand() -> None:
    assert word_scores(["exit", "Taxi!", "abc"], ["EXIT", "Taxi!", "abd"]) == {
        "words right": pytest.approx(200 / 3),
        "exactly right": pytest.approx(100 / 3),
        "1 - NED": pytest.approx(100 * (2 + 2 / 3) / 3),
    }
    assert word_scores(["-"], ["!"])["words right"] == 100


def test_the_task_needs_the_picture_of_a_line(toy: Checkpoint) -> None:
    checkpoint = with_speech(toy)
    network = replace(
        checkpoint.config.network,
        tasks={"read_word": replace(TASK, inputs=(SPEECH,), vocabulary="characters", uses=())},
        vocabularies={"characters": 7},
        controls=(),
    )
    model = replace(checkpoint, config=replace(checkpoint.config, network=network))

    with pytest.raises(ConfigError, match="task read_word: its input audio must be the picture of a line"):
        Predictor(model, device="cpu").prepare("read_word", audio=b"RIFF")


def test_an_explanation_shows_columns(predictor: Predictor) -> None:
    """Every character has weights of 4 rows and 12 columns of a picture 48 pixels wide, which add up to 1 or are 0."""
    image = next(given for given in predictor.sample("read_word", 1).rows[0].inputs).value.transpose(1, 2, 0)
    answer = read(predictor, image, explain="layers", beams=1)

    assert answer.explanation is not None
    facts = answer.explanation.to_dict(layers=True)
    assert facts["grid"] == [4, 12]
    assert [token["text"] for token in facts["tokens"]] == [piece.text for piece in answer.best.tokens]
    for token in facts["tokens"]:
        assert token["frames"] == [pytest.approx(1, abs=1e-4)]
        assert np.shape(token["cells"]) == (1, 4, 12)
        assert np.sum(token["cells"]) == pytest.approx(1, abs=1e-3) or np.sum(token["cells"]) == 0
    assert np.shape(facts["layers"]["cells"])[3:] == (1, 4, 12)


def test_hidden_columns_are_those_that_matter(toy: Checkpoint) -> None:
    """The log-probability of a character depends on one column of cells alone, which therefore is the relevant one."""
    model = Predictor(with_reading(toy), device="cpu")
    row = model.sample("read_word", 0).rows[0]
    with torch.inference_mode():
        occlusion = Occlusion(model.network, model.device, row, [1])
        ones = torch.ones_like(occlusion._cells)
        occlusion._cells, occlusion._blank = ones, torch.zeros_like(occlusion._blank)
        seen: list[torch.Tensor] = []

        def column_nine(shares: torch.Tensor) -> torch.Tensor:
            shown = shares.view(-1, 4, 12).transpose(1, 2)
            seen.append(shown)
            return shown[:, 9].mean(1, keepdim=True)

        occlusion._log_probabilities = column_nine  # type: ignore[method-assign]
        for _ in occlusion.parts():
            pass

    relevance = occlusion.relevance.reshape(4, 12)
    assert relevance.sum(0).argmax() in (8, 9)
    np.testing.assert_allclose(relevance, relevance[:1].repeat(4, 0), rtol=0.05)
