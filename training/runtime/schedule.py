"""Schedules: the task of each step, and its learning rate."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping

from omninet.training.config import RunConfig

POWERS = {"proportional": 1.0, "square_root": 0.5, "uniform": 0.0}  # exponent of a task's number of examples


def noam(step: int, factor: float, warmup: int, cap: float | None = None) -> float:
    """factor * min(1, step / warmup) / sqrt(max(step, warmup)), at most ``cap``; steps count from 1 (section 4)."""
    rate: float = factor * min(1.0, step / warmup) * max(step, warmup) ** -0.5
    return rate if cap is None else min(rate, cap)


def cooldown(progress: float, share: float) -> float:
    """Return a factor that falls linearly from 1 to 0 over the last ``share`` of a run; progress is in [0, 1]."""
    return min(1.0, (1.0 - progress) / share) if share > 0 else 1.0


def rate_of(config: RunConfig, task: str, step: int) -> float:
    """Return the learning rate of update ``step`` of the global model, counted from 1."""
    rate = noam(step, config.factor, config.warmup, config.tasks[task].cap)
    # Hogwild workers count concurrently, so the last updates may have numbers slightly above ``steps``.
    return rate * cooldown(min(1.0, (step - 1) / config.steps), config.cooldown)


def draw_task(config: RunConfig, step: int) -> str:
    """Draw the task of a step at random by the tasks' shares, from the seed and the step's number."""
    shares = [run.share for run in config.tasks.values()]
    return random.Random(f"{config.seed}:{step}").choices(list(config.tasks), shares)[0]


def mixed(config: RunConfig, examples: Mapping[str, int]) -> RunConfig:
    """Return the configuration with the shares that ``mixing`` gives to tasks with these numbers of examples."""
    if config.mixing == "shares":
        return config
    power = POWERS[config.mixing]
    shares = {name: examples[name] ** power / (task.batch * task.accumulate) for name, task in config.tasks.items()}
    tasks = {name: task.model_copy(update={"share": shares[name]}) for name, task in config.tasks.items()}
    return config.model_copy(update={"tasks": tasks})


def quotas(config: RunConfig) -> dict[str, list[int]]:
    """Return the number of steps of each worker of each task; the sum per task is what a single process would draw."""
    drawn = Counter(draw_task(config, step) for step in range(1, config.steps + 1))
    return {task: spread(drawn[task], run.jobs) for task, run in config.tasks.items()}


def spread(count: int, parts: int) -> list[int]:
    """Divide ``count`` into ``parts`` integers that differ by at most 1."""
    return [count // parts + (i < count % parts) for i in range(parts)]
