"""Event files, read back with TensorBoard's own reader."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from omninet.training.watch import Sample
from omninet.training.watch.board import Board, as_table
from omninet.training.watch.pictures import FRAMES, SIDE, strip
from tests.samples import image_bytes, picture, video_bytes
from tests.training.watch.conftest import a_schedule, a_step, an_evaluation


def read(folder: Path) -> EventAccumulator:
    """Return all events that were written, without sampling."""
    everything = dict.fromkeys(("scalars", "histograms", "images", "tensors"), 0)
    return EventAccumulator(str(folder), size_guidance=everything).Reload()


def scalars(folder: Path, tag: str) -> dict[int, float]:
    return {event.step: event.value for event in read(folder).Scalars(tag)}


def write(folder: Path, steps: list[Any], **options: Any) -> None:
    board = Board(folder, **options)
    for step in steps:
        board.step(step)
    board.close()


def test_a_point_stands_for_the_steps_since_the_one_before(tmp_path: Path) -> None:
    write(tmp_path, [a_step(number, loss=float(number), waiting=0.5) for number in range(1, 9)])

    # One step a second, a point every three.
    assert scalars(tmp_path, "loss/vqa") == {1: 1.0, 4: 3.0, 7: 6.0, 8: 8.0}
    assert scalars(tmp_path, "samples_per_second/vqa") == {4: 8.0, 7: 8.0, 8: 8.0}
    assert scalars(tmp_path, "waiting/vqa") == {4: 0.5, 7: 0.5, 8: 0.5}


def test_every_task_has_its_own_figures(tmp_path: Path) -> None:
    changes = [{"task": task, "skipped": 2, "staleness": 3, "rate": 0.5} for task in ("vqa", "pos")]
    write(tmp_path, [a_step(number, **changes[number % 2]) for number in range(1, 9)])

    names = ("loss", "accuracy", "rate", "gradient_norm", "samples_per_second", "waiting", "skipped")
    assert set(read(tmp_path).Tags()["scalars"]) == {f"{name}/{task}" for name in names for task in ("vqa", "pos")}
    expected = {"loss": 2.0, "accuracy": 0.5, "rate": 0.5, "gradient_norm": 3.0, "skipped": 2.0}
    for name, value in expected.items():
        assert set(scalars(tmp_path, f"{name}/pos").values()) == {value}


def test_staleness_is_a_histogram(tmp_path: Path) -> None:
    write(tmp_path, [a_step(number, staleness=staleness, seconds=1.0) for number, staleness in enumerate((9, 0, 4, 4))])

    values = read(tmp_path).Histograms("staleness/vqa")[-1].histogram_value

    assert (values.num, values.min, values.max, values.sum) == (3, 0, 4, 8)


def test_stopped_tasks_and_their_scores_are_curves(tmp_path: Path) -> None:
    board = Board(tmp_path)
    for record in (a_schedule(3), a_schedule(6, stopped=False, score=None), a_schedule(9, score=40.0)):
        board.schedule(record)
    board.close()

    assert scalars(tmp_path, "stopped/vqa") == {3: 1.0, 6: 0.0, 9: 1.0}
    assert scalars(tmp_path, "score/vqa") == {3: 41.0, 9: 40.0}


def test_a_resumed_run_hides_repeated_steps(tmp_path: Path) -> None:
    write(tmp_path, [a_step(number, loss=1.0, seconds=5.0 * number) for number in range(1, 9)])
    write(tmp_path, [a_step(number, loss=2.0, seconds=5.0 * number) for number in (5, 6)], start_step=4)

    points = [(event.step, event.value) for event in read(tmp_path).Scalars("loss/vqa")]
    assert points == [(1, 1.0), (2, 1.0), (3, 1.0), (4, 1.0), (5, 2.0), (6, 2.0)]


def test_memory_is_recorded_for_cuda_devices_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (5 * 2**30, 8 * 2**30))

    write(tmp_path, [a_step(1)], devices=[torch.device("cpu"), torch.device("cuda:1")])

    assert scalars(tmp_path, "gpu_memory_gib/cuda:1") == {1: 3.0}
    assert "gpu_memory_gib/cpu" not in read(tmp_path).Tags()["scalars"]


def test_an_evaluation_is_measures_text_and_pictures(tmp_path: Path) -> None:
    photo, clip, broken = (tmp_path / name for name in ("photo.png", "clip.mp4", "broken.jpg"))
    photo.write_bytes(image_bytes(picture(64, 48)))
    clip.write_bytes(video_bytes())
    broken.write_bytes(b"no picture")
    samples = [
        Sample("vqa", broken, "what?", "red", "green"),
        Sample("vqa", photo, "how many?", "2", "3"),
        Sample("vqa", tmp_path / "missing.jpg", "who?", "she", "he"),
        Sample("caption", clip, None, "a dog", "a cat"),
        Sample("pos", None, None, "DT NN", "DT VB"),
    ]
    board = Board(tmp_path / "board")
    board.evaluation(an_evaluation(20, *samples))
    board.close()

    found = read(tmp_path / "board")
    assert scalars(tmp_path / "board", "evaluation/caption/BLEU-4") == {20: pytest.approx(12.345678)}
    assert found.Tags()["images"] == ["predictions/vqa/2", "predictions/caption/1"]
    assert np.array_equal(shown(found, "predictions/vqa/2"), np.asarray(picture(64, 48)))
    assert shown(found, "predictions/caption/1").shape == (48, 64 * FRAMES, 3)
    text = found.Tensors("predictions/vqa/text_summary")[0].tensor_proto.string_val[0].decode()
    assert "| 2 | photo.png | how many? | 2 | 3 |" in text
    assert "| 3 | missing.jpg | who? | she | he |" in text
    assert found.Tensors("predictions/pos/text_summary")


def shown(found: EventAccumulator, tag: str) -> np.ndarray:
    """The picture of a tag."""
    return np.asarray(Image.open(io.BytesIO(found.Images(tag)[0].encoded_image_string)))


def test_text_cannot_break_the_table() -> None:
    rows = as_table([Sample("pos", None, None, "a | b\nc", "d")]).splitlines()

    assert rows[2:] == ["| 1 |  |  | a \\| b c | d |"]


def test_pictures_are_made_small(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    path.write_bytes(image_bytes(picture(SIDE * 4, SIDE * 2)))

    assert strip(path).shape == (3, SIDE // 2, SIDE)


def test_frames_are_in_the_order_of_time(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(video_bytes())

    frames = strip(path)[:, 24:, :].float().reshape(3, 24, FRAMES, 64).mean((0, 1, 3))

    assert frames.diff().gt(10).all()
