"""Tests of the pipeline stages: scheduling, and independence of results from the batch."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import wait
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from omninet.app.engine.metrics import EngineMetrics
from omninet.app.engine.replica import EngineReplica
from omninet.app.engine.work import Work, WorkQueue
from omninet.model.decoding.batch import RunningBatch
from omninet.model.decoding.hypotheses import Decoded
from omninet.model.predictor import Predictor
from omninet.model.rows import Row
from tests.samples import picture, video_bytes

CLIP = video_bytes()
FEW = 5  # frames that the backbone may process before a text that came later is done
REQUESTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("pos", {"tokens": ["A", "dog", "runs", "."]}),
    ("pos", {"tokens": ["Stay"]}),
    ("caption", {"image": picture(40, 30), "beams": 1}),
    ("caption", {"image": picture(20, 50), "beams": 3}),
    ("vqa", {"image": picture(30, 30), "question": "what is on the table ?"}),
    ("caption", {"video": CLIP, "beams": 2}),
    ("vqa", {"video": CLIP, "question": "where ?"}),
    ("activity", {"video": CLIP}),
)


@pytest.fixture(scope="module")
def rows(toy_predictor: Predictor) -> list[Row]:
    """Return one row of each kind of request."""
    return [toy_predictor.prepare(task, **inputs).rows[0] for task, inputs in REQUESTS]


@pytest.fixture(scope="module")
def alone(toy_predictor: Predictor, rows: list[Row]) -> list[Decoded]:
    """Return the results of each row decoded alone."""
    return [toy_predictor.run([row])[0] for row in rows]


@contextmanager
def replica(predictor: Predictor, **limits: int) -> Iterator[Callable[[Sequence[Row]], list[Work]]]:
    """Return a function that queues rows on a replica; check at the end that all were completed."""
    queue = WorkQueue(1000, 2**40)
    running = EngineReplica(predictor, queue, EngineMetrics(), **{"rows": 8, "frames": 2} | limits)
    every: list[Work] = []

    def put(some: Sequence[Row]) -> list[Work]:
        works = [Work(row) for row in some]
        every.extend(works)
        queue.put(works)
        return works

    running.start()
    try:
        yield put
        for work in every:  # tests may also add works themselves
            end = time.monotonic() + 20
            while not work.abandoned and time.monotonic() < end and not work.answer.done():
                wait([work.answer], 0.05)
    finally:
        queue.close()
        running.join()


def assert_same(found: Decoded, expected: Decoded) -> None:
    assert found.tokens == expected.tokens
    assert found.log_probabilities == pytest.approx(expected.log_probabilities, abs=1e-4)
    assert [i for i, _ in found.candidates] == [i for i, _ in expected.candidates]


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.integers(0, len(REQUESTS) - 1), min_size=1, max_size=12), st.integers(1, 6), st.sampled_from([1, 3, 16])
)
def test_answers_do_not_depend_on_the_batch(
    toy_predictor: Predictor, rows: list[Row], alone: list[Decoded], chosen: list[int], size: int, frames: int
) -> None:
    with replica(toy_predictor, rows=size, frames=frames) as put:
        works = put([rows[i] for i in chosen])

    for i, work in zip(chosen, works, strict=True):
        assert_same(work.answer.result(0), alone[i])


def test_single_steps_do_not_wait_for_a_text_to_end(
    toy_predictor: Predictor, rows: list[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    late: list[Work] = []
    step = RunningBatch.step

    def watched(batch: RunningBatch) -> Any:
        if not late:
            late.extend(put([rows[1]]))
        ended = step(batch)
        order.extend(search.goal.task for search in ended)
        return ended

    monkeypatch.setattr(RunningBatch, "step", watched)
    with replica(toy_predictor) as put:
        (text,) = put([rows[2]])

    assert len(text.answer.result(0).tokens) > 2
    assert order == ["pos", "caption"]


def test_a_flood_of_videos_does_not_hold_up_text(
    toy_predictor: Predictor, rows: list[Row], alone: list[Decoded]
) -> None:
    """A text completes while the backbone waits for it, after a few of the frames of videos."""
    seen: list[int] = []
    started: list[list[Work]] = []

    class Slow:
        def __getattr__(self, name: str) -> Any:
            return getattr(toy_predictor, name)

        def see(self, frames: np.ndarray, peripheral: str) -> Tensor:
            if not started:
                started.append(put([rows[0]]))
            if len(seen) == FEW:
                started[0][0].answer.result(30)
            seen.append(len(frames))
            return toy_predictor.see(frames, peripheral)

    with replica(Slow(), frames=1) as put:  # type: ignore[arg-type]
        videos = put([rows[7]] * 20)

    assert_same(started[0][0].answer.result(0), alone[0])
    assert all(video.answer.done() for video in videos)
    assert sum(seen) >= 60


class Counting:
    """Notes with how many threads the backbone computes; ``seen`` is set when it has."""

    def __init__(self, predictor: Predictor) -> None:
        self.predictor, self.threads, self.seen = predictor, list[int](), threading.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.predictor, name)

    def see(self, frames: np.ndarray, peripheral: str) -> Tensor:
        self.threads.append(torch.get_num_threads())
        self.seen.set()
        return self.predictor.see(frames, peripheral)


def test_the_backbone_has_the_threads_of_a_decoder_that_waits(
    toy_predictor: Predictor, rows: list[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("omninet.app.engine.threads.cores", lambda: 2)
    counting = Counting(toy_predictor)
    step, decoding = RunningBatch.step, threading.Event()

    def waits_for_the_backbone(batch: RunningBatch) -> Any:
        decoding.set()
        assert counting.seen.wait(20)
        return step(batch)

    with replica(counting) as put:  # type: ignore[arg-type]
        until = time.monotonic() + 20
        while 2 not in counting.threads and time.monotonic() < until:  # the decoder may not wait yet
            put([rows[2]])[0].answer.result(20)
        counting.seen.clear()
        monkeypatch.setattr(RunningBatch, "step", waits_for_the_backbone)
        put([rows[0]])
        assert decoding.wait(20)
        put([rows[3]])

    assert counting.threads[-2:] == [2, 1]


def test_cancelled_row_leaves_the_batch(toy_predictor: Predictor, rows: list[Row], alone: list[Decoded]) -> None:
    left: list[Work] = []
    sizes: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        step = RunningBatch.step

        def watched(batch: RunningBatch) -> Any:
            sizes.append(len(batch))
            for work in left:
                work.abandoned = True
            return step(batch)

        patch.setattr(RunningBatch, "step", watched)
        with replica(toy_predictor) as put:
            works = put([rows[2], rows[2]])
            left.append(works[0])

    assert not works[0].answer.done()
    assert_same(works[1].answer.result(0), alone[2])
    assert sizes[-1] == 1


def test_a_row_that_fails_in_the_middle_fails_alone(
    toy_predictor: Predictor, rows: list[Row], alone: list[Decoded], monkeypatch: pytest.MonkeyPatch
) -> None:
    step = RunningBatch.step

    def break_on_two(batch: RunningBatch) -> Any:
        cohorts = [cohort for cohort, _ in batch._groups.values()]
        if any(cohort.task == "caption" and 2 in cohort.positions for cohort in cohorts):
            raise RuntimeError("secret")
        return step(batch)

    monkeypatch.setattr(RunningBatch, "step", break_on_two)
    with replica(toy_predictor) as put:
        works = put([rows[0], rows[2], rows[7], rows[4]])

    for i, work in zip((0, 7, 4), (works[0], works[2], works[3]), strict=True):
        assert_same(work.answer.result(0), alone[i])
    assert "secret" not in str(works[1].answer.exception(0))


def test_failing_frames_fail_alone(toy_predictor: Predictor, rows: list[Row], alone: list[Decoded]) -> None:
    broken = rows[3].inputs[0].value

    class Shy:
        def __getattr__(self, name: str) -> Any:
            return getattr(toy_predictor, name)

        def see(self, frames: np.ndarray, peripheral: str) -> Tensor:
            if any(np.array_equal(frame, broken[0]) for frame in frames):
                raise RuntimeError("secret")
            return toy_predictor.see(frames, peripheral)

        def run(self, some: Sequence[Row]) -> list[Decoded]:
            if any(row is rows[3] for row in some):
                raise RuntimeError("secret")
            return toy_predictor.run(some)

    with replica(Shy(), frames=4) as put:  # type: ignore[arg-type]
        works = put([rows[2], rows[3], rows[7]])

    assert_same(works[0].answer.result(0), alone[2])
    assert_same(works[2].answer.result(0), alone[7])
    assert works[1].answer.exception(0)


METHODS = [("cnp", "_drop_abandoned", 0), ("vision", "_extract_features", 2)]


@pytest.mark.parametrize(("stage", "method", "row"), METHODS)
def test_stage_failure_fails_its_rows_and_restarts(
    stage: str,
    method: str,
    row: int,
    toy_predictor: Predictor,
    rows: list[Row],
    alone: list[Decoded],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    failures = iter([RuntimeError("secret"), RuntimeError("again")])
    healthy: list[bool] = []

    class Broken:
        def __getattr__(self, name: str) -> Any:
            return getattr(toy_predictor, name)

        def run(self, some: Sequence[Row]) -> list[Decoded]:
            healthy.append(running.is_alive)
            if error := next(failures, None):
                raise error
            return toy_predictor.run(some)

    def fail(*_: object) -> str:
        monkeypatch.undo()
        raise next(failures)

    queue = WorkQueue(1000, 2**40)
    metrics = EngineMetrics()
    running = EngineReplica(Broken(), queue, metrics, rows=8, frames=2)  # type: ignore[arg-type]
    monkeypatch.setattr("omninet.app.engine.stage.RETRY_S", 0.01)
    monkeypatch.setattr(getattr(running, stage), method, fail)
    lost, later = Work(rows[row]), Work(rows[row])
    queue.put([lost])
    running.start()
    assert "secret" not in str(lost.answer.exception(20))
    queue.put([later])
    assert_same(later.answer.result(20), alone[row])
    queue.close()
    running.join()

    assert healthy == [False, False]
    assert running.is_alive
    assert metrics.registry.get_sample_value("omninet_engine_restarts_total") == 1


def test_partially_admitted_rows_are_removed(
    toy_predictor: Predictor, rows: list[Row], alone: list[Decoded], monkeypatch: pytest.MonkeyPatch
) -> None:
    admit = RunningBatch.admit

    def fail_late(batch: RunningBatch, *given: Any) -> Any:
        admit(batch, *given)
        monkeypatch.undo()
        raise RuntimeError("secret")

    monkeypatch.setattr(RunningBatch, "admit", fail_late)
    sizes: list[int] = []
    with replica(toy_predictor) as put:
        (first,) = put([rows[2]])
        assert_same(first.answer.result(20), alone[2])
        step = RunningBatch.step

        def counted(batch: RunningBatch) -> Any:
            sizes.append(len(batch))
            return step(batch)

        monkeypatch.setattr(RunningBatch, "step", counted)
        (second,) = put([rows[1]])
        assert_same(second.answer.result(20), alone[1])

    assert sizes == [1]
