"""``omninet evaluate`` from end to end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from omninet.command import build_parser, main
from omninet.model.checkpoint import load
from omninet.model.outputs.text.bleu import normalise
from omninet.training.commands import evaluate
from omninet.training.evaluate import outside
from tests.samples import jpeg_bytes
from tests.training.conftest import put

TASKS = ["caption", "pos", "vqa", "activity"]


@pytest.fixture
def command(folder: Path, config_file: Path, data: Path) -> list[str]:
    """The command without options."""
    return ["evaluate", str(folder), "--config", str(config_file), "--data", str(data)]


def test_tables_go_to_stdout_and_to_the_card(
    command: list[str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    digest = load(folder).digest

    assert main([*command, "--card", "--limit", "1"]) == 0

    tables = capsys.readouterr().out
    rows = tables.split("\n\n")[0].splitlines()[2:]
    assert [row.split(" | ")[0] for row in rows] == [f"| {task}" for task in TASKS]
    card = load(folder).card
    assert tables.strip() in card
    assert "On the dev splits, by `omninet evaluate --data DATA --limit 1`:" in card
    assert load(folder).digest == digest


def test_everything_into_a_folder(
    command: list[str], folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder.parent / "log.jsonl").write_text('{"step": 1, "task": "vqa", "loss": 2.5}\n')
    out = tmp_path / "some" / "report"

    assert main([*command, "--json", "--limit", "1", "--zero-shot", "--out", str(out)]) == 0

    report = json.loads(capsys.readouterr().out)
    assert report == json.loads((out / "report.json").read_text())
    assert report["weights_sha256"] == load(folder).digest
    assert {m["task"]: m["count"] for m in report["measures"]} == {"caption": 1, "pos": 4, "vqa": 1, "activity": 1}
    assert report["measures"][0]["constant_answer"] == normalise(report["measures"][0]["constant_answer"])
    assert {c["task"] for c in report["zero_shot"]["motion"]} == {"video-caption", "video-qa"}
    assert {path.name for path in out.glob("*/*")} == {
        "caption_dev.json",
        "vqa_dev.json",
        "confusion_activity.png",
        "losses.png",
    }


def test_zero_shot_is_measured_on_request_only(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command, "--json", "--limit", "1"]) == 0

    assert json.loads(capsys.readouterr().out)["zero_shot"] is None


def test_the_further_parts(
    command: list[str],
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    put(tmp_path / "coffee.png", jpeg_bytes())
    monkeypatch.setattr(outside, "sample_pictures", lambda: {"coffee.png": tmp_path / "coffee.png"})
    page = tmp_path / "docs" / "gallery.md"
    options = ["--limit", "1", "--shuffled", "--outside", "--card", "--gallery", str(page)]

    assert main([*command, *options]) == 0

    shown = capsys.readouterr().out
    card = load(folder).card
    evaluated, other = shown.split(f"{outside.HEADING}\n")
    assert "| frames of clips |" in evaluated
    assert "| coffee.png | turned by 90° |" in other
    assert "| dev0.jpg | blurred |" in other
    assert evaluated.strip() in card
    assert other.strip() in card
    assert "by `omninet evaluate --data DATA --limit 1 --shuffled --outside`:" in card
    assert page.read_text().startswith("# What the model says of 2 photos")


def test_missing_samples_are_reported_before_the_evaluation(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(outside, "find_spec", lambda _: None)

    assert main([*command, "--outside"]) == 2

    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == "omninet: the sample pictures of scikit-image are not installed: pip install scikit-image\n"


def test_things_of_a_folder_are_named(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The current folder can be given, too."""
    put(tmp_path / "here" / "coffee.jpg", jpeg_bytes())
    put(tmp_path / "here" / "things.tsv", "coffee.jpg\t0123456789abcdef\tcup\tcup coffee\n")
    monkeypatch.setattr(outside, "sample_pictures", lambda: {"coffee.png": tmp_path / "here" / "coffee.jpg"})
    monkeypatch.chdir(tmp_path / "here")

    assert main([*command, "--limit", "1", "--outside", "."]) == 0

    assert "Of 1 photos of 1 everyday kinds from elsewhere, " in capsys.readouterr().out


def test_missing_photos_of_things_are_reported_before_the_evaluation(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(outside, "sample_pictures", dict)

    assert main([*command, "--outside", str(tmp_path)]) == 2

    shown = capsys.readouterr()
    assert shown.out == ""
    assert f"{tmp_path} lacks 438 of 438 photos, such as " in shown.err


def test_the_card_says_how_to_repeat_the_figures(command: list[str]) -> None:
    parser = build_parser()

    asked = parser.parse_args([*command, "--split", "test", "--zero-shot", "--card", "--out", "somewhere"])

    assert evaluate.repeat(asked) == "omninet evaluate --data DATA --split test --zero-shot"
    for given, said in (["--outside"], "--outside"), (["--outside", "photos"], "--outside FOLDER"):
        assert evaluate.repeat(parser.parse_args([*command, *given])) == f"omninet evaluate --data DATA {said}"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--limit", "0"], "argument --limit: 0 is less than 1"),
        (["--limit", "few"], "argument --limit: invalid"),
        (["--split", "train"], "argument --split: invalid choice: 'train'"),
    ],
)
def test_bad_options(
    arguments: list[str], message: str, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, *arguments]) == 2
    assert message in capsys.readouterr().err


def test_an_invalid_output_folder_is_refused_before_the_evaluation(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")

    assert main([*command, "--out", str(tmp_path / "file")]) == 2

    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("omninet: ")
    assert shown.err.count("\n") == 1
