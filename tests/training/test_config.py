"""One YAML file a run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from omninet.model.config import CNPConfig
from omninet.model.errors import ConfigError
from omninet.model.outputs import OUTPUTS, Output
from omninet.model.outputs.label.output import LabelOutput
from omninet.model.storage.layout import BUNDLED as CHECKPOINT
from omninet.model.storage.layout import skim
from omninet.model.tasks import PICTURE, TASKS, Input
from omninet.training.config import RunConfig
from omninet.training.data import DATASETS
from omninet.training.data.daquar import Daquar
from omninet.training.network import network_config
from omninet.training.runtime.schedule import quotas
from tests.training.conftest import make_config, run_values

MODEL = Path(__file__).parents[2] / "model" / "bundled"
BUNDLED = Path(__file__).parents[2] / "training" / "configs" / "bundled.yaml"
SHIPPED = [path for path in sorted(BUNDLED.parent.glob("*.yaml")) if path.stem != "distill"]  # that is no run
CAPTION = {"dataset": "flickr8k", "folder": "f", "batch": 4, "share": 1}


def message_of(tmp_path: Path, values: Any) -> str:
    """Return the message of the error when loading fails, without the path."""
    path = tmp_path / "run.yaml"
    path.write_text(yaml.safe_dump(values))
    with pytest.raises(ConfigError) as caught:
        RunConfig.load(path)
    start = f"{path}: "
    assert str(caught.value).startswith(start)
    return str(caught.value).removeprefix(start)


def test_a_file_comes_back(config_file: Path) -> None:
    config = RunConfig.load(config_file)

    assert config == make_config()
    assert config.tasks["pos"].dataset == "ewt"
    assert (config.seed, config.clip, config.cooldown, config.tasks["pos"].cap) == (0, 1.0, 0.0, None)


def test_the_bundled_run_is_valid() -> None:
    config = RunConfig.load(BUNDLED)

    assert config.name == "omninet-bundled"
    assert list(config.tasks) == list(skim(CHECKPOINT).network.tasks)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_run_that_is_shipped_can_be_built(path: Path) -> None:
    config = RunConfig.load(path)

    network = network_config(config, 1000, {"pos": ("NN",), "vqa": ("yes",), "activity": ("run",)})

    assert set(network.tasks) == set(config.tasks)
    is_papers = path.stem in ("paper", "reproduce", "smoke")
    assert is_papers == (set(config.tasks) == {"caption", "vqa", "pos", "activity"})
    assert f"training/configs/{path.name}" in path.read_text()  # the command that starts it


def test_the_papers_run_is_the_papers() -> None:
    config = RunConfig.load(BUNDLED.parent / "paper.yaml")

    assert network_config(config, 25000, {}).cnp == CNPConfig()
    assert (config.factor, config.warmup, config.tasks["vqa"].cap) == (0.02, 16000, 1e-4)
    steps = {task: sum(parts) for task, parts in quotas(config.model_copy(update={"steps": 5610})).items()}
    expected = {"caption": 2800, "vqa": 2000, "pos": 700, "activity": 110}
    assert steps == {task: pytest.approx(count, rel=0.2) for task, count in expected.items()}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hat": 1}, "hat: Extra inputs are not permitted"),
        ({"steps": 0}, "steps: Input should be greater than or equal to 1"),
        ({"factor": -1}, "factor: Input should be greater than 0"),
        ({"cooldown": 2}, "cooldown: Input should be less than or equal to 1"),
        ({"vocabulary": "many"}, "vocabulary: Input should be a valid integer"),
        ({"scheduler": "hat"}, "scheduler: Input should be 'fixed_shares' or 'stop_and_go'"),
        ({"tasks": {}}, "tasks: Value error, at least one task is needed"),
        (
            {"tasks": {"hat": CAPTION}},
            "tasks: Value error, unknown task 'hat'; known are pos, activity, caption, german_cap",
        ),
        ({"tasks": {"pos": CAPTION}}, "tasks: Value error, data set 'flickr8k' is of task caption, not pos"),
        ({"tasks": {"caption": CAPTION | {"dataset": "hat"}}}, "tasks.caption.dataset: Value error, unknown data set"),
        ({"tasks": {"caption": CAPTION | {"share": 0}}}, "tasks.caption.share: Input should be greater than 0"),
        ({"tasks": {"caption": CAPTION | {"more": [{"dataset": "hat"}]}}}, "tasks.caption.more.0.dataset: Value error"),
        (
            {"tasks": {"caption": CAPTION | {"more": [{"dataset": "daquar", "folder": "d"}]}}},
            "tasks: Value error, data set 'daquar' is of task vqa, not caption",
        ),
        (
            {"tasks": {"caption": CAPTION | {"more": [{"dataset": "flickr8k", "folder": "f"}]}}},
            "tasks.caption.more: Value error, data set 'flickr8k' in 'f' is named twice",
        ),
        ({"tasks": {"caption": CAPTION | {"batch": 0}}}, "tasks.caption.batch: Input should be greater than or"),
    ],
)
def test_a_wrong_value_is_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    assert message_of(tmp_path, run_values(**changes)).startswith(message)


class Nameless(LabelOutput):
    """An output without ``classes``."""

    classes = Output.classes  # type: ignore[assignment]


def test_an_incomplete_output_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(OUTPUTS, "label", Nameless())

    assert message_of(tmp_path, run_values()) == "task activity: its output label must implement classes()"


class Trained(Daquar):
    """A data set without dev split."""

    splits = ("train", "test")


def test_stop_and_go_needs_a_dev_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DATASETS, "daquar", Trained)

    assert make_config().scheduler == "fixed_shares"
    assert message_of(tmp_path, run_values(scheduler="stop_and_go")) == (
        "scheduler stop_and_go cannot validate task vqa: its first data set 'daquar' has no dev split, only train, "
        "test; name another data set first, or set scheduler: fixed_shares"
    )
    values = run_values(scheduler="stop_and_go")
    values["tasks"]["vqa"] |= {"dataset": "vqa2", "more": [{"dataset": "daquar", "folder": "d"}]}
    assert RunConfig.model_validate(values).scheduler == "stop_and_go"


def test_an_output_that_does_not_exist_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TASKS, "vqa", replace(TASKS["vqa"], output="song"))

    assert message_of(tmp_path, run_values()).startswith("task vqa: unknown output 'song'; known are boxes")


def test_a_peripheral_of_no_modality_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TASKS, "vqa", replace(TASKS["vqa"], inputs=(PICTURE, Input("question", "ear", "english"))))

    message = message_of(tmp_path, run_values())

    assert (
        message
        == "network.ear has no known modality: set its kind to one of vision, language, audio, line, page, not 'ear'"
    )


def test_several_data_sets_of_a_task(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(yaml.safe_dump(run_values()))
    override = "tasks.vqa.more=[{dataset: caption_qa, folder: flickr8k, limit: 15000}]"

    config = RunConfig.load(path, [override])

    sources = config.tasks["vqa"].sources
    assert [(s.dataset, s.folder, s.limit) for s in sources] == [
        ("daquar", "daquar", None),
        ("caption_qa", "flickr8k", 15000),
    ]
    assert sources[0] is config.tasks["vqa"]
    config.save(path)
    assert RunConfig.load(path) == config


def test_a_data_set_is_named_by_its_folder_if_unique() -> None:
    tasks = run_values()["tasks"]
    tasks["vqa"]["more"] = [
        {"dataset": "caption_qa", "folder": "flickr8k"},
        {"dataset": "daquar", "folder": "b/daquar"},
    ]
    config = make_config(tasks=tasks)

    assert config.title(config.tasks["pos"]) == "ewt"
    assert config.title(config.tasks["caption"]) == "flickr8k"
    assert [config.title(source) for source in config.tasks["vqa"].sources] == [
        "daquar in daquar",
        "caption_qa",
        "daquar in b/daquar",
    ]


def test_every_wrong_value_is_named_at_once(tmp_path: Path) -> None:
    assert message_of(tmp_path, run_values(steps=0, warmup=0)).count("greater than or equal to 1") == 2


def test_a_missing_value_is_named(tmp_path: Path) -> None:
    values = run_values()
    del values["steps"]

    assert message_of(tmp_path, values) == "steps: Field required"
    assert "valid dictionary" in message_of(tmp_path, ["a list"])


def test_files_that_are_no_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing\.yaml cannot be read: No such file"):
        RunConfig.load(tmp_path / "missing.yaml")
    for content in (b"a: [", b"\xff\xfe\x00"):
        (tmp_path / "run.yaml").write_bytes(content)
        with pytest.raises(ConfigError, match=r"run\.yaml is no valid YAML"):
            RunConfig.load(tmp_path / "run.yaml")


def test_the_bundled_licence_is_that_of_its_configuration() -> None:
    assert (MODEL / "LICENSE").read_text(encoding="utf-8") == RunConfig.load(BUNDLED).licence
