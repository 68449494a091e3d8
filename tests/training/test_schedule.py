"""The learning rate over time."""

from __future__ import annotations

import pytest

from tests.golden_cases import read_json
from tests.training.conftest import make_config
from training.schedule import cooldown, noam

GOLDEN = read_json("train_step")["lr_schedule_[step, lr]"]
CAPS = {"penn_and_caption (init_lr 0.02, warmup 16000)": None, "vqa_and_hmdb (same, max_lr 1e-4)": 1e-4}


@pytest.mark.parametrize(("name", "cap"), list(CAPS.items()))
def test_the_authors_schedule(name: str, cap: float | None) -> None:
    for step, rate in GOLDEN[name]:
        assert noam(step, 0.02, 16000, cap) == pytest.approx(rate, rel=1e-12)


def test_no_schedule_is_forgotten() -> None:
    assert set(CAPS) == set(GOLDEN)


def test_a_cap() -> None:
    assert noam(100, 1.0, 100) == pytest.approx(0.1)
    assert noam(100, 1.0, 100, cap=0.05) == 0.05
    assert noam(1, 1.0, 100, cap=0.05) == pytest.approx(0.001)


def test_it_rises_linearly_and_falls_by_the_root() -> None:
    rates = [noam(step, 2.0, 10) for step in range(1, 50)]

    assert max(rates) == rates[9] == pytest.approx(2 / 10**0.5)
    assert rates[4] == pytest.approx(rates[9] / 2)
    assert rates[39] == pytest.approx(rates[9] / 2)


def test_cooldown() -> None:
    assert [cooldown(progress, 0.4) for progress in (0, 0.3, 0.6)] == [1, 1, 1]
    assert cooldown(0.8, 0.4) == pytest.approx(0.5)
    assert cooldown(1.0, 0.4) == 0
    assert cooldown(1.0, 0.0) == 1
    assert make_config().cooldown == 0
