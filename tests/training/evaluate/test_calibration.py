"""Temperatures: fitted as they should be, folded into the weights, written into the folder."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from omninet.command import main
from omninet.model.checkpoint import Checkpoint, load, save
from omninet.model.outputs.label.answer import Label
from omninet.model.predictor import Predictor
from omninet.training.commands import calibrate as command_module
from omninet.training.data import DataError, Example
from omninet.training.evaluate import confidence
from omninet.training.evaluate.calibration import (
    HEADING,
    MAX_TEMPERATURE,
    MIN_TEMPERATURE,
    Calibration,
    Outputs,
    Quality,
    calibrate,
    collect,
    fit,
    fold,
    quality,
    section,
    stored_type,
    unaffected_tasks,
)

COUNT = 20_000


@pytest.fixture
def outputs() -> Outputs:
    """Return scores of five classes, and targets sampled from their probabilities."""
    generator = torch.Generator().manual_seed(0)
    scores = torch.log_softmax(2 * torch.randn(COUNT, 5, generator=generator), -1)
    return Outputs(scores, torch.multinomial(scores.exp(), 1, generator=generator)[:, 0])


def sharpened(outputs: Outputs, times: float) -> Outputs:
    return Outputs(torch.log_softmax(outputs.scores * times, -1), outputs.wanted)


def photos(data: Path) -> list[Example]:
    folder = data / "daquar" / "images"
    return [
        Example("vqa", {"image": folder / f"image{i}.jpg", "question": "what colour ?"}, answer=answer)
        for i, answer in enumerate(("red", "green", "never heard", "white"))
    ]


@pytest.mark.parametrize("times", [0.25, 1.0, 3.0])
def test_the_temperature_undoes_what_was_done_to_the_scores(outputs: Outputs, times: float) -> None:
    assert fit(sharpened(outputs, times)) == pytest.approx(times, rel=0.03)


def test_the_temperature_has_the_least_loss(outputs: Outputs) -> None:
    given = sharpened(outputs, 2.0)
    best = fit(given)

    losses = [quality(given, best * factor).loss for factor in (0.98, 1.0, 1.02)]

    assert losses[1] == min(losses)
    assert quality(given, best).loss < quality(given).loss


def test_parts_of_the_data_count_as_one(outputs: Outputs) -> None:
    given = sharpened(outputs, 2.0)
    parts = [Outputs(given.scores[rows], given.wanted[rows]) for rows in (slice(0, 5000), slice(5000, None))]

    assert fit(*parts) == pytest.approx(fit(given), rel=1e-4)


def test_perfect_predictions_give_a_finite_temperature() -> None:
    scores = torch.tensor([[0.9, 0.1], [0.2, 0.8]]).log()

    assert fit(Outputs(scores, torch.tensor([0, 1]))) == pytest.approx(0.05, rel=1e-3)
    assert fit(Outputs(scores, torch.tensor([1, 0]))) == pytest.approx(20.0, rel=1e-3)


def test_quality_by_hand() -> None:
    scores = torch.tensor([[0.9, 0.1], [0.89, 0.11], [0.4, 0.6], [0.3, 0.7]]).log()

    found = quality(Outputs(scores, torch.tensor([0, 1, 1, 2])))

    # Bins of 1/15: 0.9 and 0.89 share one, of which half is right; 0.6 is right; at 0.7 nothing known is.
    assert found.error == pytest.approx(100 * (abs(0.9 + 0.89 - 1) + 0.4 + 0.7) / 4, rel=1e-5)
    assert found.loss == pytest.approx(-(math.log(0.9) + math.log(0.11) + math.log(0.6)) / 3, rel=1e-5)


def test_certainty_is_in_the_last_bin() -> None:
    assert quality(Outputs(torch.tensor([[0.0, -1000.0]]), torch.tensor([0]))) == Quality(0.0, 0.0)


def test_scores_are_those_of_serving(predictor: Predictor, data: Path) -> None:
    examples = photos(data)

    found = collect(predictor, examples, step=1)

    names = predictor.vocabularies["vqa"]
    assert [names[i] if i < len(names) else None for i in found.wanted] == ["red", "green", None, "white"]
    for example, scores in zip(examples, found.scores, strict=True):
        answer = predictor.predict("vqa", image=example.image, question=example.question)
        assert isinstance(answer, Label)
        assert scores.exp().max().item() == pytest.approx(answer.candidates[0].probability, abs=1e-5)
        assert names[int(scores.argmax())] == answer.label


def test_words_are_scored_without_the_padding(predictor: Predictor) -> None:
    sentences = [("A", "dog", "runs", "."), ("She",)]
    examples = [Example("pos", {"tokens": words}, tags=(*["NN"] * (len(words) - 1), "XX")) for words in sentences]

    together = collect(predictor, examples, step=1)
    alone = collect(predictor, examples[1:], step=1)

    classes = together.scores.shape[1]
    nouns = predictor.vocabularies["pos"].index("NN")
    assert together.wanted.tolist() == [nouns, nouns, nouns, classes, classes]
    torch.testing.assert_close(together.scores[-1:], alone.scores)


def test_captions_are_taken_in_turn(predictor: Predictor, data: Path) -> None:
    photo = data / "flickr8k" / "Flicker8k_Dataset" / "dev0.jpg"
    captions = ("All is red here .", "A big field of green")
    examples = [Example("caption", {"image": photo}, captions=captions)] * 3

    found = collect(predictor, examples, start=1)

    assert found.wanted.tolist() == predictor.tokenizer.encode_output("A big field of green")
    (decoded,) = predictor.run(predictor.prepare("caption", image=photo).rows)
    assert found.scores[0].max().item() == pytest.approx(decoded.log_probabilities[0], abs=1e-5)


def test_halves_are_fitted_and_measured_apart(predictor: Predictor, data: Path) -> None:
    examples = photos(data)

    found = calibrate(predictor, examples)

    even, odd = (collect(predictor, examples, start) for start in (0, 1))
    assert found == Calibration("vqa", fit(even, odd), quality(odd), quality(odd, fit(even)), 2, 0, "answers")


def test_too_few_examples_are_an_error(predictor: Predictor, data: Path) -> None:
    examples = photos(data)

    for few in (examples[:1], examples[2:]):
        with pytest.raises(DataError, match="at least two examples"):
            calibrate(predictor, few)


def test_folding_divides_the_scores_of_one_task(folder: Path, data: Path) -> None:
    examples = photos(data)
    checkpoint = load(folder)
    predictor = Predictor(checkpoint, device="cpu")
    before = collect(predictor, examples, step=1)
    bend = predictor.predict("activity", image=examples[0].image)

    fold(checkpoint.network, "vqa", 2.0)
    predictor = Predictor(checkpoint, device="cpu")

    after = collect(predictor, examples, step=1)
    torch.testing.assert_close(after.scores, torch.log_softmax(before.scores / 2, -1))
    assert predictor.predict("activity", image=examples[0].image) == bend


def test_a_search_with_beams_has_other_answers(toy: Checkpoint) -> None:
    assert unaffected_tasks(toy.config) == ["pos", "activity", "caption", "vqa"]
    assert unaffected_tasks(replace(toy.config, beams=3)) == ["pos", "activity", "vqa"]


def test_the_section_has_a_row_a_task() -> None:
    found = Calibration("vqa", 1.5, Quality(12.34, 2.0), Quality(3.21, 1.5), 1430, 46, "answers")

    text = section([found, replace(found, task="pos", unknown=0, counted="words")], "a command")

    assert "by\n`a command`" in text
    assert text.splitlines()[-2:] == [
        "| vqa | 1.500 | 12.3 | 3.2 | 2.000 | 1.500 | 1,430 answers, 46 unknown |",
        "| pos | 1.500 | 12.3 | 3.2 | 2.000 | 1.500 | 1,430 words |",
    ]


def test_the_command(
    folder: Path,
    config_file: Path,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(command_module, "prepare", lambda threads: None)
    half = tmp_path / "half"
    save(load(folder), half, torch.float16)
    command = ["calibrate", str(half), "--config", str(config_file), "--data", str(data)]

    assert main(command) == 0

    table, _, rest = capsys.readouterr().out.partition("\nThe field `confidence`")
    measured = [line.split(" | ")[0] for line in table.splitlines()[-4:]]
    assert sorted(measured) == ["| activity", "| caption", "| pos", "| vqa"]
    after = load(half)
    assert after.card.startswith(f"# Tiny\n\nA card.\n\n{HEADING}\n\n{table}\n{confidence.HEADING}\n\nThe field")
    assert after.confidences.keys() == {line.split(" | ")[0][2:] for line in rest.splitlines() if line[:2] == "| "} - {
        "task"
    }
    assert stored_type(half) == torch.float16
    temperatures = {line.split(" | ")[0][2:]: float(line.split(" | ")[1]) for line in table.splitlines()[-4:]}
    stored = load(folder).network.state_dict()
    for name, tensor in after.network.state_dict().items():
        task = name.split(".")[2] if ".classifiers." in name else None
        expected = stored[name].half().float() / (temperatures[task] if task else 1)
        torch.testing.assert_close(tensor.float(), expected, rtol=0.02, atol=1e-6)

    fitted = next(
        task for task, temperature in temperatures.items() if 2 * MIN_TEMPERATURE < temperature < MAX_TEMPERATURE / 2
    )
    assert main([*command, "--tasks", fitted]) == 0
    assert load(half).card.count(HEADING) == 1
    lines = capsys.readouterr().out.partition("\nThe field `confidence`")[0].splitlines()
    again = lines[-1].split(" | ")
    assert again[0] == f"| {fitted}"
    assert float(again[1]) == pytest.approx(1.0, rel=0.02)
