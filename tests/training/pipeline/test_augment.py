"""Effects and invariants of the augmentation."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from omninet.model.modalities.vision.config import Framing, Treatment, VisionConfig
from omninet.model.modalities.vision.fit import GREY
from omninet.training.pipeline import augment as augmentation
from omninet.training.pipeline.augment import augment
from omninet.training.pipeline.squares import fit_tensor

SIZE = 32


def config(treatment: Treatment = "squash") -> VisionConfig:
    """Return a configuration with a small input size."""
    return VisionConfig(backbone="compact", size=SIZE, image=Framing(treatment), video=Framing(treatment))


def places(height: int = 60, width: int = 90, frames: int = 1) -> Tensor:
    """Red rises from left to right, green from top to bottom, blue is 90; (t, 3, height, width)."""
    red = torch.linspace(0, 255, width).expand(height, width)
    green = torch.linspace(0, 255, height)[:, None].expand(height, width)
    return torch.stack([red, green, torch.full((height, width), 90.0)]).to(torch.uint8).repeat(frames, 1, 1, 1)


@pytest.fixture
def even_light(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave colours as they are."""
    monkeypatch.setattr(augmentation, "STRENGTH", 0.0)


@pytest.mark.parametrize("treatment", ["squash", "crop", "pad"])
@pytest.mark.parametrize(("height", "width"), [(60, 90), (9, 200), (1, 1), (1, 300), (300, 1), (500, 400)])
def test_the_result_is_the_square(treatment: Treatment, height: int, width: int, generator: random.Random) -> None:
    for _ in range(20):
        view = augment(places(height, width, frames=2), config(treatment), generator)[0]

        assert view.shape == (2, 3, SIZE, SIZE)
        assert view.dtype == torch.uint8


def test_the_generator_alone_decides() -> None:
    views: list[Tensor] = []
    for seed in (1, 1, 2):
        random.seed(len(views))
        np.random.seed(len(views))
        torch.manual_seed(len(views))
        before = torch.get_rng_state()
        views.append(augment(places(), config(), random.Random(seed))[0])
        assert torch.equal(torch.get_rng_state(), before)

    assert torch.equal(views[0], views[1])
    assert not torch.equal(views[0], views[2])


def test_the_input_is_not_changed(generator: random.Random) -> None:
    frames = places()
    for _ in range(5):
        augment(frames, config(), generator)

    assert torch.equal(frames, places())


def test_all_frames_are_treated_alike(generator: random.Random) -> None:
    for _ in range(10):
        view, _ = augment(places(frames=3), config(), generator)

        assert torch.equal(view[0], view[1])
        assert torch.equal(view[0], view[2])


def test_a_colour_is_the_same_in_all_frames(generator: random.Random, monkeypatch: pytest.MonkeyPatch) -> None:
    """The frames' means differ, but equal colours must stay equal."""
    monkeypatch.setattr(augmentation, "region", lambda *_: (0, 0, SIZE, SIZE))
    frames = torch.full((2, 3, SIZE, SIZE), 100, dtype=torch.uint8)
    frames[1, :, 5:] = 250
    for _ in range(10):
        view, _ = augment(frames, config(), generator)

        assert torch.equal(view[0, :, 0], view[1, :, 0])


@pytest.mark.usefixtures("even_light")
def test_regions_are_of_the_published_sizes_and_shapes(generator: random.Random) -> None:
    height, width = 240, 320
    shares, ratios = [], []
    for _ in range(300):
        _, _, h, w = augmentation.region(height, width, augmentation.LEAST, generator)
        shares.append(h * w / (height * width))
        ratios.append(w / h)

    assert min(shares) < 0.1
    assert min(shares) > 0.07
    assert max(shares) > 0.85
    assert 3 / 4 - 0.02 < min(ratios) < 0.8
    assert 1.25 < max(ratios) < 4 / 3 + 0.02


@pytest.mark.usefixtures("even_light")
def test_regions_lie_everywhere_and_half_are_mirrored(generator: random.Random) -> None:
    views = [augment(places(), config(), generator)[0][0].float() for _ in range(200)]

    mirrored = sum(bool(view[0, :, 0].mean() > view[0, :, -1].mean()) for view in views)
    assert 75 < mirrored < 125
    assert all(view[1, 0].mean() < view[1, -1].mean() for view in views)
    assert min(view[0].min() for view in views) == 0
    assert max(view[0].max() for view in views) == 255
    assert max(view[0].min() for view in views) > 100
    assert all((view[2] == 90).all() for view in views)


@pytest.mark.usefixtures("even_light")
@pytest.mark.parametrize("treatment", ["squash", "crop", "pad"])
def test_a_region_becomes_a_square_as_in_serving(
    treatment: Treatment, generator: random.Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(augmentation, "region", lambda *_: (5, 10, 30, 60))
    views = [augment(places(), config(treatment), generator)[0] for _ in range(10)]

    served = fit_tensor(places()[..., 5:35, 10:70], Framing(treatment), SIZE)
    assert all(torch.equal(view, served) or torch.equal(view, served.flip(-1)) for view in views)
    assert bool((served[0, 2, 0] == GREY).all()) == (treatment == "pad")


@pytest.mark.parametrize(
    ("number", "measure"),
    [
        (0, lambda view: float(view.mean())),
        (1, lambda view: float(view.std())),
        (2, lambda view: float((view[0] - view[2]).mean())),
    ],
    ids=["brightness", "contrast", "saturation"],
)
def test_the_light_changes(number: int, measure: Callable[[Tensor], float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(augmentation, "LIGHT", augmentation.LIGHT[number : number + 1])
    frames = torch.tensor([130, 100, 70], dtype=torch.uint8)[None, :, None, None].repeat(1, 1, 40, 40)
    factors = [
        measure(augment(frames, config(), random.Random(seed))[0][0].float()) / measure(frames[0].float())
        for seed in range(100)
    ]

    assert 0.58 < min(factors) < 0.65
    assert 1.35 < max(factors) < 1.42


def test_hues_stay(generator: random.Random) -> None:
    frames = torch.tensor([160, 80, 40], dtype=torch.uint8)[None, :, None, None].repeat(1, 1, 40, 40)
    for _ in range(50):
        red, green, blue = augment(frames, config(), generator)[0][0, :, 16, 16].tolist()
        assert red > green > blue
