"""The learning rate over time."""

from __future__ import annotations

import pytest

from omninet.training.config import RunConfig
from omninet.training.runtime.schedule import cooldown, draw_task, mixed, noam, quotas, rate_of, spread
from tests.golden_cases import read_json
from tests.training.conftest import make_config, run_values

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


def test_the_rate_rises_linearly_and_falls_by_the_square_root() -> None:
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


def test_the_rate_of_a_step() -> None:
    config = make_config(steps=10, warmup=2, factor=0.02, cooldown=0.5)

    rates = [rate_of(config, "pos", step) for step in range(1, 12)]

    expected = [0.02 * min(1, step / 2) / max(step, 2) ** 0.5 for step in range(1, 12)]
    falling = [1, 1, 1, 1, 1, 1, 0.8, 0.6, 0.4, 0.2, 0]
    assert rates == pytest.approx([a * b for a, b in zip(expected, falling, strict=True)])


def test_tasks_are_drawn_by_their_shares() -> None:
    shares = {"caption": 4, "pos": 2, "vqa": 1, "activity": 1}
    values = run_values(steps=2000)
    for name, share in shares.items():
        values["tasks"][name]["share"] = share
    config = RunConfig.model_validate(values)

    drawn = [draw_task(config, step) for step in range(1, 2001)]

    assert [drawn.count(name) / 2000 for name in shares] == pytest.approx([0.5, 0.25, 0.125, 0.125], abs=0.03)
    assert quotas(config) == {name: [drawn.count(name)] for name in shares}


def test_a_quota_is_shared_out_among_jobs() -> None:
    values = run_values(steps=50)
    values["tasks"]["pos"]["jobs"] = 3

    shared = quotas(RunConfig.model_validate(values))

    assert len(shared["pos"]) == 3
    assert max(shared["pos"]) - min(shared["pos"]) <= 1
    assert sum(sum(parts) for parts in shared.values()) == 50
    assert spread(7, 3) == [3, 2, 2]


@pytest.mark.parametrize(
    ("mixing", "samples"),
    [
        ("proportional", {"caption": 8, "pos": 4, "vqa": 2, "activity": 2}),
        ("square_root", {"caption": 8**0.5, "pos": 2, "vqa": 2**0.5, "activity": 2**0.5}),
        ("uniform", {"caption": 1, "pos": 1, "vqa": 1, "activity": 1}),
    ],
)
def test_tasks_are_mixed_by_the_number_of_their_examples(mixing: str, samples: dict[str, float]) -> None:
    values = run_values(mixing=mixing)
    values["tasks"]["pos"]["accumulate"] = 2
    config = mixed(RunConfig.model_validate(values), {"caption": 800, "pos": 400, "vqa": 200, "activity": 200})

    drawn = {name: task.share * task.batch * task.accumulate for name, task in config.tasks.items()}

    scale = drawn["activity"] / samples["activity"]
    assert drawn == pytest.approx({name: scale * n for name, n in samples.items()})


def test_configured_shares_are_kept() -> None:
    config = make_config()

    assert mixed(config, dict.fromkeys(config.tasks, 7)) == config
