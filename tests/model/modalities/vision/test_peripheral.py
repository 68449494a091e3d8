"""The vision peripheral's steps: a frame each, and how it differs from the one before."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from omninet.model.checkpoint import Checkpoint, load, save
from omninet.model.errors import ConfigError
from omninet.model.modalities.vision.config import VisionConfig
from omninet.model.modalities.vision.peripheral import VisionPeripheral
from omninet.model.network.omninet import OmniNet
from omninet.model.outputs.label.answer import Label
from omninet.model.predictor import Predictor
from tests.samples import picture


@pytest.fixture(scope="module")
def peripheral() -> VisionPeripheral:
    torch.manual_seed(0)
    return VisionPeripheral(VisionConfig(backbone="compact", size=64, motion=True), 6).eval().requires_grad_(False)


def test_motion_is_the_change_of_every_cell(peripheral: VisionPeripheral) -> None:
    features = torch.rand(2, 3, 4, 512)
    assert peripheral.motion is not None
    peripheral.motion.standardise.measure(torch.rand(50, 512))
    scale = peripheral.motion.standardise

    given = peripheral.project(features)

    for row in range(2):
        for t in range(3):
            for cell in range(4):
                expected = peripheral.projection(features[row, t, cell])
                if t:
                    change = (features[row, t, cell] - features[row, t - 1, cell]).abs()
                    expected = expected + peripheral.motion.projection.weight @ ((change - scale.mean) / scale.std)
                torch.testing.assert_close(given[row, t, cell], expected)


def test_a_picture_has_no_motion(peripheral: VisionPeripheral) -> None:
    picture = torch.rand(1, 1, 4, 512)

    torch.testing.assert_close(peripheral.project(picture), peripheral.projection(picture))


@pytest.mark.parametrize("backbone", ["compact", "chain", "residual", "shufflenet_v2_x0_5"])
def test_a_new_backbone_keeps_its_statistics(backbone: str) -> None:
    """Features of training files are computed before the network is told whether it trains."""
    vision = VisionPeripheral(VisionConfig(backbone=backbone, size=64), 6)
    before = {name: tensor.clone() for name, tensor in vision.backbone.state_dict().items()}
    frames = torch.randint(256, (2, 1, 3, 64, 64), dtype=torch.uint8)

    together, alone = vision.features(frames), vision.features(frames[:1])

    torch.testing.assert_close(together[:1], alone, rtol=1e-4, atol=1e-5)
    assert all(torch.equal(tensor, before[name]) for name, tensor in vision.backbone.state_dict().items())


def test_without_motion_frames_are_encoded_independently() -> None:
    peripheral = VisionPeripheral(VisionConfig(backbone="compact", size=64), 6)
    features = torch.rand(1, 3, 4, 512)

    torch.testing.assert_close(peripheral.project(features).flip(1), peripheral.project(features.flip(1)))


def test_motion_is_a_flag() -> None:
    with pytest.raises(ConfigError, match=r"motion must be true or false, not 'yes'"):
        VisionConfig(motion="yes")  # type: ignore[arg-type]


def test_channels_are_standardised_by_the_training_pictures() -> None:
    vision = VisionPeripheral(VisionConfig(backbone="compact", size=64, standardise=True), 6).eval()
    features = 3 + 2 * torch.randn(50, 1, 4, 512)
    features[..., 7] = 0.0  # a channel that is never there
    assert vision.standardise is not None

    vision.standardise.measure(features)

    seen = vision.standardise(features).flatten(0, 2)
    torch.testing.assert_close(seen.mean(0), torch.zeros(512), atol=1e-4, rtol=0)
    assert seen[:, 7].abs().max() == 0
    torch.testing.assert_close(seen[:, 8:].std(0), torch.ones(504))
    torch.testing.assert_close(vision.project(features), vision.projection(vision.standardise(features)))


def test_dropout_drops_channels_of_a_whole_input() -> None:
    torch.manual_seed(0)
    vision = VisionPeripheral(VisionConfig(backbone="compact", size=64, dropout=0.5), 512)
    torch.nn.init.eye_(vision.projection.weight)
    torch.nn.init.zeros_(vision.projection.bias)
    features = torch.ones(4, 3, 4, 512)

    trained = vision.train().project(features)

    assert set(trained.flatten().tolist()) == {0.0, 2.0}
    assert torch.equal(trained, trained[:, :1, :1].expand(trained.shape))
    assert len({tuple(row[0, 0].tolist()) for row in trained}) == 4
    assert torch.equal(vision.eval().project(features), features)


@pytest.mark.parametrize("share", [-0.1, 1.0])
def test_invalid_dropout(share: float) -> None:
    with pytest.raises(ConfigError, match="dropout must be from 0 to below 1"):
        VisionConfig(dropout=share)


def test_without_moves_frames_are_encoded_independently(peripheral: VisionPeripheral) -> None:
    features = torch.rand(1, 3, 4, 512)

    still = peripheral(features, moves=False)[0]

    for t in range(3):
        torch.testing.assert_close(still[:, t : t + 1], peripheral(features[:, t : t + 1])[0])
    assert not torch.allclose(still, peripheral(features)[0])


def test_places_tell_cells_apart() -> None:
    vision = VisionPeripheral(VisionConfig(backbone="compact", size=64, places=True), 6).eval().requires_grad_(False)
    alike = torch.rand(1, 1, 1, 512).expand(1, 2, 9, 512)

    untrained = vision.project(alike)
    assert vision.places is not None
    vision.places.projection.weight.copy_(torch.randn(6, 16))
    placed = vision.project(alike)

    torch.testing.assert_close(untrained, vision.projection(alike))
    assert torch.cdist(placed[0, 0], placed[0, 0]).add(torch.eye(9)).min() > 0.1
    torch.testing.assert_close(placed[0, 0], placed[0, 1])


def test_places_depend_on_the_part_of_the_picture_and_not_on_the_grid() -> None:
    places = VisionPeripheral(VisionConfig(backbone="compact", size=64, places=True), 6).places
    assert places is not None
    places.requires_grad_(False).projection.weight.copy_(torch.randn(6, 16))

    coarse, fine = (places(torch.zeros(1, 1, side * side, 6)).view(side, side, 6) for side in (3, 9))

    torch.testing.assert_close(coarse, fine[1::3, 1::3])


def test_blank_cells_keep_their_places() -> None:
    config = VisionConfig(backbone="compact", size=64, places=True, standardise=True)
    vision = VisionPeripheral(config, 6).eval().requires_grad_(False)
    assert vision.places is not None
    vision.places.projection.weight.copy_(torch.randn(6, 16))

    blank = vision.blank(torch.zeros(1, 2, 9, 6))

    assert vision.standardise is not None
    average = vision.standardise.mean.expand(1, 1, 9, 512)
    torch.testing.assert_close(blank, vision.project(average)[0, 0])


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "int8"])
def test_places_in_every_precision(toy: Checkpoint, tmp_path: Path, precision: str) -> None:
    config = toy.config.network
    peripherals = {**config.peripherals, "vision": replace(config.peripherals["vision"], places=True)}
    network = replace(config, peripherals=peripherals)
    torch.manual_seed(0)
    save(replace(toy, config=replace(toy.config, network=network), network=OmniNet(network).eval()), tmp_path / "toy")

    answer = Predictor(load(tmp_path / "toy"), device="cpu", precision=precision).predict(
        "vqa", image=picture(), question="What?"
    )

    assert isinstance(answer, Label)
    assert sum(candidate.probability for candidate in answer.candidates) <= 1.001
