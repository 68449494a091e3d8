"""Peripherals, ResNet-152 and the full-size network against numbers from the authors' own code."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from omninet.model.modalities.language.config import LanguageConfig, Subwords
from omninet.model.modalities.language.peripheral import LanguagePeripheral
from omninet.model.modalities.vision.config import VisionConfig
from omninet.model.modalities.vision.peripheral import VisionPeripheral, build_backbone
from omninet.model.network.cnp import CNP
from omninet.model.official.names import convert, official_config
from tests.golden_cases import (
    OURS,
    PREFIX,
    TOLERANCE,
    assert_close,
    config_of,
    greedy_steps,
    official_cnp,
    read_json,
    read_tensors,
    rules,
)

both_precisions = pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])


@pytest.fixture(autouse=True)
def _no_grad() -> Iterator[None]:
    with torch.no_grad():
        yield


def converted(golden: dict[str, Tensor], layers: tuple[str, ...], theirs: str, ours: str) -> dict[str, Tensor]:
    """The named layers' weights under the names of our peripheral."""
    state = {f"{theirs}.{name}": value for name, value in golden.items() if name.split(".")[0] in layers}
    return {name.removeprefix(f"peripherals.{ours}."): value for name, value in convert(state).tensors.items()}


# Language


def language(dtype: torch.dtype) -> LanguagePeripheral:
    facts, golden = read_json("extras")["language_peripheral"], read_tensors("language_peripheral")
    config = LanguageConfig(vocabulary=facts["vocab_size"], d_embedding=facts["embed_dim"])
    peripheral = LanguagePeripheral(config, facts["output_dim"])
    weights = converted(golden, ("embed_layer", "output"), "english_language_perph", "language")
    peripheral.load_state_dict(weights)
    return peripheral.to(dtype)


def sentences() -> list[Subwords]:
    facts = read_json("extras")["language_peripheral"]
    tokens = [np.array([facts["bos"], *ids, facts["eos"]]) for ids in facts["sentences_as_ids"]]
    return [Subwords(row, np.arange(len(row))) for row in tokens]


@both_precisions
def test_language_peripheral(dtype: torch.dtype) -> None:
    golden = read_tensors("language_peripheral")

    x, mask = language(dtype)(LanguagePeripheral.collate(sentences()))

    assert_close(x, golden[f"{PREFIX[dtype]}.output"])
    assert torch.equal(mask, golden["out.pad_mask"] == 0)


def test_language_peripheral_reads_the_row_of_padding() -> None:
    peripheral = language(torch.float32)
    peripheral.embedding.weight[-1] = 0.5

    x, _ = peripheral(LanguagePeripheral.collate(sentences()))

    assert_close(x, read_tensors("language_peripheral")["f32.output_with_nonzero_pad_row_0.5"])


# Vision


class StoredMaps(nn.Module):
    """A backbone whose feature maps are known; it remembers the shape of what it saw."""

    def __init__(self, maps: Tensor) -> None:
        super().__init__()
        self.maps = nn.Parameter(maps)
        self.seen: list[int] = []

    def forward(self, pixels: Tensor) -> Tensor:
        self.seen = list(pixels.shape)
        return self.maps


def vision(maps: Tensor, dtype: torch.dtype) -> tuple[VisionPeripheral, StoredMaps]:
    """A vision peripheral with the golden projection, built without memory for the backbone it does not use."""
    golden = read_tensors("image_peripheral")
    with torch.device("meta"):
        peripheral = VisionPeripheral(VisionConfig(backbone="resnet50", size=32), golden["output_fc.bias"].shape[0])
    peripheral.backbone = nn.Identity()
    weights = {name: value.to(dtype) for name, value in golden.items()}
    peripheral.load_state_dict(converted(weights, ("output_fc",), "image_input_perph", "vision"), assign=True)
    peripheral.backbone = backbone = StoredMaps(maps.to(dtype))
    return peripheral, backbone


