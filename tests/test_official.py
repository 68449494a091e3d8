"""A released checkpoint of full size, made by rule: imported, held against the authors' prediction, and served."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import av
import numpy as np
import pytest
import torch
from av.container import InputContainer
from PIL import Image
from torch import Tensor
from torchvision import transforms

from omninet.app.main import create_app
from omninet.app.settings import Settings
from omninet.command import main
from omninet.model import checkpoint as checkpoints
from omninet.model.checkpoint import Checkpoint
from omninet.model.errors import CheckpointError
from omninet.model.modalities.vision.peripheral import VisionPeripheral
from omninet.model.official.importing import Source, import_official
from omninet.model.predictor import Predictor
from tests.app.conftest import talking_to
from tests.app.http.test_service import until_ready
from tests.model.official.files import full_state, write_conf, write_tokenizer
from tests.samples import jpeg_bytes, video_bytes

pytestmark = pytest.mark.slow
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


@pytest.fixture(scope="module")
def state() -> Mapping[str, Tensor]:
    """Every weight of their network, made once for all tests."""
    return MappingProxyType(full_state())


@pytest.fixture(scope="module")
def source(state: Mapping[str, Tensor], tmp_path_factory: pytest.TempPathFactory, tokenizer_file: Path) -> Source:
    """What the authors publish."""
    folder = tmp_path_factory.mktemp("released")
    torch.save(dict(state), folder / "model.pth")
    return Source(
        folder / "model.pth", write_conf(folder / "conf"), write_tokenizer(tokenizer_file, folder / "subwords.model")
    )


@pytest.fixture(scope="module")
def imported(source: Source, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint folder that the command makes of it."""
    out = tmp_path_factory.mktemp("imported") / "official"
    arguments = ["--vocab", str(source.conf), "--tokenizer", str(source.tokenizer), "--out", str(out)]
    assert main(["import-official", str(source.weights), *arguments]) == 0
    return out


@pytest.fixture(scope="module")
def checkpoint(imported: Path) -> Checkpoint:
    return checkpoints.load(imported)


@pytest.fixture(scope="module")
def predictor(checkpoint: Checkpoint) -> Predictor:
    return Predictor(checkpoint, device="cpu", precision="float32")


def test_every_entry_is_accounted_for(checkpoint: Checkpoint, state: Mapping[str, Tensor]) -> None:
    assert "1315 in the file: 1308 used, 7 dropped." in checkpoint.card
    assert "ResNet's classifier: only its features are used" in checkpoint.card
    assert checkpoint.config.network.cnp.gate == "official"
    ours = checkpoint.network.state_dict()
    assert torch.equal(ours["cnp.classifiers.vqa.weight"], state["cnp.output_clfs.3.weight"])
    name = "image_input_perph.image_model.layer3.35.bn3.running_var"
    assert torch.equal(ours["peripherals.vision.backbone.layer3.35.bn3.running_var"], state[name])


def features_of(predictor: Predictor, pixels: Tensor) -> Tensor:
    """The backbone's maps of normalised pixels (t, 3, size, size)."""
    vision = predictor.network.peripherals["vision"]
    assert isinstance(vision, VisionPeripheral)
    with torch.inference_mode():
        maps: Tensor = vision.backbone(pixels.float())
    return maps.flatten(2).transpose(1, 2)


def assert_close(ours: Tensor, theirs: Tensor) -> None:
    """Within what a rounding of pixels to the neighbouring level makes."""
    assert float((ours - theirs).abs().mean() / theirs.abs().mean()) < 0.02


@pytest.mark.parametrize("size", [(640, 427), (300, 451), (224, 224)])
def test_a_photo_is_seen_as_their_code_sees_it(predictor: Predictor, size: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (9, 13, 3), dtype=np.uint8)
    photo = Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)
    theirs = transforms.Compose(
        [
            transforms.Resize(int(224 * 1.14)),
            transforms.CenterCrop(224),
            transforms.ToTensor(),
            transforms.Normalize(MEAN.tolist(), STD.tolist()),
        ]
    )

    ((_, _, frames, _),) = predictor.prepare("caption", image=photo).rows[0].inputs

    assert_close(predictor.see(frames, "vision")[0], features_of(predictor, theirs(photo)[None])[0])


