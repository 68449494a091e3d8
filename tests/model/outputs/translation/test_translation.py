"""Translations of one text and of several."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from omninet.model.checkpoint import Checkpoint
from omninet.model.errors import ConfigError, InputError
from omninet.model.library import Model
from omninet.model.outputs import OUTPUTS
from omninet.model.outputs.translation.answer import TranslatedText, Translation
from omninet.model.outputs.translation.output import MOST_TEXTS
from omninet.model.predictor import Predictor
from omninet.model.tasks import TASKS
from omninet.model.uses import uses_of
from tests.samples import jpeg_bytes
from tests.toys import PAIRS, SEEN, with_translation

OUTPUT = OUTPUTS["translation"]
TEXTS = ["A dog runs.", "Two men are playing football in the rain."]


@pytest.fixture(scope="module")
def predictor(toy: Checkpoint) -> Predictor:
    return Predictor(with_translation(toy), device="cpu")


def translate(predictor: Predictor, text: Any, task: str = "english_german", **options: Any) -> Translation:
    return cast(Translation, predictor.predict(task, text=text, **options))


@pytest.mark.parametrize("task", ["english_german", "german_english"])
def test_each_text_of_a_list_is_translated_as_alone(predictor: Predictor, task: str) -> None:
    answer = translate(predictor, TEXTS, task)

    assert answer.several
    for text, found in zip(TEXTS, answer.best, strict=True):
        (alone,) = translate(predictor, text, task).best
        assert found.translation == alone.translation == "".join(piece.text for piece in found.tokens)
        assert found.log_probability == pytest.approx(alone.log_probability, abs=1e-4)


def test_languages_are_given_by_their_codes(toy: Checkpoint) -> None:
    model = Model(with_translation(toy), device="cpu")

    for codes, task in ((("en", "de"), "english_german"), (("de", "en"), "german_english")):
        assert model.translate(TEXTS, *codes).best == translate(model, TEXTS, task).best
    with pytest.raises(InputError, match="source-target must be one of en-de, de-en, not en-en"):
        model.translate(TEXTS[0], "en", "en")


def test_a_picture_is_read_beside_each_text(toy: Checkpoint) -> None:
    model = Model(with_translation(toy, (*PAIRS, *SEEN)), device="cpu")
    one, other = (jpeg_bytes(*size) for size in ((40, 30), (64, 48)))

    for codes in (("en", "de"), ("de", "en")):
        seen = [model.translate(TEXTS, *codes, image=image) for image in (one, other)]
        assert seen[0].best[0].log_probability != seen[1].best[0].log_probability
        (alone,) = model.translate(TEXTS[1], *codes, image=one).best
        assert seen[0].best[1].translation == alone.translation
        assert seen[0].best[1].log_probability == pytest.approx(alone.log_probability, abs=1e-4)
        assert model.translate(TEXTS, *codes).best != seen[0].best


def test_a_picture_needs_a_task_that_sees(toy: Checkpoint) -> None:
    with pytest.raises(InputError, match="source-target must be one of none, not en-de"):
        Model(with_translation(toy), device="cpu").translate(TEXTS, image=jpeg_bytes())


def test_the_body_has_lists_for_a_list(predictor: Predictor) -> None:
    task = predictor.task("english_german")

    one = OUTPUT.body(task, translate(predictor, TEXTS[0], n_best=2, beams=3)).model_dump()
    several = OUTPUT.body(task, translate(predictor, TEXTS[:1], n_best=2, beams=3)).model_dump()

    assert isinstance(one["translation"], str)
    assert len(one["alternatives"]) == 1
    assert several == {name: [value] for name, value in one.items()}


@pytest.mark.parametrize(
    ("text", "code", "detail"),
    [
        ([], "empty_text", {}),
        ([*TEXTS, " "], "empty_text", {"index": 2}),
        (["A dog."] * (MOST_TEXTS + 1), "too_many_texts", {"texts": MOST_TEXTS + 1, "limit": MOST_TEXTS}),
        (["A dog.", "dog " * 200], "text_too_long", {"index": 1}),
        (["A \ud800"], "invalid_text", {}),
    ],
)
def test_a_text_that_cannot_be_translated(predictor: Predictor, text: Any, code: str, detail: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        translate(predictor, text)

    assert caught.value.code == code
    assert detail.items() <= caught.value.detail.items()


def test_a_cut_translation_is_noted(toy: Checkpoint) -> None:
    checkpoint = with_translation(toy)
    short = Predictor(replace(checkpoint, config=replace(checkpoint.config, text_steps=1)), device="cpu")

    assert translate(short, TEXTS).notes == ("the translation of text 0 was cut", "the translation of text 1 was cut")


def test_scores_are_of_sacrebleu() -> None:
    class Right:
        answer = "Ein Hund läuft über die Wiese."

    def answer(text: str) -> Translation:
        return Translation((TranslatedText(text, 0.0, ()),), ((),))

    truths: Any = [Right(), Right()]
    right, wrong = answer(Right.answer), answer("Zwei Katzen.")

    assert OUTPUT.metrics(truths, [right, right]) == pytest.approx({"BLEU": 100, "chrF": 100})
    found = OUTPUT.metrics(truths, [right, wrong])
    assert list(found) == ["BLEU", "chrF"]
    assert 0 < found["BLEU"] < 100
    name, constant = OUTPUT.constant(truths, truths)
    assert name == OUTPUT.line(constant[0]) == "ein hund läuft über die wiese"


def test_a_choice_of_two_fields() -> None:
    uses = uses_of([TASKS["english_german"], TASKS["german_english"]])

    assert list(uses) == ["translate", "translate/en-de", "translate/de-en"]
    assert uses["translate"][1].choosing == {"source": "en", "target": "de"}
    with pytest.raises(ConfigError, match="the choice 'en' lacks a value of source-target"):
        replace(TASKS["english_german"].uses[0], choice="en")


def test_tasks_that_share_an_endpoint_have_equal_fields(toy: Checkpoint) -> None:
    config, task = toy.config.network, TASKS["caption"]
    use = replace(task.uses[0], forms={})
    other = replace(
        task,
        name="other",
        inputs=(replace(task.inputs[0], peripheral="language"),),
        uses=(replace(use, chooses="language", choice="other"),),
    )
    tasks = {"caption": replace(task, uses=(use,)), "other": other}
    sizes = {"caption": config.vocabularies["caption"]}

    with pytest.raises(ConfigError, match="tasks caption and other share the use 'caption'; they need equal inputs"):
        replace(config, tasks=tasks, vocabularies=sizes, controls=())
