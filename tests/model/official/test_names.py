"""The name table against every name of the authors' default network."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from torch import Tensor

from omninet.model.errors import CheckpointError
from omninet.model.network.layers import sinusoid_table
from omninet.model.network.omninet import OmniNet
from omninet.model.official.names import convert, official_config
from tests.golden_cases import OURS, read_json, read_tensors

ENTRIES = read_json("full_state_dict_keys")["keys"]
COUNTS = read_json("full_state_dict_keys")["counts"]
TABLES = ("cnp.temporal_encoder.position_enc.weight", "cnp.decoder.position_enc.weight")


def full_state() -> dict[str, Tensor]:
    """Their state dict without its memory, but for the two tables, which are compared."""
    state = {entry["name"]: torch.empty(entry["shape"], device="meta") for entry in ENTRIES}
    return {**state, **{name: sinusoid_table(500, 512) for name in TABLES}}


@pytest.fixture(scope="module")
def network() -> OmniNet:
    """The released network, without its memory."""
    with torch.device("meta"):
        return OmniNet(official_config())


def test_every_entry_is_used_or_dropped_for_a_reason() -> None:
    state = full_state()

    result = convert(state)

    assert len(state) == 1315
    assert len(result.tensors) + len(result.dropped) == 1315
    assert all(result.dropped.values())
    kinds = Counter(name.split(".")[0] for name in result.dropped)
    assert kinds == {"cnp": 2, "german_language_perph": 3, "image_input_perph": 2}


def test_names_and_shapes_are_those_of_our_network(network: OmniNet) -> None:
    converted = {name: tensor.shape for name, tensor in convert(full_state()).tensors.items()}

    assert converted == {name: tensor.shape for name, tensor in network.state_dict().items()}


def test_number_of_parameters(network: OmniNet) -> None:
    """The paper's count includes ResNet's classifier and the two position tables, which are not parameters here."""
    ours = sum(parameter.numel() for parameter in network.parameters())
    tables = network.cnp.temporal_encoder.positions.numel() + network.cnp.decoder.positions.numel()

    assert tables == COUNTS["frozen_position_tables"] == 513_024
    assert ours + tables == 147_027_796
    assert ours + tables + COUNTS["frozen_resnet152_fc (unused)"] == 149_076_796


def test_number_of_trainable_parameters(network: OmniNet) -> None:
    trainable = sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)

    german = COUNTS["german_peripheral (unused by the four tasks)"]
    assert trainable == COUNTS["trainable_parameters"] - german


def test_order_of_tasks_and_control_vectors(network: OmniNet) -> None:
    theirs = read_json("tiny_config")

    assert network.cnp.control_ids == {OURS[name]: i for name, i in theirs["control_state_ids"].items()}
    assert list(official_config().tasks) == [OURS[name] for name in theirs["task_ids"]]


def test_names_of_the_cnp_alone_need_no_prefix() -> None:
    weights = read_tensors("tiny_cnp")
    prefixed = {f"cnp.{name}": tensor for name, tensor in weights.items()}

    assert convert(weights).tensors.keys() == convert(prefixed).tensors.keys()


def test_tensors_are_passed_on_unchanged() -> None:
    weight = torch.randn(3, 4)

    converted = convert({"cnp.output_clfs.2.weight": weight}).tensors

    assert converted["cnp.classifiers.caption.weight"] is weight


def test_tasks_can_be_named_in_another_order() -> None:
    converted = convert({"output_embs.1.weight": torch.zeros(1)}, tasks=("one", "two")).tensors

    assert list(converted) == ["cnp.output_embeddings.two.weight"]


def test_dropping_tasks_does_not_change_the_others() -> None:
    control = torch.arange(8.0)[:, None]
    state = {f"cnp.output_clfs.{i}.bias": torch.full((2,), float(i)) for i in range(4)}

    found = convert(state | {"cnp.control_peripheral.control_embeddings.weight": control}, kept=("activity", "vqa"))

    assert found.tensors["cnp.control_embedding.weight"].flatten().tolist() == [0, 1, 2, 4, 6, 7]
    assert found.tensors["cnp.classifiers.vqa.bias"].tolist() == [3, 3]
    assert found.dropped == {
        "cnp.output_clfs.0.bias": "task pos: not wanted",
        "cnp.output_clfs.2.bias": "task caption: not wanted",
    }


@pytest.mark.parametrize(
    "name",
    [
        "cnp.decoder.layer_stack.0.slf_attn.w_os.weight",
        "cnp.decoder.layer_stack.first.slf_attn.w_qs.weight",
        "cnp.nothing",
        "sound_input_perph.output.weight",
        "optimizer",
    ],
)
def test_an_unknown_name_is_an_error(name: str) -> None:
    with pytest.raises(CheckpointError, match=name):
        convert({name: torch.zeros(1)})


def test_a_task_without_a_name_is_an_error() -> None:
    with pytest.raises(CheckpointError, match=r"output_clfs\.4\.bias belongs to task 4"):
        convert({"cnp.output_clfs.4.bias": torch.zeros(1)})


@pytest.mark.parametrize("name", TABLES)
def test_another_position_table_is_an_error(name: str) -> None:
    table = sinusoid_table(500, 512)

    assert convert({name: table.double()}).dropped.keys() == {name}
    with pytest.raises(CheckpointError, match=name):
        convert({name: table + 1e-3})
