"""A report as tables, as JSON, as files and in a checkpoint's card."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from omninet.model.checkpoint import load, save
from omninet.model.outputs.label.metrics import Confusion
from omninet.training.data import Example
from omninet.training.evaluate import Figure, Measure, Report, table, write_to_card
from omninet.training.evaluate.output import write_report
from omninet.training.evaluate.outside import Outside, Said
from omninet.training.evaluate.shuffled import Order
from omninet.training.evaluate.zero_shot import Comparison, Naming, ZeroShot
from omninet.training.setup import Setup
from tests.training.evaluate.conftest import answered, captions

FIGURES = [
    Measure("vqa", "daquar", "accuracy", 25.04, 12.5, "table", 8),
    Measure("caption", "flickr8k", "BLEU-4", 14.25, 8.5, "a dog runs", 1000, (Figure("CIDEr", 41.26, 9.0),)),
]
ACTIVITY = Measure(
    "activity", "clips", "top-1", 50.0, 50.0, "run", 2, confusion=Confusion(("run", "wave"), ((1, 0), (1, 0)))
)
ZERO_SHOT = ZeroShot(
    (
        Comparison("video-caption", "flickr8k", "BLEU-4", 14.0, 12.6, 0.9, 1000),
        Comparison("video-qa", "daquar", "accuracy", 0.0, 1.0, None, 8),
    ),
    (Naming("fight", 40.0, 12.34, 15),),
)
ORDERS = (Order("reversed", "clips", 50.0, 40.0, 8, 5),)
OUTSIDE = Outside((Said("cat.png", "dark", "a dog", 0.3, "table", 0.5),), None)


def make(
    *measures: Measure,
    zero_shot: ZeroShot | None = None,
    orders: tuple[Order, ...] = (),
    outside: Outside | None = None,
) -> Report:
    return Report("tiny", "0.0.1", "abc", "dev", measures, zero_shot, orders, outside)


def test_the_table_has_headlines_and_further_figures() -> None:
    assert table(FIGURES).splitlines() == [
        "| task | data | measure | network | best constant | the constant | examples |",
        "|---|---|---|---|---|---|---|",
        "| vqa | daquar | accuracy | 25.0 | 12.5 | table | 8 |",
        "| caption | flickr8k | BLEU-4 | 14.2 | 8.5 | a dog runs | 1000 |",
        "",
        "| task | data | further measure | network | best constant |",
        "|---|---|---|---|---|",
        "| caption | flickr8k | CIDEr | 41.3 | 9.0 |",
    ]


def test_the_table_includes_the_question_only_baseline() -> None:
    blind = replace(FIGURES[0], question_only=20.0, other_photo=18.04)

    assert table([blind, FIGURES[1]]).splitlines()[5:8] == [
        "| task | data | measure | network | asked about another photo | question alone | best constant |",
        "|---|---|---|---|---|---|---|",
        "| vqa | daquar | accuracy | 25.0 | 18.0 | 20.0 | 12.5 |",
    ]
    assert "| 25.0 | - | 20.0 | 12.5 |" in table([replace(blind, other_photo=None)])


def test_one_table_where_there_is_nothing_further() -> None:
    assert len(table(FIGURES[:1]).splitlines()) == 3


def test_zero_shot_has_tables_of_its_own() -> None:
    assert make(*FIGURES[:1], zero_shot=ZERO_SHOT).to_markdown().splitlines()[4:] == [
        "| zero-shot | data | measure | photos | photos in motion | ratio | examples |",
        "|---|---|---|---|---|---|---|",
        "| video-caption | flickr8k | BLEU-4 | 14.0 | 12.6 | 90% | 1000 |",
        "| video-qa | daquar | accuracy | 0.0 | 1.0 | - | 8 |",
        "",
        "| class of clips | % of captions that name it | the same words elsewhere | clips |",
        "|---|---|---|---|",
        "| fight | 40.0 | 12.3 | 15 |",
    ]
    assert make(*FIGURES[:1], zero_shot=ZeroShot((), ())).to_markdown() == table(FIGURES[:1])


def test_orders_have_a_table_of_their_own() -> None:
    assert make(*FIGURES[:1], orders=ORDERS).to_markdown().splitlines()[3:] == [
        "",
        "| frames of clips | data | top-1 | clips | tennis strokes among themselves | clips |",
        "|---|---|---|---|---|---|",
        "| reversed | clips | 50.0 | 8 | 40.0 | 5 |",
    ]


def test_pictures_outside_the_data_are_not_in_the_tables(folder: Path) -> None:
    report = make(*FIGURES[:1], outside=OUTSIDE)
    assert report.to_markdown() == table(FIGURES[:1])
    assert json.loads(report.to_json())["outside"]["said"][0]["caption"] == "a dog"

    write_to_card(folder, report, "a command")
    write_to_card(folder, make(*FIGURES), "another command")

    card = load(folder).card
    assert card.index("## Evaluation") < card.index("## Outside its data\n\nBy `a command`:")
    assert card.endswith("| cat.png | dark | a dog | 0.30 | table | 0.50 |\n")
    assert "On the dev splits, by `another command`" in card


def test_json_holds_everything() -> None:
    found = json.loads(make(ACTIVITY, zero_shot=ZERO_SHOT).to_json())

    assert (found["name"], found["version"], found["weights_sha256"], found["split"]) == ("tiny", "0.0.1", "abc", "dev")
    assert found["measures"][0]["confusion"] == {"classes": ["run", "wave"], "counts": [[1, 0], [1, 0]]}
    assert found["zero_shot"]["motion"][1]["ratio"] is None


def test_files(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text('{"step": 1, "task": "vqa", "loss": 2.5}\n')
    given = answered([], [Example("caption", {"image": Path("dog.jpg")})], captions("a dog"))

    write_report(tmp_path / "new" / "out", make(*FIGURES, ACTIVITY), [given], log)

    out = tmp_path / "new" / "out"
    assert sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()) == [
        "plots/confusion_activity.png",
        "plots/losses.png",
        "report.json",
        "results/caption_dev.json",
        "table.md",
    ]
    assert json.loads((out / "report.json").read_text())["measures"][1]["value"] == 14.25
    assert (out / "table.md").read_text() == table([*FIGURES, ACTIVITY])


def test_files_without_a_log(tmp_path: Path) -> None:
    write_report(tmp_path, make(*FIGURES), [], None)

    assert list((tmp_path / "plots").iterdir()) == []


def test_figures_go_into_the_card(folder: Path) -> None:
    write_to_card(folder, make(*FIGURES), "omninet evaluate --data DATA")

    card = load(folder).card
    assert card.startswith("# Tiny\n\nA card.\n\n## Evaluation\n\nOn the dev splits, by `omninet evaluate")
    assert table(FIGURES) in card


def test_later_figures_replace_the_earlier(setup: Setup, tmp_path: Path) -> None:
    save(setup.checkpoint("# Tiny\n\n## Evaluation\n\nold\n\n## Limits\n\nmany\n"), tmp_path / "checkpoint")

    write_to_card(tmp_path / "checkpoint", make(*FIGURES, zero_shot=ZERO_SHOT), r"a \1 command")
    write_to_card(tmp_path / "checkpoint", make(*FIGURES[:1]), "a command")

    card = load(tmp_path / "checkpoint").card
    assert card.count("## Evaluation") == 1
    assert "old" not in card
    assert "BLEU" not in card
    assert card.startswith("# Tiny\n\n## Evaluation\n")
    assert card.endswith("\n## Limits\n\nmany\n")


@pytest.mark.parametrize("extra", ["|", "\n"])
def test_a_constant_cannot_break_the_table(extra: str) -> None:
    measure = Measure("vqa", "daquar", "accuracy", 1.0, 1.0, f"a{extra}b", 1)

    line = table([measure]).splitlines()[2]
    assert line == "| vqa | daquar | accuracy | 1.0 | 1.0 | a b | 1 |"