@both_precisions
@pytest.mark.parametrize("kind", ["image", "video"])
def test_vision_peripheral(kind: str, dtype: torch.dtype) -> None:
    facts, golden = read_json("extras")["image_peripheral"], read_tensors("image_peripheral")
    maps = golden[f"in.{kind}_features"]
    peripheral, backbone = vision(maps.flatten(0, -4), dtype)
    batch, *frames = facts[f"{kind}_in"][:-3]

    x, mask = peripheral(torch.zeros(batch, *(frames or [1]), *facts[f"{kind}_in"][-3:], dtype=torch.uint8))

    assert backbone.seen == facts[f"cnn_sees_{kind}"]
    assert list(x.shape) == facts[f"{kind}_out_btsd"]
    assert_close(x, golden[f"{PREFIX[dtype]}.{kind}_output"])
    assert mask is None


@pytest.fixture(scope="module")
def resnet() -> nn.Module:
    """Our ResNet-152 with the rule's weights, through the name table; the classifier is dropped by it."""
    backbone = build_backbone("resnet152").eval()
    entries = [entry for entry in read_json("full_state_dict_keys")["keys"] if ".image_model." in entry["name"]]
    state = {}
    for entry in entries:
        value = rules.rule_resnet(entry["name"].split("image_model.")[1], tuple(entry["shape"]))
        state[entry["name"]] = torch.tensor(0) if value is None else torch.as_tensor(value, dtype=torch.float32)
    names = convert(state).tensors
    backbone.load_state_dict({name.removeprefix("peripherals.vision.backbone."): x for name, x in names.items()})
    return backbone


@pytest.mark.slow
@both_precisions
def test_resnet152(resnet: nn.Module, dtype: torch.dtype) -> None:
    golden = read_tensors("resnet152_rule_weights")
    pixels = torch.as_tensor(3**0.5 * rules.u("resnet_input", (2, 3, 64, 96)), dtype=torch.float32)

    maps = resnet.to(dtype)(pixels.to(dtype))

    assert list(maps.shape) == read_json("extras")["resnet152"]["output_shape"]
    assert_close(maps[:, ::8], golden[f"{PREFIX[dtype]}.features_every_8th_channel"])
    if dtype == torch.float64:
        assert_close(maps.mean((0, 2, 3)), golden["f64.channel_mean"])


# The network in its default size


def full_size_facts() -> Any:
    return read_json("extras")["full_size"]


@pytest.fixture(scope="module", params=[torch.float32, torch.float64], ids=["float32", "float64"])
def full_size(request: pytest.FixtureRequest) -> CNP:
    facts = full_size_facts()
    entries = [entry for entry in read_json("full_state_dict_keys")["keys"] if entry["name"].startswith("cnp.")]
    weights = {}
    for entry in entries:
        value = rules.rule_cnp(entry["name"].removeprefix("cnp."), tuple(entry["shape"]))
        if value is not None:
            weights[entry["name"]] = torch.as_tensor(value, dtype=torch.float32)
    return official_cnp(config_of(facts["conf"]), facts, weights, request.param)


@pytest.mark.slow
@pytest.mark.parametrize("name", full_size_facts()["cases"])
def test_full_size(full_size: CNP, name: str) -> None:
    facts, golden = full_size_facts()["cases"][name], read_tensors("full_size_rule_weights")
    memory = None
    for call in facts["calls"]:
        x = torch.as_tensor(3**0.5 * rules.u(call["input_name"], call["x"]), dtype=torch.float32)
        memory = full_size.encode(
            x.to(full_size.task_projection.weight.dtype), OURS[call["domain"]], memory, lengths_mask(call)
        )
    assert memory is not None

    scores, ids = greedy_steps(full_size, memory, OURS[facts["task"]], facts["num_steps"])

    tolerance = TOLERANCE[scores.dtype]
    assert ids.tolist() == facts["ids"] == golden[f"{name}.greedy_ids"].tolist()
    for actual, array in (
        (scores[..., :48], "greedy_logprobs_first_48_classes"),
        (scores.max(-1).values, "greedy_logprob_of_chosen"),
        (memory.temporal[..., :16], "temporal_cache_first_16_features"),
    ):
        torch.testing.assert_close(actual.double(), golden[f"{name}.f64.{array}"], rtol=0, atol=tolerance)


def test_full_size_is_the_default() -> None:
    assert config_of(full_size_facts()["conf"]) == official_config().cnp


def lengths_mask(call: dict[str, Any]) -> Tensor | None:
    if call["valid_lengths"] is None:
        return None
    return torch.arange(call["x"][1]) < torch.tensor(call["valid_lengths"])[:, None]
