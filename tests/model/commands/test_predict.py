"""Tests of ``omninet predict``."""

from __future__ import annotations

import argparse
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import omninet
from omninet.command import main
from omninet.model import cli
from omninet.model.checkpoint import Checkpoint, save
from omninet.model.confidence.confidence import Confidence
from omninet.model.errors import CheckpointError, DeviceError, InputError
from omninet.model.library import Model
from omninet.model.outputs.text.answer import Caption
from omninet.model.predictor import Predictor
from tests.conftest import ACTIVITIES, ANSWERS
from tests.samples import jpeg_bytes, video_bytes
from tests.sounds import tone, wav
from tests.toys import NEW_VOCABULARIES, SEEN, with_new_tasks, with_speech, with_translation

QUESTION = ["--question", "What is on the table?"]
IMAGE_USES = ["caption", "vqa"]
TASKS = ["caption", "vqa", "pos", "activity", "video-caption", "video-qa"]


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """Input of each use."""
    photo, clip = tmp_path / "photo.jpg", tmp_path / "clip.mp4"
    photo.write_bytes(jpeg_bytes())
    clip.write_bytes(video_bytes())
    return {use: str(photo if use in IMAGE_USES else clip) for use in TASKS} | {"pos": "A dog runs."}


def run(*arguments: str | Path) -> int:
    """Run a command; return its exit code."""
    parser = argparse.ArgumentParser()
    cli.add_commands(parser.add_subparsers(required=True))
    args = parser.parse_args([str(argument) for argument in arguments])
    code: int = args.run(args)
    return code


def arguments(use: str, source: str, checkpoint: Path) -> list[str]:
    question = QUESTION if use in {"vqa", "video-qa"} else []
    return ["predict", use, source, *question, "--checkpoint", str(checkpoint), "--device", "cpu"]


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("use", TASKS)
def test_predict_as_json(
    use: str, files: dict[str, str], toy_checkpoint: Path, toy_predictor: Predictor, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments(use, files[use], toy_checkpoint), "--json") == 0

    (line,) = lines(capsys)
    answer: dict[str, Any] = json.loads(line)
    assert answer["input"] == files[use]
    if use == "pos":
        words = answer["sentences"][0]
        assert [w["text"] for w in words] == ["A", "dog", "runs", "."]
        assert [(w["start"], w["end"]) for w in words] == [(0, 1), (2, 5), (6, 10), (10, 11)]
    elif "caption" in use:
        assert "".join(t["text"] for t in answer["tokens"]) == answer["caption"]
        assert answer["log_probability"] < 0
    else:
        classes = ACTIVITIES if use == "activity" else ANSWERS
        assert answer["label"] == answer["candidates"][0]["label"]
        assert {c["label"] for c in answer["candidates"]} <= set(classes)


