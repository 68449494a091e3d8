"""Configurations: to JSON and back, and errors that name the value."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from model.config import CNPConfig, from_dict, to_dict
from model.errors import ConfigError
from model.omninet import OmniNetConfig
from model.peripherals.language import LanguageConfig
from model.peripherals.vision import Framing, VisionConfig
from tests.model.networks import GATES

SIZES = [
    field.name
    for field in dataclasses.fields(CNPConfig)
    if field.name not in ("dropout", "attention_dropout", "gate", "link_array", "spatial_cache")
]


@pytest.mark.parametrize("gate", GATES)
def test_cnp_config_survives_json(gate: str) -> None:
    config = CNPConfig(d_model=32, dropout=0.25, gate=gate, link_array=False, recurrent_steps=3)  # type: ignore[arg-type]

    assert from_dict(CNPConfig, json.loads(json.dumps(to_dict(config))), "cnp") == config


def test_network_config_survives_json() -> None:
    config = OmniNetConfig(
        cnp=CNPConfig(d_model=48),
        peripherals={
            "vision": VisionConfig(backbone="compact", size=112, image=Framing("pad", side=128), mean=(0.1, 0.2, 0.3)),
            "language": LanguageConfig(vocabulary=99, step="word"),
        },
        domains=("image", "english"),
        tasks={"vqa": 7, "pos": 5},
    )

    restored = OmniNetConfig.from_dict(json.loads(json.dumps(config.to_dict())))

    assert restored == config
    assert list(restored.tasks) == ["vqa", "pos"]


def test_the_defaults_are_the_papers() -> None:
    assert OmniNetConfig.from_dict(json.loads(json.dumps(OmniNetConfig().to_dict()))) == OmniNetConfig()


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("value", [0, -1, 1.5, "8", True, None])
def test_sizes_are_whole_numbers_above_zero(name: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=rf"CNPConfig\.{name} .*{value!r}"):
        CNPConfig(**{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("attention_dropout", 1.5),
        ("dropout", 1),
        ("dropout", -0.1),
        ("dropout", float("nan")),
        ("dropout", "0.1"),
        ("gate", "soft"),
        ("gate", None),
        ("link_array", "yes"),
        ("link_array", 1),
        ("spatial_cache", None),
    ],
)
def test_every_invalid_value_of_the_cnp_is_named(name: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=rf"CNPConfig\.{name} .*{value!r}"):
        CNPConfig(**{name: value})


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        (VisionConfig, "size", 0),
        (VisionConfig, "frames", 1.0),
        (VisionConfig, "sampling", "all"),
        (Framing, "treatment", "stretch"),
        (Framing, "side", 0),
        (Framing, "window", "left"),
        (Framing, "channels", "grb"),
        (Framing, "antialias", 1),
        (VisionConfig, "mean", (0.5, 0.5)),
        (VisionConfig, "std", (0.5, 0.5, 0.0)),
        (LanguageConfig, "vocabulary", 0),
        (LanguageConfig, "d_embedding", "300"),
        (LanguageConfig, "step", "letter"),
    ],
)
def test_every_invalid_value_of_a_peripheral_is_named(kind: type[Any], name: str, value: Any) -> None:
    with pytest.raises(ConfigError) as raised:
        kind(**{name: value})

    assert name in str(raised.value)
    assert repr(value) in str(raised.value)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"tasks": {}}, "at least one task"),
        ({"tasks": {"pos": 0}}, r"tasks\.pos .*0"),
        ({"tasks": {"pos": "48"}}, r"tasks\.pos .*'48'"),
        ({"tasks": {"image": 3}}, "'image'"),
        ({"domains": ("image", "english", "image")}, "'image'"),
        ({"domains": ("english",)}, "lacks 'image'"),
        ({"peripherals": {"sound": {}}}, r"peripherals\.sound .*vision, language"),
    ],
    ids=["no task", "no class", "text", "domain as task", "domain twice", "no domain", "peripheral"],
)
def test_every_invalid_value_of_the_network_is_named(values: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        OmniNetConfig(**values)


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        (("speed",), 1, "network.speed is unknown"),
        (("cnp", "width"), 1, "network.cnp.width is unknown"),
        (("cnp", "heads"), 0, "CNPConfig.heads"),
        (("cnp",), 3, "network.cnp must be an object, not 3"),
        (("tasks",), ["pos"], "tasks"),
        (("domains",), "image", "domains"),
        (("peripherals",), ["vision"], "peripherals"),
        (("peripherals", "sound"), {}, "peripherals.sound"),
        (("peripherals", "vision", "mean"), 0.5, "mean"),
        (("peripherals", "vision", "lens"), 1, "network.peripherals.vision.lens is unknown"),
    ],
    ids=lambda value: ".".join(value) if isinstance(value, tuple) else "",
)
def test_from_dict_names_what_is_wrong(path: tuple[str, ...], value: Any, named: str) -> None:
    values = json.loads(json.dumps(OmniNetConfig().to_dict()))
    inner = values
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value

    with pytest.raises(ConfigError) as raised:
        OmniNetConfig.from_dict(values)

    assert named in str(raised.value)


@pytest.mark.parametrize("path", [("cnp",), ("tasks",), ("cnp", "gate"), ("peripherals", "vision", "mean")])
def test_from_dict_names_what_is_missing(path: tuple[str, ...]) -> None:
    """A default that a later version changes must not change a checkpoint that leaves it out."""
    values = json.loads(json.dumps(OmniNetConfig().to_dict()))
    inner = values
    for name in path[:-1]:
        inner = inner[name]
    del inner[path[-1]]

    with pytest.raises(ConfigError, match=rf"{'.'.join(('network', *path))} is missing"):
        OmniNetConfig.from_dict(values)
