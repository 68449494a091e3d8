"""What the Central Neural Processor refuses, and that it says which value is wrong."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.model.networks import EVERYTHING, TEXT, WIDTH, Row, assert_same, small_cnp, step_through


@pytest.mark.parametrize(
    ("x", "domain", "named"),
    [
        (torch.zeros(1, 2, 1, WIDTH), "sound", "'sound'"),
        (torch.zeros(1, 2, 1, WIDTH), "caption", "'caption'"),
        (torch.zeros(1, 2, WIDTH), "english", r"\(1, 2, 12\)"),
        (torch.zeros(1, 2, 1, WIDTH + 1), "english", r"\(1, 2, 1, 13\)"),
        (torch.zeros(1, 13, 1, WIDTH), "english", "at most 12 steps, not 13"),
    ],
    ids=["domain", "task as domain", "dimensions", "width", "length"],
)
def test_encode_errors(x: Tensor, domain: str, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        small_cnp().encode(x.double(), domain)


@pytest.mark.parametrize(
    ("mask", "named"),
    [
        (torch.ones(1, 3, dtype=torch.bool), r"\(1, 3\)"),
        (torch.ones(2, 4, dtype=torch.bool), r"\(2, 4\)"),
        (torch.ones(1, 4, dtype=torch.uint8), "uint8"),
    ],
    ids=["steps", "rows", "type"],
)
def test_encode_rejects_a_wrong_mask(mask: Tensor, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        small_cnp().encode(TEXT.values(), "english", mask=mask)


def test_encode_rejects_a_memory_of_another_batch_size() -> None:
    cnp = small_cnp()

    with pytest.raises(ValueError, match="the memory has 1 rows, the input 2"):
        cnp.encode(TEXT.values().repeat(2, 1, 1, 1), "english", Row((TEXT,)).encode(cnp))


@pytest.mark.parametrize("task", ["translate", "image"], ids=["unknown", "domain as task"])
def test_decode_and_start_reject_an_unknown_task(task: str) -> None:
    cnp = small_cnp()
    memory = EVERYTHING.encode(cnp)

    with pytest.raises(ValueError, match=repr(task)):
        cnp.decode(memory, task, torch.tensor([[1]]))
    with pytest.raises(ValueError, match=repr(task)):
        cnp.start(memory, task)


def test_too_many_outputs_are_an_error() -> None:
    cnp = small_cnp()
    memory = EVERYTHING.encode(cnp)

    with pytest.raises(ValueError, match="at most 12 outputs can be decoded, not 13"):
        cnp.decode(memory, "caption", torch.zeros(1, 13, dtype=torch.long))


def test_stepping_past_the_last_position_is_an_error() -> None:
    cnp = small_cnp()
    cohort = cnp.start(EVERYTHING.encode(cnp), "caption")
    for _ in range(12):
        cnp.step([cohort], [torch.tensor([[1]])])

    with pytest.raises(ValueError, match="at most 12 outputs can be decoded, not 13"):
        cnp.step([cohort], [torch.tensor([[1]])])


def test_as_many_outputs_as_positions_can_be_decoded() -> None:
    cnp = small_cnp()
    forced = cnp.decode(EVERYTHING.encode(cnp), "caption", torch.tensor([EVERYTHING.tokens(12)]))

    assert_same(forced[0], step_through(cnp, [EVERYTHING], 12)[0])
