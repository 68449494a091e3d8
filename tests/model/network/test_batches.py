"""Property tests of mixed batches: every row decodes as it does alone, and no value is NaN."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from omninet.model.network.memory import collate
from tests.model.networks import (
    EVERYTHING,
    GATES,
    IMAGE,
    NETWORKS,
    SHORT_TEXT,
    TASKS,
    TEXT,
    VIDEO,
    WIDTH,
    Input,
    Row,
    assert_same,
    by_reference,
    numbers,
    small_cnp,
    step_through,
)
from tests.model.running import EVENTS, WIDE, Running

STEPS = 4
each_gate = pytest.mark.parametrize("gate", GATES)
each_network = pytest.mark.parametrize("changes", NETWORKS, ids=str)

inputs = st.builds(
    Input,
    domain=st.sampled_from(["english", "image"]),
    t=st.integers(1, 4),
    s=st.sampled_from([1, 1, 2, 3]),
    name=st.sampled_from("abc"),
)
rows = st.builds(Row, inputs=st.lists(inputs, min_size=1, max_size=3).map(tuple), task=st.sampled_from(list(TASKS)))
batches = st.lists(rows, min_size=2, max_size=4)
many = settings(max_examples=10, deadline=None, derandomize=True, database=None)


@each_gate
@many
@given(row=rows)
def test_any_inputs_in_any_order_equal_the_reference(gate: str, row: Row) -> None:
    cnp = small_cnp(gate=gate)

    (stepped,) = step_through(cnp, [row], 2)

    assert_same(stepped.detach(), by_reference(cnp, row, 2))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
@each_network
@many
@given(batch=batches)
def test_rows_of_a_mixed_batch_decode_as_they_do_alone(
    changes: dict[str, Any], dtype: torch.dtype, batch: list[Row]
) -> None:
    cnp = small_cnp(dtype, **changes).requires_grad_(False)

    together = step_through(cnp, batch, STEPS)

    for row, stepped in zip(batch, together, strict=True):
        assert_same(stepped, step_through(cnp, [row], STEPS)[0])


@each_network
def test_rows_with_and_without_spatial_memory(changes: dict[str, Any]) -> None:
    cnp = small_cnp(**changes)
    batch = [Row((TEXT,), "pos"), Row((VIDEO, TEXT)), Row((IMAGE,), "vqa"), Row((SHORT_TEXT, TEXT))]

    for row, stepped in zip(batch, step_through(cnp, batch, STEPS), strict=True):
        assert_same(stepped.detach(), by_reference(cnp, row, STEPS))


@each_network
@many
@given(lengths=st.lists(st.integers(1, 5), min_size=2, max_size=4), image=st.booleans())
def test_padded_texts_decode_as_they_do_alone(changes: dict[str, Any], lengths: list[int], image: bool) -> None:
    cnp = small_cnp(**changes).requires_grad_(False)
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    texts = numbers("texts", len(lengths), max(lengths), 1, WIDTH)
    pictures = numbers("pictures", len(lengths), 1, 4, WIDTH)
    targets = torch.arange(STEPS).repeat(len(lengths), 1)

    memory = cnp.encode(texts, "english", mask=mask)
    together = cnp.decode(cnp.encode(pictures, "image", memory) if image else memory, "caption", targets)

    for i, length in enumerate(lengths):
        memory = cnp.encode(texts[i : i + 1, :length], "english")
        memory = cnp.encode(pictures[i : i + 1], "image", memory) if image else memory
        assert_same(together[i : i + 1], cnp.decode(memory, "caption", targets[i : i + 1]))


@pytest.mark.parametrize("gate", ["paper", "normalised"])
def test_padded_frames_have_no_influence(gate: str) -> None:
    """Not tested for ``official``: the authors' code does not mask the spatial cache (tests/golden/README.md)."""
    cnp = small_cnp(gate=gate)
    video = VIDEO.values()
    mask = torch.tensor([[True, True, False]])

    padded = cnp.decode(cnp.encode(video, "image", mask=mask), "caption", torch.tensor([[1, 2]]))

    assert_same(padded, cnp.decode(cnp.encode(video[:, :2], "image"), "caption", torch.tensor([[1, 2]])))


@each_network
@many
@given(lengths=st.lists(st.integers(1, 5), min_size=2, max_size=4))
def test_padded_targets_have_no_influence(changes: dict[str, Any], lengths: list[int]) -> None:
    cnp = small_cnp(**changes)
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    targets = (numbers("targets", *mask.shape).abs() * 5).long()
    memory = collate([EVERYTHING.encode(cnp)] * len(lengths))

    masked = cnp.decode(memory, "caption", targets, mask)

    assert_same(masked[mask], cnp.decode(memory, "caption", targets)[mask])


@each_network
def test_a_row_may_join_a_running_batch(changes: dict[str, Any]) -> None:
    cnp = small_cnp(**changes)
    staying, joining = Row((IMAGE,)), Row((TEXT, IMAGE))
    cohort = cnp.start(staying.encode(cnp), "caption")
    outputs: list[list[Tensor]] = [[], []]
    for i in range(7):
        if i == 3:
            cohort.join(cnp.start(joining.encode(cnp), "caption"))
        last = [[staying.tokens(7)[i - 1]], [joining.tokens(7)[i - 4]]][: cohort.b]
        (scores,) = cnp.step([cohort], [torch.tensor(last)])
        for row, found in zip(outputs, scores, strict=False):
            row.append(found[0])

    assert_same(torch.stack(outputs[0]), step_through(cnp, [staying], 7)[0])
    assert_same(torch.stack(outputs[1]), step_through(cnp, [joining], 4)[0])


