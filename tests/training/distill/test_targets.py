"""The cache of teacher outputs: computed once, quantised to 8 bits, refused for other teachers."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from omninet.training.data import DataError
from omninet.training.distill import targets as targeting
from omninet.training.distill.config import DistillConfig
from omninet.training.distill.networks import Teacher
from omninet.training.distill.targets import META, PROJECTION, Projection, teacher_outputs
from omninet.training.distill.view_loader import ViewLoader
from tests.training.distill.conftest import CHANNELS, CLASSES, make_config, make_targets, make_teacher

ALL = torch.arange(24)


@pytest.fixture
def config() -> DistillConfig:
    """All of the teachers' channels are kept, and there are two teachers."""
    teacher = make_config().teacher.model_dump()
    return make_config(channels=CHANNELS, more_teachers=[teacher])


@pytest.fixture
def teachers(config: DistillConfig) -> list[Teacher]:
    return [make_teacher(config, seed=0), make_teacher(config, seed=1)]


def test_cached_outputs_are_the_teachers_outputs(
    config: DistillConfig, teachers: list[Teacher], loader: ViewLoader, tmp_path: Path
) -> None:
    targets = make_targets(tmp_path, config, loader, teachers)
    views = loader(ALL)

    wanted = targets.of(ALL, views)

    maps, logits = teacher_outputs(teachers, views, targets.device)
    for projection, kept, seen in zip(targets.projections, wanted.maps, maps, strict=True):
        assert kept.shape == (24, 4, CHANNELS)
        restored = kept / projection.weight * projection.std @ projection.basis.T + projection.mean
        # 8 bits are steps of a 32nd of a deviation.
        assert (restored - seen).abs().mean() < 0.02 * seen.std()
    assert wanted.logits is not None
    assert logits is not None
    assert wanted.logits.shape == (24, CLASSES)
    torch.testing.assert_close(wanted.logits, logits.clone(), rtol=1e-2, atol=1e-2)


def test_teacher_outputs_are_computed_once(
    config: DistillConfig,
    teachers: list[Teacher],
    loader: ViewLoader,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counts: list[int] = []

    def counted(teachers: list[Teacher], views: Tensor, device: torch.device) -> tuple[list[Tensor], Tensor | None]:
        counts.append(len(views))
        return teacher_outputs(teachers, views, device)

    first = make_targets(tmp_path, config, loader, teachers)
    monkeypatch.setattr(targeting, "teacher_outputs", counted)
    before = first.of(ALL[:10], loader(ALL[:10]))
    after = make_targets(tmp_path, config, loader, teachers).of(ALL, loader(ALL))  # as another process finds it

    assert counts == [10, 14]
    assert all(torch.equal(a[:10], b) for a, b in zip(after.maps, before.maps, strict=True))


def test_without_a_last_layer_there_are_no_logits(config: DistillConfig, loader: ViewLoader, tmp_path: Path) -> None:
    teachers = [make_teacher(config), make_teacher(config, classes=False)]

    assert make_targets(tmp_path, config, loader, teachers).of(ALL, loader(ALL)).logits is None


def test_a_projection_keeps_what_varies_most() -> None:
    generator = torch.Generator().manual_seed(0)
    cells = torch.randn(5000, 4, generator=generator) * torch.tensor([4.0, 0.1, 2.0, 1.0]) + 3

    projection = Projection.fit(cells, 3)

    assert projection.std.tolist() == pytest.approx([4, 2, 1], rel=0.05)
    assert projection.basis.abs().argmax(0).tolist() == [0, 2, 3]
    projected = projection(cells)
    assert projected.mean(0).abs().max() < 1e-3
    assert projected.std(0).tolist() == pytest.approx([1] * 3, abs=0.01)
    assert float(projection.weight.square().mean()) == pytest.approx(1)


@pytest.mark.parametrize(
    "change", [{"views": {"size": 64, "kinds": ["squash", "pad"]}}, {"channels": 3}, {"teacher": {"mean": (0, 0, 0)}}]
)
def test_a_cache_of_other_teachers_or_views_is_refused(
    change: dict[str, object], config: DistillConfig, teachers: list[Teacher], loader: ViewLoader, tmp_path: Path
) -> None:
    make_targets(tmp_path, config, loader, teachers)
    values = config.model_dump()
    for name, value in change.items():
        values[name] = values[name] | value if isinstance(value, dict) else value

    with pytest.raises(
        DataError, match="was computed with other teachers or views: use its configuration, or remove it"
    ):
        make_targets(tmp_path, DistillConfig.model_validate(values), loader, teachers)


def test_an_interrupted_initialisation_is_repeated(
    config: DistillConfig, teachers: list[Teacher], loader: ViewLoader, tmp_path: Path
) -> None:
    wanted = make_targets(tmp_path / "whole", config, loader, teachers).of(ALL, loader(ALL))
    make_targets(tmp_path / "cut", config, loader, teachers).of(ALL, loader(ALL).flip(-1))
    (tmp_path / "cut" / META).unlink()

    again = make_targets(tmp_path / "cut", config, loader, teachers).of(ALL, loader(ALL))

    assert all(torch.equal(a, b) for a, b in zip(again.maps, wanted.maps, strict=True))


def test_a_lost_projection_is_named(
    config: DistillConfig, teachers: list[Teacher], loader: ViewLoader, tmp_path: Path
) -> None:
    make_targets(tmp_path, config, loader, teachers)
    (tmp_path / PROJECTION).unlink()

    with pytest.raises(DataError, match=r"projection\.safetensors is missing or damaged: remove its folder"):
        make_targets(tmp_path, config, loader, teachers)
