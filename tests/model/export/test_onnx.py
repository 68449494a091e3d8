"""Networks as ONNX graphs."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

from omninet.command import main
from omninet.model.checkpoint import Checkpoint, save
from omninet.model.config import ConvolutionsConfig, ExpertsConfig
from omninet.model.errors import CheckpointError, OmniNetError
from omninet.model.export.onnx import export
from omninet.model.network.omninet import OmniNet
from omninet.model.predictor import Predictor
from tests.samples import jpeg_bytes
from tests.toys import checkpoint_with

DOCUMENT = Path(__file__).parents[3] / "docs" / "onnx.md"


@pytest.fixture(scope="module")
def small(toy: Checkpoint) -> Checkpoint:
    """A network of two tasks: each graph takes seconds to export."""
    return checkpoint_with(toy, ["caption", "pos"])


@pytest.fixture(scope="module")
def graphs(small: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The network as graphs, written by the command."""
    folder = tmp_path_factory.mktemp("onnx")
    save(small, folder / "checkpoint")
    assert main(["export", str(folder / "checkpoint"), "--onnx", str(folder / "graphs")]) == 0
    return folder / "graphs"


def run(graphs: Path, name: str, **inputs: Any) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(graphs / f"{name}.onnx")
    return [np.asarray(found) for found in session.run(None, inputs)]


def test_the_document_decodes_a_caption(graphs: Path, small: Checkpoint) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    photo, predictor = jpeg_bytes(), Predictor(small, device="cpu")
    names: dict[str, Any] = {"graphs": graphs, "predictor": predictor, "photo": photo}

    exec(code, names)

    (wanted,) = predictor.run(predictor.prepare("caption", image=photo, beams=1).rows)
    assert names["tokens"] == wanted.tokens
    chosen = names["scores"][0, wanted.tokens[-1]]
    assert chosen == pytest.approx(wanted.log_probabilities[-1], abs=1e-4)


@torch.inference_mode()
def test_a_video_and_a_text_of_several_rows(graphs: Path, small: Checkpoint) -> None:
    """Two inputs, three rows: log-probabilities of every step equal those of teacher forcing."""
    cnp, rows, steps = small.network.cnp, 3, 4
    frames = torch.randint(0, 256, (rows, 2, 3, 64, 64), dtype=torch.uint8, generator=torch.manual_seed(0))
    seen, _ = small.network.peripherals["vision"](frames, False)
    text = torch.randn(rows, 5, 1, seen.shape[-1], generator=torch.manual_seed(1))
    targets = torch.arange(rows * steps).view(rows, steps) % 4
    memory = cnp.encode(seen, "image", cnp.encode(text, "english"))
    wanted = cnp.decode(memory, "caption", targets)

    (x,) = run(graphs, "peripheral.vision", frames=frames.numpy())
    np.testing.assert_allclose(x, seen.numpy(), atol=1e-4)
    of_text = run(graphs, "encoder", x=text.numpy(), domain=np.array(cnp.control_ids["english"]))
    of_video = run(graphs, "encoder", x=x, domain=np.array(cnp.control_ids["image"]))
    temporal = [np.concatenate(pair, 3) for pair in zip(of_text[:2], of_video[:2], strict=True)]
    cached = dict(zip(("temporal_keys", "temporal_values"), temporal, strict=True))
    cached |= dict(zip(("spatial_keys", "spatial_values"), of_video[2:], strict=True))
    cached["frame"] = memory.frame.numpy()
    config = cnp.config
    keys, values = (
        np.zeros((config.decoder_layers, rows, config.heads, 0, k), np.float32) for k in (config.d_key, config.d_value)
    )
    for i in range(steps):
        position = np.array(i)
        (x,) = run(graphs, "embed.caption", token=targets[:, i - 1].numpy(), position=position)
        hidden, keys, values = run(graphs, "step", x=x, position=position, keys=keys, values=values, **cached)
        (found,) = run(graphs, "classify.caption", hidden=hidden)
        np.testing.assert_allclose(found, wanted[:, i].numpy(), atol=1e-4)


@torch.inference_mode()
def test_a_text_alone(graphs: Path, small: Checkpoint) -> None:
    cnp = small.network.cnp
    text = torch.randn(1, 5, 1, cnp.config.d_model, generator=torch.manual_seed(0))
    wanted = cnp.decode(cnp.encode(text, "english"), "pos", torch.tensor([[0]]))[0, 0]
    temporal = run(graphs, "encoder", x=text.numpy(), domain=np.array(cnp.control_ids["english"]))[:2]
    cached = dict(zip(("temporal_keys", "temporal_values"), temporal, strict=True))
    empty = np.zeros((cnp.config.decoder_layers, 1, cnp.config.heads, 0, cnp.config.d_key), np.float32)
    (x,) = run(graphs, "embed.pos", token=np.array([0]), position=np.array(0))

    hidden, *_ = run(graphs, "step_without_cells", x=x, position=np.array(0), keys=empty, values=empty, **cached)

    np.testing.assert_allclose(run(graphs, "classify.pos", hidden=hidden)[0][0], wanted.numpy(), atol=1e-4)


def test_the_folder_must_be_empty(toy: Checkpoint, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(OmniNetError, match="is not empty; name a new folder"):
        export(toy, tmp_path)


@pytest.mark.parametrize(
    ("block", "name"),
    [
        ({"experts": ExpertsConfig(number=4, encoder=(0,))}, "experts"),
        ({"convolutions": ConvolutionsConfig(decoder=True)}, "convolutions"),
        ({"mixer": True}, "a mixer"),
    ],
)
def test_blocks_that_are_not_exported(toy: Checkpoint, tmp_path: Path, block: dict[str, Any], name: str) -> None:
    network = replace(toy.network.config, cnp=replace(toy.network.config.cnp, **block))
    changed = replace(toy, network=OmniNet(network))

    with pytest.raises(CheckpointError, match=f"networks with {name} cannot be exported"):
        export(changed, tmp_path / "graphs")


def test_without_the_packages(toy: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object, **__: object) -> None:
        raise ModuleNotFoundError("No module named 'onnxscript'", name="onnxscript")

    monkeypatch.setattr(torch.onnx, "export", missing)

    with pytest.raises(OmniNetError, match=r"export needs onnxscript: pip install '\.\[onnx\]'"):
        export(toy, tmp_path / "graphs")