def test_a_video_is_seen_as_their_code_sees_it(predictor: Predictor) -> None:
    data = video_bytes(frames=70)
    with av.open(io.BytesIO(data)) as container:
        assert isinstance(container, InputContainer)
        pictures = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    assert len(pictures) == 70
    wanted = [_resized_as_opencv(picture)[:224, :224] for picture in pictures[::4][:16]]
    pixels = torch.from_numpy((np.stack(wanted) / 255 - MEAN) / STD).permute(0, 3, 1, 2)

    ((_, _, frames, _),) = predictor.prepare("activity", video=data).rows[0].inputs

    assert frames.shape == pixels.shape
    assert_close(predictor.see(frames, "vision"), features_of(predictor, pixels))


def _resized_as_opencv(frame: np.ndarray) -> np.ndarray:
    """Bilinear at 300 x 300 without smoothing, pixel centres at halves; by the formula."""
    height, width = frame.shape[:2]
    rows, columns = (np.clip((np.arange(300) + 0.5) * length / 300 - 0.5, 0, length - 1) for length in (height, width))
    top, left = np.floor(rows).astype(int), np.floor(columns).astype(int)
    down, right = np.minimum(top + 1, height - 1), np.minimum(left + 1, width - 1)
    y, x = (rows - top)[:, None, None], (columns - left)[None, :, None]
    upper = frame[top][:, left] * (1 - x) + frame[top][:, right] * x
    lower = frame[down][:, left] * (1 - x) + frame[down][:, right] * x
    resized: np.ndarray = np.round(upper * (1 - y) + lower * y)
    return resized


async def test_all_six_endpoints(imported: Path, predictor: Predictor, anyio_backend: str) -> None:
    picture, clip = jpeg_bytes(), video_bytes(frames=4)
    posts: dict[str, dict[str, Any]] = {
        "/caption": {"files": {"image": picture}},
        "/vqa": {"files": {"image": picture}, "data": {"question": "what is it ?"}},
        "/pos": {"json": {"text": "A dog runs."}},
        "/activity": {"files": {"video": clip}},
        "/video-caption": {"files": {"video": clip}},
        "/video-qa": {"files": {"video": clip}, "data": {"question": "what is it ?"}},
    }
    settings = Settings(checkpoint=imported, device="cpu", precision="float32")
    async with talking_to(create_app(settings)) as client:
        await until_ready(client, seconds=120)
        answers = {path: (await client.post(path, timeout=120, **post)).json() for path, post in posts.items()}

    question = "what is it ?"
    alone: dict[str, Any] = {
        "/caption": predictor.predict("caption", image=picture),
        "/vqa": predictor.predict("vqa", image=picture, question=question),
        "/pos": predictor.predict("pos", text="A dog runs."),
        "/activity": predictor.predict("activity", video=clip),
        "/video-caption": predictor.predict("caption", video=clip),
        "/video-qa": predictor.predict("vqa", video=clip, question=question),
    }
    # With random weights labels hardly depend on the input, but probabilities do.
    for path in ("/vqa", "/activity", "/video-qa"):
        served = [candidate["probability"] for candidate in answers[path]["candidates"]]
        assert served == pytest.approx([each.probability for each in alone[path].candidates], rel=1e-4)
    for path in ("/caption", "/video-caption"):
        assert answers[path]["log_probability"] == pytest.approx(alone[path].log_probability, rel=1e-4)
        assert answers[path]["caption"] == alone[path].caption
    assert answers["/vqa"]["answer"] == alone["/vqa"].label
    tags = [word.tag for word in alone["/pos"].sentences[0]]
    assert [word["tag"] for word in answers["/pos"]["sentences"][0]["tokens"]] == tags
    assert answers["/activity"]["activity"] == alone["/activity"].label
    assert answers["/video-qa"]["answer"] == alone["/video-qa"].label


def test_a_file_that_lacks_an_entry(source: Source, state: Mapping[str, Tensor], tmp_path: Path) -> None:
    lacking = {name: tensor for name, tensor in state.items() if name != "cnp.output_clfs.3.bias"}
    torch.save(lacking, tmp_path / "model.pth")

    with pytest.raises(CheckpointError, match=r"missing cnp\.classifiers\.vqa\.bias"):
        import_official(Source(tmp_path / "model.pth", source.conf, source.tokenizer), tmp_path / "out")

    assert not list(tmp_path.glob("*out*"))


def test_another_tokenizer(
    source: Source, tokenizer_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--vocab", str(source.conf), "--tokenizer", str(tokenizer_file), "--out", str(tmp_path / "out")]

    assert main(["import-official", str(source.weights), *arguments]) == 2

    assert "has 120 subwords; the weights need BPEmb's English model with 25000" in capsys.readouterr().err
