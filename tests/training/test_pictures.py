"""Pictures for distillation."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.training.conftest import make_config, run_values
from training.pictures import training_pictures


def test_those_of_all_data_sets_of_a_task(data: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(data, tmp_path / "copy"))
    shutil.copytree(copy / "daquar", copy / "other")
    task = run_values()["tasks"]["vqa"]

    one = training_pictures(make_config(tasks={"vqa": task}), copy)
    two = training_pictures(
        make_config(tasks={"vqa": task | {"more": [{"dataset": "daquar", "folder": "other"}]}}), copy
    )

    assert (len(one), len(two)) == (2, 4)  # two of four photos are also in dev
