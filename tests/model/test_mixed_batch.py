"""One batch of all tasks of the bundled model: every row is answered as alone."""

from __future__ import annotations

from collections import Counter

import pytest

from omninet.model.decoding.search import Search
from omninet.model.predictor import Predictor

EACH = 2  # requests of a task


@pytest.fixture(scope="module")
def bundled() -> Predictor:
    return Predictor.load(device="cpu", precision="float32")


def test_all_tasks_are_decoded_together_as_alone(bundled: Predictor) -> None:
    jobs = {(task, i): bundled.sample(task, i) for task in bundled.tasks for i in range(EACH)}
    alone = {key: bundled.run(job.rows) for key, job in jobs.items()}
    batch, searches, most = bundled.running_batch(), dict[tuple[str, int], list[Search]](), Counter[str]()

    for key, job in jobs.items():  # a step between requests, so that rows are at different positions
        searches[key] = [search for row in job.rows for search in bundled.admit(batch, [row])]
        most |= batch.tasks()
        batch.step()
    while batch:
        batch.step()

    assert most.keys() == set(bundled.tasks)
    for (task, i), found in searches.items():
        for search, wanted in zip(found, alone[task, i], strict=True):
            result = search.result()
            assert result.tokens == wanted.tokens, task
            assert result.log_probabilities == pytest.approx(wanted.log_probabilities, abs=1e-4)
            if wanted.values is not None:
                assert result.values == pytest.approx(wanted.values, abs=1e-5)
