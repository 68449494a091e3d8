"""Values that the command line replaces, and the resolved file."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from omninet.model.errors import ConfigError
from omninet.training.config import RunConfig
from omninet.training.overrides import apply
from tests.training.conftest import make_config, run_values


def test_values_are_replaced_at_any_depth(config_file: Path) -> None:
    overrides = ["steps=16", "tasks.vqa.batch=32", "network.cnp.d_model=64", "network.vision.mean=[0.1, 0.2, 0.3]"]

    config = RunConfig.load(config_file, [*overrides, "tasks.pos.cap=1e-3", "tasks.pos.cap=2e-3", "card=a=b"])

    assert (config.steps, config.tasks["vqa"].batch, config.tasks["caption"].batch) == (16, 32, 4)
    assert config.network["cnp"] == make_config().network["cnp"] | {"d_model": 64}
    assert config.network["vision"]["mean"] == [0.1, 0.2, 0.3]
    assert config.tasks["pos"].cap == 0.002  # the last one counts
    assert config.card == "a=b"


def test_arguments_are_not_changed() -> None:
    values = run_values()
    before = deepcopy(values)

    changed = apply(values, ["tasks.vqa.batch=32", "network.cnp={}"], RunConfig)

    assert changed["tasks"]["vqa"]["batch"] == 32
    assert changed["network"]["cnp"] == {}
    assert values == before


def test_missing_mappings_are_created(tmp_path: Path) -> None:
    values = run_values(network={"cnp": None})
    del values["steps"], values["tasks"]["vqa"]
    path = tmp_path / "run.yaml"
    path.write_text(yaml.safe_dump(values))

    task = "{dataset: daquar, folder: daquar, batch: 2, share: 1}"
    config = RunConfig.load(path, ["steps=3", "network.cnp.heads=4", "network.language.step=word", f"tasks.vqa={task}"])

    assert config.steps == 3
    assert config.network == {"cnp": {"heads": 4}, "language": {"step": "word"}}
    assert config.tasks["vqa"].batch == 2


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "tasks.vaq.batch=3",
            r"--set tasks\.vaq\.batch=3: 'tasks\.vaq\.batch' is unknown; similar paths are tasks\.vqa\.b",
        ),
        ("network.cnp.dmodel=3", r"similar paths are network\.cnp\.d_model, "),
        ("batch=3", r"similar paths are tasks\.pos\.batch, tasks\.activity\.batch, tasks\.caption\.batch$"),
        ("hat=3", "similar paths are name, version, seed, "),
        ("network.language.vocabulary=3", "unknown; similar paths are "),  # the data decide it
        ("seed.deeper=3", r"'seed\.deeper' is unknown"),
        ("=3", "'' is unknown"),
        ("steps", "--set steps: expected path=value, such as steps=100"),
        ("steps=[", r"--set steps=\[: the value is no valid YAML"),
    ],
)
def test_an_override_that_is_wrong_is_named(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        apply(run_values(), ["seed=1", override], RunConfig)


def test_a_wrong_value_is_named_with_the_override(config_file: Path) -> None:
    with pytest.raises(ConfigError, match=r"run\.yaml with seed=1, tasks\.vqa\.batch=0: tasks\.vqa\.batch: Input sh"):
        RunConfig.load(config_file, ["seed=1", "tasks.vqa.batch=0"])


def test_a_file_of_another_shape(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    for content in ("[1, 2]", "tasks: [1, 2]"):
        path.write_text(content)
        with pytest.raises(ConfigError, match=r"batch cannot be set: expected a mapping, found \[1, 2\]"):
            RunConfig.load(path, ["tasks.vqa.batch=3"])


def test_mappings_of_any_names_and_values_that_may_be_missing() -> None:
    class Inner(BaseModel):
        size: int

    class Outer(BaseModel):
        inner: Inner | None = None
        limits: dict[str, int] = {}
        parts: dict[str, Inner] = {}

    overrides = ["inner.size=1", "limits.anything=2", "parts.left.size=3"]

    assert apply({}, overrides, Outer) == {
        "inner": {"size": 1},
        "limits": {"anything": 2},
        "parts": {"left": {"size": 3}},
    }
    with pytest.raises(ConfigError, match=r"'parts\.left\.sizes' is unknown; similar paths are parts\.\*\.size"):
        apply({}, ["parts.left.sizes=3"], Outer)


def test_the_resolved_file_comes_back_equal(config_file: Path, tmp_path: Path) -> None:
    changes = {"card": "# Für\n\nTests: 'yes' | no\n", "factor": 1e-7, "version": "1.0", "name": "on"}
    config = make_config(**changes)
    path = tmp_path / "resolved.yaml"

    config.save(path)

    assert RunConfig.load(path) == config
    stored = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert list(stored) == list(RunConfig.model_fields)
    assert (stored["clip"], stored["tasks"]["pos"]["cap"], stored["checkpoints"]["keep"]) == (1.0, None, 3)
    assert "Für" in path.read_text(encoding="utf-8")
