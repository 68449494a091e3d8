"""Teachers and students: any torchvision classifier, its map, its last layer, and what does not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torchvision.models import get_model

from omninet.model.errors import ConfigError
from omninet.model.modalities.vision.peripheral import build_classifier, without_head
from omninet.training.distill import networks
from omninet.training.distill.config import BackboneSpec, DistillConfig
from omninet.training.distill.lite import EfficientNetLite0
from omninet.training.distill.networks import Teacher, build_student, last_layer, load_teachers
from tests.training.distill.conftest import CLASSES, make_config, make_teacher

SHUFFLENET = "shufflenet_v2_x0_5"
VIEWS = torch.linspace(0, 1, 2 * 3 * 64 * 64).view(2, 3, 64, 64)


def backbone_spec(backbone: str) -> BackboneSpec:
    return BackboneSpec(backbone=backbone, mean=(0.1, 0.2, 0.3), std=(0.5, 0.4, 0.3))


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A file of a small teacher."""
    torch.manual_seed(0)
    network = build_classifier(SHUFFLENET)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):  # so that folding them into the convolutions is no empty task
            nn.init.uniform_(module.running_mean, -0.1, 0.1)  # type: ignore[arg-type]
            nn.init.uniform_(module.running_var, 0.5, 2.0)  # type: ignore[arg-type]
    path = tmp_path / "teacher.safetensors"
    save_file(network.state_dict(), path)
    return path


