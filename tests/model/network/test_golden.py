"""The network against numbers from the authors' own code; tests/golden/README.md explains every file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from omninet.model.decoding.batch import decode
from omninet.model.decoding.goal import Goal
from omninet.model.network.attention import AttentionWeights, GatedAttention, Source, gate_from_temporal
from tests.golden_cases import CASES, GATES, Case, assert_close, greedy_steps, read_json, read_tensors

pytestmark = pytest.mark.usefixtures("no_grad")
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
both_precisions = pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])


@pytest.fixture
def no_grad() -> Iterator[None]:
    with torch.no_grad():
        yield


# Cases: encode, teacher-forced decode, greedy decode.


@both_precisions
@every_case
def test_encode(case: Case, dtype: torch.dtype) -> None:
    memory = case.encode(case.network(dtype=dtype), case.inputs(dtype))

    expected = case.expected(dtype)
    assert_close(memory.temporal, expected["temporal_cache"])
    assert torch.equal(memory.temporal_mask, case.arrays["out.pad_cache"] == 0)
    assert all(link == tuple(map(tuple, case.arrays["out.link"].tolist())) for link in memory.links)
    if "spatial_cache" in expected:
        assert_close(memory.spatial, expected["spatial_cache"])
        assert memory.spatial_mask.all()
    else:
        assert memory.spatial.shape[1] == 0


@both_precisions
@every_case
def test_teacher_forced_decode(case: Case, dtype: torch.dtype) -> None:
    cnp = case.network(dtype=dtype)
    memory = case.encode(cnp, case.inputs(dtype))

    expected = case.expected(dtype)
    assert_close(cnp.decode(memory, case.task, case.targets), expected["logprobs_nomask"])
    assert_close(cnp.decode(memory, case.task, case.targets, case.target_mask), expected["logprobs_mask"])


@both_precisions
@every_case
def test_greedy_decode(case: Case, dtype: torch.dtype) -> None:
    cnp = case.network(dtype=dtype)
    memory = case.encode(cnp, case.inputs(dtype))

    scores, ids = greedy_steps(cnp, memory, case.task, case.facts["greedy_num_steps"])

    assert_close(scores, case.expected(dtype)["greedy_logprobs"])
    assert torch.equal(ids, case.arrays["out.greedy_ids"])


@every_case
def test_greedy_of_a_batch(case: Case) -> None:
    cnp = case.network()
    memory = case.encode(cnp, case.inputs())

    rows = decode(cnp, memory, [Goal(case.task, case.facts["greedy_num_steps"])] * memory.batch)

    assert [row.tokens for row in rows] == case.arrays["out.greedy_ids"].tolist()
    best = case.arrays["f64.greedy_logprobs"].max(-1).values
    assert_close(torch.tensor([row.log_probabilities for row in rows], dtype=torch.float64), best)


@both_precisions
@every_case
def test_attention_maps_of_the_last_layer(case: Case, dtype: torch.dtype) -> None:
    cnp = case.network(dtype=dtype)
    memory = case.encode(cnp, case.inputs(dtype))

    _, layers = cnp.decoder(cnp.decoder_inputs(memory, case.task, case.targets), memory)

    expected = case.expected(dtype)
    assert_close(layers[-1].self_attention.softmax(-1), expected["attn_self_last"])
    assert_close(layers[-1].temporal.softmax(-1), expected["attn_temporal_last"])
    if "attn_spatial_last" in expected:
        assert_close(layers[-1].spatial, expected["attn_spatial_last"])
    else:
        assert layers[-1].spatial is None


@every_case
def test_content_of_padding_never_matters(case: Case) -> None:
    cnp = case.network()
    inputs = case.inputs()
    noisy = []
    for i, x in enumerate(inputs):
        padded = case.arrays.get(f"in.{i}.pad_mask", torch.zeros(x.shape[:2])) == 1
        noisy.append(torch.where(padded[:, :, None, None], x + 7, x))

    assert torch.equal(case.encode(cnp, noisy).temporal, case.encode(cnp, inputs).temporal)


# Gate: one layer alone, then the whole model.


@pytest.mark.parametrize("variant", GATES)
def test_gate_in_one_layer(variant: str) -> None:
    golden = read_tensors("gate_layer0")
    attention, frame = gated_layer(variant)
    heads: list[Tensor] = []
    attention.output.register_forward_pre_hook(lambda _, args: heads.append(args[0]))

    output, weights = attend(attention, frame, golden)

    gate = gate_from_temporal(golden["in.temporal_attention"], frame)
    assert_close(gate, golden[f"gate.{variant.split('.')[1]}"])
    assert_close(weights, golden[f"{variant}.attention"])
    assert_close(heads[0].view_as(golden[f"{variant}.heads"]), golden[f"{variant}.heads"])
    assert_close(output, golden[f"{variant}.output"])


def test_normalised_gate_is_the_papers_divided_by_its_sum() -> None:
    golden = read_tensors("gate_layer0")
    attention, frame = gated_layer("paper.aligned")
    attention.gate = "normalised"

    _, weights = attend(attention, frame, golden)

    paper = golden["paper.aligned.attention"]
    assert_close(weights, paper / paper.sum(-1, keepdim=True))


def gated_layer(variant: str) -> tuple[GatedAttention, Tensor]:
    """The spatial attention of decoder layer 0, and the frames of the cells as ``encode`` wrote them down."""
    case = Case(read_json("gate")["stand_alone"]["case"])
    cnp = case.network(GATES[variant])
    attention = cnp.decoder.layers[0].spatial_attention
    assert isinstance(attention, GatedAttention)
    return attention, case.encode(cnp, case.inputs()).frame


def attend(attention: GatedAttention, frame: Tensor, golden: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    keys, values = attention.keys_values(golden["in.spatial_cache"])
    query = golden["in.query"]
    source = Source(query.shape[1], keys, values)
    temporal = golden["in.temporal_attention"]
    steps = AttentionWeights(temporal.log(), temporal)
    flat = query.flatten(0, 1)
    attended, (weights,) = attention.attend(flat, attention.query(flat), [source], [steps], [frame])
    return attended.view_as(query), weights


def gate_runs() -> list[tuple[Case, str]]:
    names = {tuple(key.split(".")[:3]) for key in read_tensors("gate_end_to_end")}
    return sorted(
        ((Case(name), f"{mode}.{order}") for name, mode, order in names if f"{mode}.{order}" in GATES),
        key=lambda run: (run[0].name, run[1]),
    )


@pytest.mark.parametrize(("case", "variant"), gate_runs(), ids=lambda value: getattr(value, "name", value))
def test_gate_end_to_end(case: Case, variant: str) -> None:
    golden = read_tensors("gate_end_to_end")
    cnp = case.network(GATES[variant])
    memory = case.encode(cnp, case.inputs())

    forced = cnp.decode(memory, case.task, case.targets, case.target_mask)
    scores, _ = greedy_steps(cnp, memory, case.task, case.facts["greedy_num_steps"])

    assert_close(forced, golden[f"{case.name}.{variant}.logprobs_mask"])
    assert_close(scores, golden[f"{case.name}.{variant}.greedy_logprobs"])
