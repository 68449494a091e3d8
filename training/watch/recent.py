"""Statistics of the latest steps, and the progress of a run."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from statistics import fmean, median

from omninet.training.watch.records import StepRecord

SMOOTHED = 50


class Recent:
    """Statistics of the latest steps of a task, or of all tasks.

    Args:
        count: number of steps to keep; None keeps all until ``clear``.
    """

    def __init__(self, count: int | None = None) -> None:
        self.records: deque[StepRecord] = deque(maxlen=count)
        self._gaps: deque[float | None] = deque(maxlen=count)
        self._last: float | None = None
        self._skipped: dict[int, int] = {}

    def add(self, record: StepRecord) -> None:
        """Add a step."""
        self.records.append(record)
        # The duration of the first step is unknown, since it may have begun in an earlier call.
        self._gaps.append(None if self._last is None else record.seconds - self._last)
        self._last = record.seconds
        self._skipped[record.worker] = record.skipped

    def clear(self) -> None:
        """Forget the steps, but keep the time of the last one."""
        self.records.clear()
        self._gaps.clear()

    @property
    def loss(self) -> float:
        """Return the mean loss, in nats."""
        return fmean(r.loss for r in self.records)

    @property
    def terms(self) -> dict[str, float]:
        """Return the mean of each loss term, if there is more than one."""
        names = dict.fromkeys(name for r in self.records for name in r.terms)
        return {name: fmean(r.terms.get(name, 0.0) for r in self.records) for name in names}

    @property
    def loads(self) -> dict[str, list[float]]:
        """Return the mean load of each expert of each mixture, as a share of the positions."""
        steps: dict[str, list[Sequence[float]]] = {}
        for record in self.records:
            for name, shares in record.loads.items():
                steps.setdefault(name, []).append(shares)
        return {name: [fmean(each) for each in zip(*found, strict=True)] for name, found in steps.items()}

    @property
    def accuracy(self) -> float:
        """Return the mean accuracy, in [0, 1]."""
        return fmean(r.accuracy for r in self.records)

    @property
    def rate(self) -> float:
        """Return the latest learning rate."""
        return self.records[-1].rate

    @property
    def gradient_norm(self) -> float:
        """Return the mean norm of the gradient."""
        return fmean(r.gradient_norm for r in self.records)

    @property
    def staleness(self) -> float:
        """Return the median staleness, in updates."""
        return median(r.staleness for r in self.records)

    @property
    def skipped(self) -> int:
        """Return the total number of unreadable samples, over all workers."""
        return sum(self._skipped.values())

    @property
    def steps_per_second(self) -> float | None:
        """Return steps per second; None if the time is unknown."""
        return self._per_second([1.0] * len(self.records))

    @property
    def samples_per_second(self) -> float | None:
        """Return samples per second; None if the time is unknown."""
        return self._per_second([r.samples for r in self.records])

    @property
    def waiting(self) -> float | None:
        """Return the share of the workers' time spent waiting for data; None if the time is unknown."""
        share = self._per_second([r.waiting for r in self.records])
        return share if share is None else share / len({r.worker for r in self.records})

    def _per_second(self, amounts: list[float]) -> float | None:
        timed = [(amount, gap) for amount, gap in zip(amounts, self._gaps, strict=True) if gap is not None]
        seconds = sum(gap for _, gap in timed)
        return sum(amount for amount, _ in timed) / seconds if seconds > 0 else None


class RunProgress:
    """Progress of a run.

    Args:
        total: steps of the run.
        done: task -> steps done before this call.

    Attributes:
        step: highest number of a step so far.
        seconds: training time, summed over all calls.
        counts: task -> steps so far.
        tasks: task -> its latest steps.
    """

    def __init__(self, total: int, done: Mapping[str, int]) -> None:
        self.total, self.counts = total, Counter(done)
        self.step, self.seconds = sum(done.values()), 0.0
        self.tasks: dict[str, Recent] = {}
        self._all = Recent(4 * SMOOTHED)

    def add(self, record: StepRecord) -> None:
        """Add a step."""
        self.step, self.seconds = max(self.step, record.step), max(self.seconds, record.seconds)
        self.counts[record.task] += 1
        self.tasks.setdefault(record.task, Recent(SMOOTHED)).add(record)
        self._all.add(record)

    @property
    def left(self) -> float | None:
        """Return the estimated seconds to the end, from the speed of the latest steps."""
        pace = self._all.steps_per_second
        return (self.total - self.step) / pace if pace else None


def clock(seconds: float | None) -> str:
    """Format a duration as h:mm:ss."""
    if seconds is None:
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
