"""Which task when, and at which learning rate."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping

from omninet.training.config import RunConfig

POWERS = {"proportional": 1.0, "square_root": 0.5, "uniform": 0.0}  # of a task's examples, by which its samples go


def noam(step: int, factor: float, warmup: int, cap: float | None = None) -> float:
    """factor * min(1, step / warmup) / sqrt(max(step, warmup)), at most ``cap``; steps count from 1 (section 4)."""
    rate: float = factor * min(1.0, step / warmup) * max(step, warmup) ** -0.5
    return rate if cap is None else min(rate, cap)


def cooldown(progress: float, share: float) -> float:
    """Factor that falls from 1 to 0 over the last ``share`` of a run, linearly; progress is in [0, 1]."""
    return min(1.0, (1.0 - progress) / share) if share > 0 else 1.0


def rate_of(config: RunConfig, task: str, step: int) -> float:
    """Learning rate of the update number ``step`` of the global model, from 1 on."""
    rate = noam(step, config.factor, config.warmup, config.tasks[task].cap)
    # Workers count at once, so the last of them may be a step or two over the end.
    return rate * cooldown(min(1.0, (step - 1) / config.steps), config.cooldown)


def draw_task(config: RunConfig, step: int) -> str:
    """The task of a step where one process does all, by the tasks' shares."""
    shares = [run.share for run in config.tasks.values()]
    return random.Random(f"{config.seed}:{step}").choices(list(config.tasks), shares)[0]


def mixed(config: RunConfig, examples: Mapping[str, int]) -> RunConfig:
    """The run with the shares that its mixing gives to tasks with so many training examples."""
    if config.mixing == "shares":
        return config
    power = POWERS[config.mixing]
    shares = {name: examples[name] ** power / (task.batch * task.accumulate) for name, task in config.tasks.items()}
    tasks = {name: task.model_copy(update={"share": shares[name]}) for name, task in config.tasks.items()}
    return config.model_copy(update={"tasks": tasks})


def quotas(config: RunConfig) -> dict[str, list[int]]:
    """Steps of each worker of each task: in all, as many of a task as one process would draw."""
    drawn = Counter(draw_task(config, step) for step in range(1, config.steps + 1))
    return {task: spread(drawn[task], run.jobs) for task, run in config.tasks.items()}


def spread(count: int, parts: int) -> list[int]:
    """``count`` in ``parts`` parts as even as can be."""
    return [count // parts + (i < count % parts) for i in range(parts)]
