"""Selection of device and precision."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from omninet.model.errors import DeviceError
from omninet.model.fast.devices import check_precision, choose_device, foresee_precision
from omninet.model.outputs.label.answer import Label
from omninet.model.predictor import Predictor
from tests.samples import jpeg_bytes

CPU = torch.device("cpu")


@pytest.mark.parametrize(("available", "chosen"), [(True, "cuda"), (False, "cpu")])
def test_auto_prefers_cuda(monkeypatch: pytest.MonkeyPatch, available: bool, chosen: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: available)

    assert choose_device("auto").type == chosen


def test_a_named_device_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)

    assert choose_device("cpu") == CPU
    assert choose_device("cuda:1") == torch.device("cuda", 1)


@pytest.mark.parametrize(
    ("name", "count", "message"),
    [
        ("cuda", 0, "'cuda' was asked for, but this machine has no CUDA devices"),
        ("cuda:2", 2, "'cuda:2' was asked for, but this machine has 2 CUDA devices"),
        ("meta", 0, "'meta' is not supported; choose auto, cpu, cuda or cuda:N"),
        ("toaster", 0, "'toaster' is unknown; choose auto, cpu, cuda or cuda:N"),
        ("", 0, "'' is unknown"),
    ],
)
def test_an_unavailable_device(monkeypatch: pytest.MonkeyPatch, name: str, count: int, message: str) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)

    with pytest.raises(DeviceError, match=message):
        choose_device(name)


def test_precisions() -> None:
    for name in ("auto", "float32", "bfloat16", "int8"):
        check_precision(name, CPU)
    with pytest.raises(DeviceError, match="precision 'float16' is unknown; choose auto, float32, bfloat16 or int8"):
        check_precision("float16", CPU)


def test_a_device_without_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: False)

    with pytest.raises(DeviceError, match="cannot compute in bfloat16"):
        check_precision("bfloat16", torch.device("cuda"))


def test_a_gpu_has_no_int8() -> None:
    with pytest.raises(DeviceError, match="device cuda cannot compute in int8; choose float32"):
        check_precision("int8", torch.device("cuda"))


def test_foresee_precision_does_not_query_the_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> bool:
        raise AssertionError("it was asked")

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", refuse)

    for name in ("auto", "float32", "bfloat16"):
        foresee_precision(name, torch.device("cuda"))
    with pytest.raises(DeviceError, match="device cuda cannot compute in int8; choose float32"):
        foresee_precision("int8", torch.device("cuda"))


def test_the_device_is_chosen_before_the_checkpoint_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)

    with pytest.raises(DeviceError, match="'cuda'"):
        Predictor.load(tmp_path / "missing", device="cuda")


def probabilities(predictor: Predictor) -> dict[str, float]:
    """Label of an activity."""
    answer = predictor.predict("activity", image=jpeg_bytes())
    assert isinstance(answer, Label)
    return {candidate.label: candidate.probability for candidate in answer.candidates}


def test_bfloat16_answers(toy_checkpoint: Path, toy_predictor: Predictor) -> None:
    predictor = Predictor.load(toy_checkpoint, device="cpu", precision="bfloat16")

    assert predictor.precision == "bfloat16"
    assert probabilities(predictor) == pytest.approx(probabilities(toy_predictor), abs=0.05)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_answers_as_the_cpu_does(toy_checkpoint: Path, toy_predictor: Predictor) -> None:
    predictor = Predictor.load(toy_checkpoint, device="cuda", precision="float32")

    assert predictor.device.type == "cuda"
    assert probabilities(predictor) == pytest.approx(probabilities(toy_predictor), abs=1e-3)