def test_predict_as_text(files: dict[str, str], toy_checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = {}
    for use in TASKS:
        assert run(*arguments(use, files[use], toy_checkpoint)) == 0
        shown[use] = lines(capsys)

    assert len(shown["activity"]) == 4
    assert len(shown["vqa"]) == len(shown["video-qa"]) == 5
    assert all(line.lstrip()[0].isdigit() and "%  " in line for line in shown["vqa"])
    assert [word.rpartition("/")[0] for word in shown["pos"][0].split()] == ["A", "dog", "runs", "."]
    assert shown["caption"]


def test_json_and_text_agree(files: dict[str, str], toy_checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(*arguments("video-caption", files["video-caption"], toy_checkpoint), "--json")
    answer = json.loads(lines(capsys)[0])
    run(*arguments("video-caption", files["video-caption"], toy_checkpoint))

    assert lines(capsys) == [answer["caption"], *(f"(note: {note})" for note in answer["notes"])]


@pytest.mark.parametrize(("offset", "doubts"), [(30.0, 0), (-30.0, 1)])
def test_unlikely_answers_are_marked(
    files: dict[str, str],
    toy: Checkpoint,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    offset: float,
    doubts: int,
) -> None:
    save(replace(toy, confidences={"activity": Confidence(1.0, offset, 0.5)}), tmp_path / "toy")

    assert run(*arguments("activity", files["activity"], tmp_path / "toy")) == 0

    assert lines(capsys).count("(not sure: 0% likely to be right)") == doubts


def test_several_inputs_give_one_answer_each(toy_checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("predict", "pos", "Go.", "Stay here.", "--checkpoint", toy_checkpoint, "--device", "cpu", "--json") == 0

    answers = [json.loads(line) for line in lines(capsys)]
    assert [answer["input"] for answer in answers] == ["Go.", "Stay here."]
    assert [len(answer["sentences"][0]) for answer in answers] == [2, 3]


def test_each_of_several_answers_is_named(
    files: dict[str, str], toy_checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("predict", "caption", *[files["caption"]] * 2, "--checkpoint", toy_checkpoint, "--device", "cpu") == 0
    assert sum(line.startswith(f"{files['caption']}:") for line in lines(capsys)) == 2

    assert run("predict", "activity", *[files["activity"]] * 2, "--checkpoint", toy_checkpoint, "--device", "cpu") == 0
    printed = lines(capsys)
    assert printed.count(f"{files['activity']}:") == 2
    assert sum(not line.startswith("  ") for line in printed) == 2


@pytest.mark.parametrize("as_json", [False, True])
def test_files_after_a_bad_one_are_answered(
    files: dict[str, str], toy_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    (tmp_path / "bad.jpg").write_text("no picture")
    sources = [str(tmp_path / "bad.jpg"), "missing.jpg", files["caption"]]
    json_option = ["--json"] if as_json else []

    code = run("predict", "caption", *sources, "--checkpoint", toy_checkpoint, "--device", "cpu", *json_option)

    printed, errors = (text.splitlines() for text in capsys.readouterr())
    assert code == 2
    assert [line.split(":")[:2] for line in errors] == [["omninet", f" {source}"] for source in sources[:2]]
    if as_json:
        found = [json.loads(line) for line in printed]
        assert [each["input"] for each in found] == sources
        assert [each.get("error", {}).get("code") for each in found] == ["not_an_image", "unreadable_file", None]
    else:
        assert sum(line.startswith(f"{files['caption']}:") for line in printed) == 1


@pytest.mark.parametrize("place", ["", "no/folder/heat.png"])
def test_path_of_the_explanation_is_checked_before_the_model_is_loaded(tmp_path: Path, place: str) -> None:
    with pytest.raises(InputError, match="--explain cannot write"):
        run("predict", "caption", "missing.jpg", "--checkpoint", tmp_path / "none", "--explain", tmp_path / place)


def test_predict_with_options_of_a_text(
    files: dict[str, str], toy_checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--n-best", "3", "--temperature", "2.5", "--seed", "4", "--max-length", "5")

    assert run(*arguments("caption", files["caption"], toy_checkpoint), *options) == 0

    expected = Predictor.load(toy_checkpoint, device="cpu").predict(
        "caption", image=files["caption"], n_best=3, temperature=2.5, seed=4, max_length=5
    )
    assert isinstance(expected, Caption)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == [expected.caption, *(other.caption for other in expected.alternatives)]


def test_predict_draws_the_attention(
    files: dict[str, str], toy_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    heat = tmp_path / "heat.png"

    assert (
        run(*arguments("video-caption", files["video-caption"], toy_checkpoint), "--explain", str(heat), "--json") == 0
    )

    answer = json.loads(capsys.readouterr().out)
    assert len(answer["explanation"]["tokens"]) == len(answer["tokens"])
    with Image.open(heat) as picture:
        assert picture.format == "PNG"
    with pytest.raises(InputError, match="takes no explain"):
        run(*arguments("pos", "Go.", toy_checkpoint), "--explain", str(heat))
    with pytest.raises(InputError, match="--explain takes one INPUT"):
        run("predict", "caption", *[files["caption"]] * 2, "--checkpoint", str(toy_checkpoint), "--explain", str(heat))


def test_predict_with_beams(files: dict[str, str], toy_checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*arguments("caption", files["caption"], toy_checkpoint), "--beams", "1") == 0
    assert run(*arguments("caption", files["caption"], toy_checkpoint)) == 0

    printed = lines(capsys)
    assert printed[: len(printed) // 2] == printed[len(printed) // 2 :]


def test_errors(files: dict[str, str], toy_checkpoint: Path) -> None:
    with pytest.raises(InputError, match="needs question; give it by --question TEXT"):
        run("predict", "vqa", files["vqa"], "--checkpoint", toy_checkpoint)
    with pytest.raises(InputError, match="takes no question"):
        run(*arguments("pos", "Go.", toy_checkpoint), *QUESTION)
    with pytest.raises(InputError, match="takes no beams"):
        run(*arguments("pos", "Go.", toy_checkpoint), "--beams", "2")
    with pytest.raises(InputError, match=r"missing.jpg: .*cannot be read"):
        run(*arguments("caption", "missing.jpg", toy_checkpoint))
    with pytest.raises(InputError, match="--question: the question is empty"):
        run("predict", "vqa", files["vqa"], "--question", " ", "--checkpoint", toy_checkpoint)
    with pytest.raises(InputError, match="--option size=big is not JSON"):
        run(*arguments("caption", files["caption"], toy_checkpoint), "--option", "size=big")
    with pytest.raises(CheckpointError, match="does not exist"):
        run("predict", "pos", "Go.", "--checkpoint", toy_checkpoint / "missing")
    with pytest.raises(DeviceError, match="toaster"):
        run("predict", "pos", "Go.", "--checkpoint", toy_checkpoint, "--device", "toaster")


def test_an_unknown_task_lists_those_of_the_checkpoint(toy_checkpoint: Path) -> None:
    with pytest.raises(InputError, match="there is no task 'hat'; known are pos, activity, caption, video-caption"):
        run("predict", "hat", "Go.", "--checkpoint", toy_checkpoint)


@pytest.mark.parametrize(("use", "tasks"), [("match", "match"), ("verify", "entailment or truth")])
def test_a_built_in_task_that_the_checkpoint_lacks(
    use: str, tasks: str, toy_checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", use, "photo.jpg", "--checkpoint", str(toy_checkpoint)]) == 2

    expected = f"the checkpoint has no task {tasks}; its tasks are pos, activity, caption, vqa; use a checkpoint"
    assert expected in capsys.readouterr().err


def test_help_names_every_task(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run("predict", "--help")

    assert caught.value.code == 0
    shown = capsys.readouterr().out
    assert all(f"\n  {use} " in shown for use in TASKS)


@pytest.fixture(scope="module")
def other_checkpoint(toy: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with the tasks that compare a picture with a text."""
    folder = tmp_path_factory.mktemp("other") / "other"
    save(with_new_tasks(toy), folder)
    return folder


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (["match", "PHOTO", "--text", "A dog."], r"(no-)?match \(\d"),
        (["match", "--image", "PHOTO", "--text", "A dog."], r"(no-)?match \(\d"),
        (["embed", "--text", "A dog."], "32 numbers at the exit best"),
        (["embed", "PHOTO", "--option", 'exit="fast"'], "32 numbers at the exit fast"),
        (["ground", "PHOTO", "--phrase", "the dog"], r"\d"),
        (["verify", "PHOTO", "--statement", "A dog runs."], "entailment|neutral|contradiction"),
        (["verify", "--kind", "truth", "PHOTO", "--statement", "A dog runs."], "true|false"),
        (["verify", "--kind", "truth", "PHOTO", "--second-image", "PHOTO", "--statement", "Both."], "true|false"),
        (["classify", "PHOTO"], "tench|goldfish|toilet tissue"),
        (["classify", "PHOTO", "--classes", "caltech101"], "accordion|airplanes|anchor"),
    ],
)
def test_tasks_that_compare_a_picture_with_a_text(
    given: list[str], shown: str, files: dict[str, str], other_checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [files["caption"] if word == "PHOTO" else word for word in given]

    assert run("predict", *words, "--checkpoint", other_checkpoint, "--device", "cpu") == 0
    assert re.search(shown, lines(capsys)[0])


def test_an_input_is_needed(other_checkpoint: Path) -> None:
    with pytest.raises(InputError, match="task match needs an INPUT: its picture"):
        run("predict", "match", "--text", "A dog.", "--checkpoint", other_checkpoint)
    with pytest.raises(InputError, match="there is no task 'verify/beauty'"):
        run("predict", "verify", "--kind", "beauty", "--checkpoint", other_checkpoint)


def test_typed_methods_of_the_library(files: dict[str, str], other_checkpoint: Path) -> None:
    model, photo = omninet.load(other_checkpoint, device="cpu"), files["caption"]

    assert 0 <= model.match(photo, "A dog.").probability <= 1
    assert (model.embed(photo).exit, model.embed(text="A dog.", exit="fast").exit) == ("best", "fast")
    assert model.ground(photo, "the dog").absent_probability >= 0
    assert len(model.ground(photo, "the dog", candidates=[(0, 0, 9, 9), (1, 1, 5, 5)]).boxes) == 2
    assert model.verify(photo, "A dog runs.").label in NEW_VOCABULARIES["entailment"]
    assert model.verify(photo, "A dog runs.", kind="truth").label in NEW_VOCABULARIES["truth"]
    assert model.verify(photo, "Both.", kind="truth", second_image=photo).label in NEW_VOCABULARIES["truth"]
    with pytest.raises(InputError, match="not trained with two pictures"):
        model.verify(photo, "Both.", second_image=photo)
    assert model.classify(photo).label in NEW_VOCABULARIES["imagenet"]
    assert model.classify(photo, classes="caltech101").label in NEW_VOCABULARIES["caltech101"]


def test_recordings_and_pictures_beside_texts(
    toy: Checkpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    speech, photo = tmp_path / "speech.wav", tmp_path / "photo.jpg"
    speech.write_bytes(wav(tone(0.5, 8000), 8000))
    photo.write_bytes(jpeg_bytes())
    save(with_speech(toy), tmp_path / "hears")
    save(with_translation(toy, SEEN), tmp_path / "sees")
    translate = ["predict", "translate/en-de/picture", "A dog runs.", "--input", f"image={photo}"]

    for given in ([speech], ["--audio", speech]):
        assert run("predict", "transcribe", *given, "--checkpoint", tmp_path / "hears") == 0
    assert run(*translate, "--checkpoint", tmp_path / "sees") == 0

    first, second, translated, note = lines(capsys)
    assert note == "(note: the translation was cut)"
    assert first == second
    (wanted,) = Model(with_translation(toy, SEEN), device="cpu").translate("A dog runs.", image=photo).best
    assert translated == wanted.translation
