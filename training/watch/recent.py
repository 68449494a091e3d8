"""The latest steps, and what they amount to."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from statistics import fmean, median

from omninet.training.watch.records import StepRecord

SMOOTHED = 50


class Recent:
    """The latest steps of a task, or of all tasks.

    Args:
        count: steps that are kept; None keeps all until ``clear``.
    """

    def __init__(self, count: int | None = None) -> None:
        self.records: deque[StepRecord] = deque(maxlen=count)
        self._gaps: deque[float | None] = deque(maxlen=count)
        self._last: float | None = None
        self._skipped: dict[int, int] = {}

    def add(self, record: StepRecord) -> None:
        """Take one in."""
        self.records.append(record)
        # How long the first step took is not known: it may have begun in an earlier call.
        self._gaps.append(None if self._last is None else record.seconds - self._last)
        self._last = record.seconds
        self._skipped[record.worker] = record.skipped

    def clear(self) -> None:
        """Forget the steps, not when the last one was."""
        self.records.clear()
        self._gaps.clear()

    @property
    def loss(self) -> float:
        """Mean, in nats."""
        return fmean(r.loss for r in self.records)

    @property
    def terms(self) -> dict[str, float]:
        """Means of the terms of the loss, where it has more than one."""
        names = dict.fromkeys(name for r in self.records for name in r.terms)
        return {name: fmean(r.terms.get(name, 0.0) for r in self.records) for name in names}

    @property
    def accuracy(self) -> float:
        """Mean, in [0, 1]."""
        return fmean(r.accuracy for r in self.records)

    @property
    def rate(self) -> float:
        """The last learning rate."""
        return self.records[-1].rate

    @property
    def gradient_norm(self) -> float:
        """Mean."""
        return fmean(r.gradient_norm for r in self.records)

    @property
    def staleness(self) -> float:
        """Median, in updates."""
        return median(r.staleness for r in self.records)

    @property
    def skipped(self) -> int:
        """Samples so far, of all workers."""
        return sum(self._skipped.values())

    @property
    def steps_per_second(self) -> float | None:
        """None where the time is not known."""
        return self._per_second([1.0] * len(self.records))

    @property
    def samples_per_second(self) -> float | None:
        """None where the time is not known."""
        return self._per_second([r.samples for r in self.records])

    @property
    def waiting(self) -> float | None:
        """Share of its workers' time that went by in waiting for data; None where the time is not known."""
        share = self._per_second([r.waiting for r in self.records])
        return share if share is None else share / len({r.worker for r in self.records})

    def _per_second(self, amounts: list[float]) -> float | None:
        timed = [(amount, gap) for amount, gap in zip(amounts, self._gaps, strict=True) if gap is not None]
        seconds = sum(gap for _, gap in timed)
        return sum(amount for amount, _ in timed) / seconds if seconds > 0 else None


class Standing:
    """How far a run is.

    Args:
        total: steps of the run.
        done: task -> its steps before this call.

    Attributes:
        step: the highest so far.
        seconds: since the run began, over all calls.
        counts: task -> its steps so far.
        tasks: task -> its latest steps.
    """

    def __init__(self, total: int, done: Mapping[str, int]) -> None:
        self.total, self.counts = total, Counter(done)
        self.step, self.seconds = sum(done.values()), 0.0
        self.tasks: dict[str, Recent] = {}
        self._all = Recent(4 * SMOOTHED)

    def add(self, record: StepRecord) -> None:
        """Take a step in."""
        self.step, self.seconds = max(self.step, record.step), max(self.seconds, record.seconds)
        self.counts[record.task] += 1
        self.tasks.setdefault(record.task, Recent(SMOOTHED)).add(record)
        self._all.add(record)

    @property
    def left(self) -> float | None:
        """Seconds to the end, at the pace of the latest steps."""
        pace = self._all.steps_per_second
        return (self.total - self.step) / pace if pace else None


def clock(seconds: float | None) -> str:
    """As h:mm:ss."""
    if seconds is None:
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