def test_a_teacher_gives_the_map_and_the_classes_of_its_network(weights: Path) -> None:
    teacher = Teacher.load(backbone_spec(SHUFFLENET), str(weights))

    network = get_model(SHUFFLENET)
    networks._fill(network, weights, SHUFFLENET)
    scaled = (VIEWS - torch.tensor([0.1, 0.2, 0.3])[:, None, None]) / torch.tensor([0.5, 0.4, 0.3])[:, None, None]
    with torch.no_grad():
        maps = without_head(network.eval())(scaled)
        seen = teacher(VIEWS)
        assert teacher.classifier is not None
        classes = teacher.classifier(seen.mean(1))
        torch.testing.assert_close(seen, maps.flatten(2).transpose(1, 2), rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(classes, network(scaled), rtol=1e-3, atol=1e-4)
    assert not any(parameter.requires_grad for parameter in teacher.parameters())
    assert not any(module.training for module in teacher.modules())


@pytest.mark.parametrize("name", ["mobilenet_v2", "resnet18", "efficientnet_b0", "densenet121"])
def test_the_last_layer_makes_the_classes_of_the_pooled_map(name: str) -> None:
    torch.manual_seed(0)
    network = build_classifier(name).eval()

    layer = last_layer(network)

    assert layer is not None
    with torch.no_grad():
        classes = layer(without_head(network).eval()(VIEWS).mean((2, 3)))
        torch.testing.assert_close(classes, network(VIEWS))


@pytest.mark.parametrize("name", ["convnext_tiny", "mobilenet_v3_small", "squeezenet1_1"])
def test_a_classifier_of_several_layers_has_no_last_layer(name: str) -> None:
    with torch.device("meta"):
        assert last_layer(build_classifier(name)) is None


def test_published_weights_are_torchvisions(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def get(name: str, **options: Any) -> nn.Module:
        asked[name] = options
        network: nn.Module = get_model(name)
        return network

    monkeypatch.setattr(networks, "get_model", get)

    Teacher.load(backbone_spec(SHUFFLENET), "published")

    assert asked == {SHUFFLENET: {"weights": "DEFAULT"}}


@pytest.mark.parametrize("name", ["hat", "compact", "fasterrcnn_resnet50_fpn"])
def test_a_teacher_that_torchvision_does_not_have(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"teacher\.backbone '{name}' is neither 'efficientnet_lite0' nor a torch"):
        Teacher.load(backbone_spec(name), "published")


def test_weights_that_do_not_fit(weights: Path) -> None:
    with pytest.raises(ConfigError, match=r"teacher\.safetensors do not fit squeezenet1_1: .*missing features\.0\.w"):
        Teacher.load(backbone_spec("squeezenet1_1"), str(weights))


def test_weights_that_cannot_be_read(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing\.safetensors cannot be read: "):
        Teacher.load(backbone_spec(SHUFFLENET), str(tmp_path / "missing.safetensors"))
    weights.write_bytes(b"{" * 100)
    with pytest.raises(ConfigError, match=r"the weights .*teacher\.safetensors do not fit shufflenet_v2_x0_5: "):
        Teacher.load(backbone_spec(SHUFFLENET), str(weights))


class Transformer(nn.Module):
    """Like torchvision's vision transformer, it expects rows of patches."""

    def forward(self, pixels: Tensor) -> Tensor:
        assert pixels.dim() == 3, f"expected (batch, sequence, channels), got {tuple(pixels.shape)}"
        return pixels


def test_a_teacher_without_a_map(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(networks, "get_model", lambda name, weights: nn.Sequential(Transformer()))

    with pytest.raises(ConfigError, match=r"backbone 'vit_b_16' gives no feature map at views\.size 64: expected \("):
        build_student(
            make_config(teacher=backbone_spec("vit_b_16").model_dump()),
            [Teacher.load(backbone_spec("vit_b_16"), "published")],
        )


@pytest.mark.parametrize(
    ("backbone", "message"),
    [(Transformer(), r"gives no feature map at views\.size 64: expected \("), (nn.Flatten(), r"gives shape \(1, 122")],
)
def test_a_student_without_a_map(
    backbone: nn.Module, message: str, config: DistillConfig, teacher: Teacher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(networks, "build_backbone", lambda name: backbone)

    with pytest.raises(ConfigError, match=f"backbone 'compact' {message}"):
        build_student(config, [teacher])


def test_maps_of_different_shapes(config: DistillConfig) -> None:
    teacher = Teacher(nn.AvgPool2d(16), None, config.teacher)

    with pytest.raises(ConfigError, match=r"at views\.size 64 the student compact gives 2 x 2 cells, .* 4 x 4$"):
        build_student(config, [teacher])


def test_an_unknown_student(teacher: Teacher) -> None:
    config = make_config(student=backbone_spec("hat").model_dump())

    with pytest.raises(ConfigError, match="'hat' is none of 'compact', 'chain', 'residual', nor"):
        build_student(config, [teacher])


def test_a_student_sees_as_many_cells_and_channels(config: DistillConfig, teacher: Teacher) -> None:
    second = make_teacher(config, seed=1)
    both = make_config(more_teachers=[config.teacher.model_dump()], channels=5)
    student = build_student(both, [teacher, second])

    with torch.no_grad():
        seen = student(VIEWS)

    assert [tuple(m.shape) for m in seen.maps] == [(2, 4, 5), (2, 4, 5)]
    assert seen.logits is not None
    assert seen.logits.shape == (2, CLASSES)
    assert {name.partition(".")[0] for name in student.state_dict()} == {"backbone", "heads", "classifier"}


def test_without_classes_a_student_has_no_classifier(config: DistillConfig) -> None:
    student = build_student(config, [make_teacher(config, classes=False)])

    assert student(VIEWS).logits is None
    assert {name.partition(".")[0] for name in student.state_dict()} == {"backbone", "heads"}


def test_another_backbone_may_be_given(config: DistillConfig, teacher: Teacher) -> None:
    backbone = nn.Sequential(nn.AvgPool2d(32), nn.Conv2d(3, 5, 1))

    assert build_student(config, [teacher], backbone).backbone is backbone


def test_every_teacher_needs_weights(config: DistillConfig) -> None:
    with pytest.raises(
        ConfigError, match=r"2 weights for 1 teachers \(shufflenet_v2_x0_5\): give --weights once for each"
    ):
        load_teachers(config, ["a", "b"])


def test_lite0_has_no_published_weights() -> None:
    with pytest.raises(
        ConfigError, match="torchvision publishes no weights of efficientnet_lite0: give a safetensors file"
    ):
        Teacher.load(backbone_spec("efficientnet_lite0"), "published")


def test_lite0_is_a_teacher(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = EfficientNetLite0().eval()
    save_file(network.state_dict(), tmp_path / "lite.safetensors")

    teacher = Teacher.load(backbone_spec("efficientnet_lite0"), str(tmp_path / "lite.safetensors"))

    scaled = (VIEWS - torch.tensor([0.1, 0.2, 0.3])[:, None, None]) / torch.tensor([0.5, 0.4, 0.3])[:, None, None]
    with torch.no_grad():
        assert teacher.classifier is not None
        classes = teacher.classifier(teacher(VIEWS).mean(1))
        torch.testing.assert_close(classes, network(scaled), rtol=1e-3, atol=1e-4)
    # Folding them makes the teacher quicker; a graph that cannot be traced would be left as it is.
    assert not any(isinstance(module, nn.BatchNorm2d) for module in teacher.features.modules())
