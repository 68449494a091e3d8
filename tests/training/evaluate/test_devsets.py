"""The dev examples of a run."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from omninet.training.config import DataSource
from omninet.training.data import DataError
from omninet.training.evaluate.devsets import dev_examples, with_data
from tests.training.conftest import make_config, put


def test_dev_examples_of_one_task(data: Path) -> None:
    assert [e.answer for e in dev_examples(make_config(), "vqa", data)] == ["red", "green"]
    assert [e.answer for e in dev_examples(make_config(), "vqa", data, limit=1)] == ["red"]


def test_a_task_that_the_run_does_not_have(data: Path) -> None:
    config = make_config(tasks={"pos": make_config().tasks["pos"].model_dump()})

    with pytest.raises(DataError, match="tiny has no data of task caption"):
        dev_examples(config, "caption", data)


def test_a_data_set_without_dev_examples_is_named(data: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(data, tmp_path / "copy"))
    put(copy / "daquar" / "qa_dev.csv", "question,answer,image_id\n")

    with pytest.raises(DataError, match="daquar holds no dev example"):
        dev_examples(make_config(), "vqa", copy)


def test_a_data_set_whose_folder_is_missing_is_left_out(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    run = make_config().tasks["vqa"]
    further = DataSource(dataset="imagenet", folder="elsewhere")

    assert list(with_data([run, further], data)) == [run]
    assert "elsewhere is missing: the data set imagenet is left out" in caplog.text
    assert list(with_data([further], data)) == [further]  # reading it says what is missing
