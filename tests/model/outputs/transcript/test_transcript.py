"""Transcripts of short, long and silent recordings."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch.nn import functional

from omninet.model.checkpoint import Checkpoint
from omninet.model.errors import ConfigError, InputError
from omninet.model.library import Model
from omninet.model.outputs import OUTPUTS
from omninet.model.outputs.head import States
from omninet.model.outputs.transcript.answer import SpokenText, Transcript
from omninet.model.outputs.transcript.head import TranscriptHead
from omninet.model.outputs.transcript.output import SILENCE
from omninet.model.outputs.transcript.pieces import pieces_of
from omninet.model.predictor import Predictor
from omninet.model.tasks import PICTURE, TASKS
from omninet.training.data import Example
from tests.sounds import tone, wav
from tests.toys import SPEECH, with_speech

OUTPUT = OUTPUTS["transcript"]
TASK = TASKS["transcribe"]


@pytest.fixture(scope="module")
def predictor(toy: Checkpoint) -> Predictor:
    return Predictor(with_speech(toy, max_length=40), device="cpu")


def transcribe(predictor: Predictor, audio: Any, **options: Any) -> Transcript:
    return cast(Transcript, predictor.predict("transcribe", audio=audio, **options))


def noisy(seconds: float, seed: int = 0) -> np.ndarray:
    noise = 3000 * np.random.default_rng(seed).standard_normal(round(seconds * SPEECH.rate))
    return (tone(seconds, SPEECH.rate) + noise).clip(-(2**15), 2**15 - 1).astype(np.int16)


def test_a_recording_becomes_characters(predictor: Predictor) -> None:
    answer = transcribe(predictor, noisy(0.5), n_best=2, beams=3)

    assert answer.best.text == "".join(piece.text for piece in answer.best.tokens)
    assert set(answer.best.text) <= set(" ABCDE")
    assert answer.best.log_probability < 0
    assert len(answer.alternatives) == 1
    assert answer.alternatives[0].text != answer.best.text


def test_answers_do_not_depend_on_the_batch(predictor: Predictor) -> None:
    jobs = [predictor.prepare("transcribe", audio=noisy(seconds, i)) for i, seconds in enumerate((0.2, 0.9, 0.5))]
    jobs.append(predictor.prepare("pos", text="A dog runs."))
    rows = [row for job in jobs for row in job.rows]

    together = predictor.run(rows)

    for row, found in zip(rows, together, strict=True):
        (alone,) = predictor.run([row])
        assert found.tokens == alone.tokens
        assert found.log_probabilities == pytest.approx(alone.log_probabilities, abs=1e-4)


def test_a_long_recording_is_read_in_pieces(predictor: Predictor) -> None:
    most = 40 * SPEECH.step
    whole = np.concatenate([noisy(1.2), np.zeros(1600, np.int16), noisy(1.1, 1)])
    assert len(whole) > most

    first, second = pieces_of(whole, SPEECH.rate, most)
    answer = transcribe(predictor, whole, beams=1)

    assert len(first) <= most
    assert 1.2 * SPEECH.rate <= len(first) <= 1.2 * SPEECH.rate + 1600
    np.testing.assert_array_equal(np.concatenate([first, second]), whole)
    texts = [transcribe(predictor, piece, beams=1).best for piece in (first, second)]
    assert answer.best.text == " ".join(text.text for text in texts if text.text)
    assert answer.best.text == "".join(piece.text for piece in answer.best.tokens)
    assert answer.best.log_probability == pytest.approx(sum(text.log_probability for text in texts), abs=1e-4)


def test_long_recordings_are_divided_where_they_are_quiet() -> None:
    loud = np.full(2000, 1000, np.int16)
    loud[800:1000] = 750

    first, second = pieces_of(loud, 100, 1000)[:2]

    assert 800 <= len(first) <= 1000
    assert len(first) + len(second) <= 2000


def test_no_text_is_longer_than_its_recording(predictor: Predictor) -> None:
    answer = transcribe(predictor, noisy(0.1), min_length=30, n_best=4, beams=4)

    assert len(answer.best.text) <= -(-len(noisy(0.1)) // SPEECH.step)
    assert all(other.log_probability > -1000 for other in answer.alternatives)
    assert len({other.text for other in answer.alternatives}) == len(answer.alternatives)


def test_sampled_texts_have_the_scores_of_the_search(predictor: Predictor) -> None:
    searched = transcribe(predictor, noisy(0.3), beams=1).best
    sampled = transcribe(predictor, noisy(0.3), temperature=0.01, seed=0).best

    assert sampled.text == searched.text
    assert sampled.log_probability == pytest.approx(searched.log_probability, abs=1e-4)


def test_nothing_is_invented_for_silence(predictor: Predictor) -> None:
    for samples in (np.zeros(8000, np.int16), tone(0.5, SPEECH.rate, loudness=0.0005)):
        answer = transcribe(predictor, wav(samples, SPEECH.rate), min_length=3)

        assert (answer.best.text, answer.best.tokens) == ("", ())
        assert answer.notes == (SILENCE,)


def test_a_text_that_is_cut_says_so(predictor: Predictor) -> None:
    answer = transcribe(predictor, noisy(0.8), max_length=1, min_length=1)

    assert len(answer.best.text) == 1
    assert answer.notes == ("the text was cut: it has more characters than are accepted",)


def test_the_body_has_the_best_text_and_its_alternatives(predictor: Predictor) -> None:
    answer = Transcript(SpokenText("A", -0.5, ()), (SpokenText("B", -1.0, ()),))

    assert OUTPUT.body(TASK, answer).model_dump() == {
        "text": "A",
        "log_probability": -0.5,
        "tokens": [],
        "alternatives": [{"text": "B", "log_probability": -1.0, "tokens": []}],
    }
    assert (OUTPUT.line(answer), OUTPUT.text(answer)) == ("A", "A\nB")


def test_a_file_that_is_no_recording(predictor: Predictor) -> None:
    with pytest.raises(InputError) as caught:
        transcribe(predictor, b"none")

    assert caught.value.code == "not_audio"


def test_the_task_needs_a_recording(toy: Checkpoint) -> None:
    task = replace(TASK, inputs=(PICTURE,))
    checkpoint = with_speech(toy)
    network = replace(
        checkpoint.config.network,
        peripherals={**checkpoint.config.network.peripherals, "vision": toy.config.network.peripherals["vision"]},
        domains=("audio", "english", "image"),
        tasks={"transcribe": task},
        vocabularies={"characters": 7},
        controls=(),
    )
    model = replace(checkpoint, config=replace(checkpoint.config, network=network))

    with pytest.raises(ConfigError, match="task transcribe: its input picture must be a recording"):
        Predictor(model, device="cpu").prepare("transcribe", image=b"GIF89a")


def test_the_library_transcribes_a_file(toy: Checkpoint) -> None:
    model = Model(with_speech(toy), device="cpu")
    samples = noisy(0.5)

    assert model.transcribe(wav(samples, SPEECH.rate)).best == transcribe(model, samples).best


def test_targets_are_characters_and_the_end() -> None:
    example = Example("transcribe", answer=" AB  C ")

    assert OUTPUT.classes(example) == ["A", "B", " ", "C", "<end>"]
    assert OUTPUT.target(example, {"<end>": 0, " ": 1, "A": 2, "B": 3}, cast(Any, None)) == [2, 3, 1, 4, 0]
    assert OUTPUT.is_right(example, Transcript(SpokenText("AB C", 0.0, ())))


def test_the_loss_adds_that_of_the_alignment() -> None:
    torch.manual_seed(0)
    head = TranscriptHead(TASK, 8, 4)
    targets = torch.tensor([[1, 2, 0], [3, 0, 0]])
    mask = torch.tensor([[True, True, True], [True, True, False]])
    classes = torch.log_softmax(torch.randn(2, 3, 4), -1)
    encoded, real = torch.randn(2, 5, 8), torch.tensor([[True] * 5, [True] * 4 + [False]])

    found = head.loss({"classes": States(classes, mask), 2: States(encoded, real)}, targets, mask)

    lengths = ((5, 3), (4, 2))
    wanted = [
        functional.ctc_loss(
            head.alignment(encoded[i, :steps]),
            targets[i, : length - 1],
            torch.tensor(steps),
            torch.tensor(length - 1),
            reduction="sum",
        ).item()
        for i, (steps, length) in enumerate(lengths)
    ]
    assert found.terms["ctc"].item() == pytest.approx(sum(wanted), rel=1e-5)
    assert found.terms["nll"] > 0


def test_a_recording_without_speech_has_a_loss() -> None:
    torch.manual_seed(0)
    head = TranscriptHead(TASK, 8, 4)
    mask = torch.ones(1, 1, dtype=torch.bool)
    classes = torch.log_softmax(torch.randn(1, 1, 4), -1)

    found = head.loss(
        {"classes": States(classes, mask), 2: States(torch.randn(1, 5, 8))}, torch.zeros(1, 1).long(), mask
    )

    assert torch.isfinite(found.terms["ctc"])


def test_the_constant_answer_is_the_commonest_text() -> None:
    train = [Example("transcribe", answer=text) for text in ("A", "B", "B")]

    text, answers = OUTPUT.constant(train, train)

    assert text == "B"
    assert OUTPUT.metrics(train, answers)["recordings right"] == pytest.approx(200 / 3)
