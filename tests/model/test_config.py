"""Configurations: JSON round trip, and errors that name the value."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import replace
from typing import Any

import pytest

from omninet.model.config import CNPConfig, from_dict, to_dict
from omninet.model.errors import ConfigError
from omninet.model.modalities.language.config import LanguageConfig
from omninet.model.modalities.vision.config import Framing, VisionConfig
from omninet.model.network_config import OmniNetConfig
from omninet.model.tasks import TASKS, Input, Task, Use
from tests.model.networks import GATES

SIZES = [field.name for field in dataclasses.fields(CNPConfig) if field.type == "int"]


@pytest.mark.parametrize("gate", GATES)
def test_cnp_config_round_trips_through_json(gate: str) -> None:
    config = CNPConfig(d_model=32, dropout=0.25, gate=gate, link_array=False, recurrent_steps=3)  # type: ignore[arg-type]

    assert from_dict(CNPConfig, json.loads(json.dumps(to_dict(config))), "cnp") == config


def test_network_config_round_trips_through_json() -> None:
    config = OmniNetConfig(
        cnp=CNPConfig(d_model=48),
        peripherals={
            "vision": VisionConfig(backbone="compact", size=112, image=Framing("pad", side=128), mean=(0.1, 0.2, 0.3)),
            "language": LanguageConfig(vocabulary=99, step="word"),
        },
        domains=("image", "english"),
        tasks={name: TASKS[name] for name in ("vqa", "pos")},
        vocabularies={"vqa": 7, "pos": 5},
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
        (Framing, "draft", -1),
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
        ({"vocabularies": {"pos": 0}}, r"vocabularies\.pos .*0"),
        ({"vocabularies": {"pos": "48"}}, r"vocabularies\.pos .*'48'"),
        ({"tasks": {"image": replace(TASKS["pos"], name="image")}}, "more than one .* 'image'"),
        ({"tasks": {"tagging": TASKS["pos"]}}, r"tasks\.tagging has the name 'pos'"),
        ({"domains": ("image", "english", "image")}, "'image'"),
        ({"domains": ("english",)}, "lacks 'image', the domain of activity's picture"),
        ({"vocabularies": {"pos": 3}}, "vocabularies lacks 'activity', the vocabulary of task activity"),
        ({"peripherals": {"language": LanguageConfig()}}, "peripherals lacks 'vision', an input of task activity"),
        ({"controls": ("english", "german", "image", "pos", "activity", "caption")}, "controls lacks 'vqa'"),
    ],
    ids=[
        *("no task", "no class", "text", "domain as task", "another name", "domain twice", "no domain"),
        *("no vocabulary", "no peripheral", "no control"),
    ],
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
        (("peripherals", "sound"), {}, "peripherals.sound.kind: there is no modality 'sound'; known are vision, lang"),
        (("peripherals", "vision", "kind"), "sound", "there is no modality 'sound'"),
        (
            ("tasks", "pos", "output"),
            "score",
            "no output 'score'; known are boxes, embedding, label, match, scene, spans, tags, text",
        ),
        (("tasks", "pos", "views"), "mirrored", "Task.views"),
        (("tasks", "pos", "speed"), 1, "network.tasks.pos.speed is unknown"),
        (("tasks", "pos", "inputs"), [], "task pos has no inputs"),
        (("tasks", "pos", "inputs"), [{"role": "a", "peripheral": "language"}], "inputs.0.domain is missing"),
        (("peripherals", "vision", "mean"), 0.5, "mean"),
        (("peripherals", "vision", "lens"), 1, "network.peripherals.vision.lens is unknown"),
    ],
    ids=lambda value: ".".join(value) if isinstance(value, tuple) else "",
)
def test_from_dict_names_the_invalid_field(path: tuple[str, ...], value: Any, named: str) -> None:
    values = json.loads(json.dumps(OmniNetConfig().to_dict()))
    inner = values
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value

    with pytest.raises(ConfigError) as raised:
        OmniNetConfig.from_dict(values)

    assert named in str(raised.value)


@pytest.mark.parametrize("path", [("cnp",), ("cnp", "gate"), ("peripherals", "vision", "mean"), ("controls",)])
def test_missing_fields_get_their_defaults(path: tuple[str, ...]) -> None:
    values = json.loads(json.dumps(OmniNetConfig().to_dict()))
    inner = values
    for name in path[:-1]:
        inner = inner[name]
    del inner[path[-1]]

    assert OmniNetConfig.from_dict(values) == OmniNetConfig()


def test_a_missing_field_without_default_is_named() -> None:
    values = json.loads(json.dumps(OmniNetConfig().to_dict()))
    del values["tasks"]["pos"]["output"]

    with pytest.raises(ConfigError, match=r"network\.tasks\.pos\.output is missing"):
        OmniNetConfig.from_dict(values)


def test_two_peripherals_of_one_modality_round_trip_through_json() -> None:
    left, right = Input("left", "photo", "image"), Input("right", "page", "image")
    config = OmniNetConfig(
        peripherals={"photo": VisionConfig(backbone="compact"), "page": VisionConfig(backbone="compact", size=320)},
        domains=("image",),
        tasks={"same": Task("same", (left, right), "label", "yes or no")},
        vocabularies={"yes or no": 2},
    )

    values = json.loads(json.dumps(config.to_dict()))

    assert values["peripherals"]["page"]["kind"] == "vision"
    assert OmniNetConfig.from_dict(values) == config


def test_roles_are_unique() -> None:
    with pytest.raises(ConfigError, match="more than one input with the role 'a'"):
        Task("same", (Input("a", "vision", "image"),) * 2, "label", "same")


def test_a_subset_keeps_only_what_its_tasks_need() -> None:
    whole = OmniNetConfig()

    part = whole.subset(["pos"])

    assert (set(part.peripherals), part.domains, set(part.tasks)) == ({"language"}, ("english",), {"pos"})
    assert part.vocabularies == {"pos": 48}
    assert part.controls == whole.controls
    with pytest.raises(ConfigError, match="there is no task 'hat'; known are pos, activity, caption, vqa"):
        whole.subset(["hat"])


def test_a_subset_keeps_one_of_the_alternative_inputs() -> None:
    tasks = {name: TASKS[name] for name in ("match", "embed")}
    whole = OmniNetConfig(tasks=tasks, vocabularies={"match": 2})

    part = whole.subset(["embed:text"])

    assert (set(part.peripherals), part.domains) == ({"language"}, ("english",))
    assert list(part.keywords(part.tasks["embed"])) == ["text", "tokens"]
    assert part.controls == whole.controls
    with pytest.raises(ConfigError, match="embed:sound: the inputs of task embed have the alternatives image, video"):
        whole.subset(["embed:sound"])
    with pytest.raises(ConfigError, match="match:text: the inputs of task match have no alternatives"):
        whole.subset(["match:text"])


@pytest.mark.parametrize("name", ["", "A", "a b", "a/b", "-a", "ä", "a_b"])
def test_a_use_must_have_a_name_valid_in_paths(name: str) -> None:
    with pytest.raises(ConfigError, match="cannot be the name of a use"):
        Use(name)


@pytest.mark.parametrize("role", ["explain", "format", "beams", "stream"])
def test_an_input_may_not_have_the_name_of_an_option(role: str) -> None:
    task = Task("caption", (Input(role, "language", "english"),), "text", "caption")

    with pytest.raises(ConfigError, match=f"'{role}' cannot be the name of an input"):
        OmniNetConfig(tasks={"caption": task})


def test_two_tasks_cannot_be_offered_under_one_name() -> None:
    tasks = {name: replace(TASKS["vqa"], name=name) for name in ("vqa", "other")}

    with pytest.raises(ConfigError, match="tasks vqa and other both have a use named 'vqa'"):
        OmniNetConfig(tasks=tasks)