@each_network
def test_a_row_takes_the_place_of_one_that_has_left(changes: dict[str, Any]) -> None:
    cnp = small_cnp(**changes)
    staying, leaving, joining = Row((IMAGE,)), Row((IMAGE, TEXT)), Row((TEXT, IMAGE))
    memory = collate([staying.encode(cnp), leaving.encode(cnp)])
    cohort, frames = cnp.start(memory, "caption"), memory.frame.clone()
    cnp.step([cohort], [torch.zeros(2, 1, dtype=torch.long)])

    cohort.leave([1])
    places = cohort.join(cnp.start(collate([joining.encode(cnp)] * 2), "caption"))
    tokens = [staying.tokens(4)[1:], joining.tokens(3), joining.tokens(3)]
    steps = [
        cnp.step([cohort], [torch.tensor([[staying.tokens(4)[i]], *[[row[i - 1]] for row in tokens[1:]]])])[0][:, 0]
        for i in range(3)
    ]

    assert places == [1, 2]
    assert cohort.positions == [4, 3, 3]
    assert torch.equal(memory.frame, frames)
    found = torch.stack(steps, 1)
    assert_same(found[0], step_through(cnp, [staying], 4)[0][1:])
    assert_same(found[1], step_through(cnp, [joining], 3)[0])
    assert_same(found[2], found[1])


@each_network
@many
@given(events=EVENTS, seed=st.integers(0, 9))
def test_hypotheses_of_a_running_batch_decode_as_with_teacher_forcing(
    changes: dict[str, Any], events: list[str], seed: int
) -> None:
    running = Running(small_cnp(**changes).requires_grad_(False), Row((IMAGE, SHORT_TEXT)))

    assert running.go_through(events, seed) >= WIDE * len(events)


@pytest.mark.parametrize("other", [Row((TEXT,)), Row((IMAGE,), "vqa"), Row((VIDEO,))], ids=["text", "vqa", "video"])
def test_a_row_of_another_kind_cannot_join(other: Row) -> None:
    cnp = small_cnp()
    cohort = cnp.start(Row((IMAGE,)).encode(cnp), "caption")

    with pytest.raises(ValueError, match="cannot join"):
        cohort.join(cnp.start(other.encode(cnp), other.task))


@each_network
def test_rows_may_leave_a_running_batch(changes: dict[str, Any]) -> None:
    cnp = small_cnp(**changes)
    batch = [EVERYTHING, Row((IMAGE, TEXT)), Row((VIDEO,))]
    cohort = cnp.start(collate([row.encode(cnp) for row in batch]), "caption")
    cnp.step([cohort], [torch.zeros(3, 1, dtype=torch.long)])
    kept = [2, 1]

    cohort.select(kept)
    steps = [
        cnp.step([cohort], [torch.tensor([[batch[row].tokens(STEPS)[i]] for row in kept])])[0][:, 0]
        for i in range(STEPS - 1)
    ]

    for i, row in enumerate(kept):
        alone = step_through(cnp, [batch[row]], STEPS)[0][1:]
        assert_same(torch.stack([step[i] for step in steps]), alone)


@each_gate
@pytest.mark.parametrize("spatial_cache", [True, False])
@many
@given(data=st.data())
def test_no_nan_whatever_is_masked(gate: str, spatial_cache: bool, data: st.DataObject) -> None:
    cnp = small_cnp(torch.float32, gate=gate, spatial_cache=spatial_cache)
    masks = {name: data.draw(st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=2, max_size=2))
             for name in ("text", "video", "targets")}  # fmt: skip
    text, video, targets = (torch.tensor(mask) for mask in masks.values())
    memories = [
        cnp.encode(numbers("text", 2, 3, 1, WIDTH).float(), "english", mask=text),
        cnp.encode(numbers("video", 2, 3, 2, WIDTH).float(), "image", mask=video),
    ]

    output = cnp.decode(collate(memories), "caption", torch.arange(12).view(4, 3) % 11, targets.repeat(2, 1))
    output.mean().backward()  # type: ignore[no-untyped-call]

    assert output.isfinite().all()
    assert all(p.grad.isfinite().all() for p in cnp.parameters() if p.grad is not None)


@each_network
def test_gradients_of_a_row_do_not_depend_on_other_rows(changes: dict[str, Any]) -> None:
    cnp = small_cnp(**changes)
    batch = [Row((TEXT,)), EVERYTHING, Row((IMAGE,))]
    parameters = list(cnp.parameters())

    def gradients(of: list[Row]) -> list[Tensor]:
        memory = collate([row.encode(cnp) for row in of])
        loss = cnp.decode(memory, "caption", torch.tensor([row.tokens(STEPS) for row in of]))[..., 0].sum()
        return list(torch.autograd.grad(loss, parameters, allow_unused=True, materialize_grads=True))

    alone = [gradients([row]) for row in batch]

    for together, *parts in zip(gradients(batch), *alone, strict=True):
        assert_same(together, torch.stack(parts).sum(0))
