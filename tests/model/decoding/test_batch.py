"""Greedy decoding and beam search of batches that mix tasks."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from omninet.model.decoding.batch import CANDIDATES, RunningBatch, decode
from omninet.model.decoding.goal import Goal
from omninet.model.decoding.hypotheses import Hypothesis
from omninet.model.decoding.rules import NO_RULES, Rules
from omninet.model.decoding.sampling import Sampling
from omninet.model.decoding.search import Search
from omninet.model.network.cnp import CNP
from omninet.model.network.memory import collate
from tests.model.networks import IMAGE, TASKS, TEXT, VIDEO, Row, small_cnp, step_through
from tests.model.reference import Reference

ROWS = [Row((TEXT,), "pos"), Row((VIDEO,)), Row((IMAGE, TEXT), "vqa")]
GOALS = [Goal("pos", 4), Goal("caption", 6), Goal("vqa", 1)]


@pytest.fixture(scope="module")
def cnp() -> CNP:
    return small_cnp().requires_grad_(False)


def test_each_row_follows_its_own_goal(cnp: CNP) -> None:
    rows = decode(cnp, collate([row.encode(cnp) for row in ROWS]), GOALS)

    assert [len(row.tokens) for row in rows] == [4, 6, 1]
    for row, goal, decoded in zip(ROWS, GOALS, rows, strict=True):
        (alone,) = decode(cnp, row.encode(cnp), [goal])
        assert decoded.tokens == alone.tokens
        assert decoded.log_probabilities == pytest.approx(alone.log_probabilities, abs=1e-10)


def test_every_token_is_the_likeliest_after_those_before_it(cnp: CNP) -> None:
    row = ROWS[1]
    reference = Reference(cnp)
    caches = reference.encode([(x.domain, x.values()[0].numpy()) for x in row.inputs])

    (decoded,) = decode(cnp, row.encode(cnp), [Goal("caption", 5)])

    for i, (token, value) in enumerate(zip(decoded.tokens, decoded.log_probabilities, strict=True)):
        expected = reference.next_output(caches, "caption", decoded.tokens[:i])
        assert token == expected.argmax()
        assert value == pytest.approx(expected.max(), abs=1e-10)


def test_a_row_ends_with_its_end_token(cnp: CNP) -> None:
    memory = collate([row.encode(cnp) for row in ROWS])
    full = decode(cnp, memory, GOALS)[1]
    end = full.tokens[2]
    stop = full.tokens.index(end) + 1

    rows = decode(cnp, memory, [GOALS[0], Goal("caption", 6, end=end), GOALS[2]])

    assert rows[1].tokens == full.tokens[:stop]
    assert [len(row.tokens) for row in rows] == [4, stop, 1]


def test_candidates_are_of_the_first_step(cnp: CNP) -> None:
    (row,) = decode(cnp, ROWS[2].encode(cnp), [Goal("vqa", 1)])

    scores = step_through(cnp, [ROWS[2]], 1)[0][0]
    assert len(row.candidates) == min(CANDIDATES, TASKS["vqa"])
    assert [value for _, value in row.candidates] == sorted(scores.tolist(), reverse=True)[:CANDIDATES]
    assert all(scores[i].item() == value for i, value in row.candidates)
    assert row.tokens == [row.candidates[0][0]]


def test_fewer_classes_than_candidates() -> None:
    cnp = small_cnp().requires_grad_(False)
    cnp.classifiers["pos"] = torch.nn.Linear(cnp.config.d_model, 2).double().requires_grad_(False)

    (row,) = decode(cnp, ROWS[0].encode(cnp), [Goal("pos", 1)])

    assert len(row.candidates) == 2


def plain_beam(cnp: CNP, row: Row, goal: Goal) -> list[int]:
    """Beam search with the reference implementation, without a KV cache."""
    reference = Reference(cnp)
    caches = reference.encode([(x.domain, x.values()[0].numpy()) for x in row.inputs])
    live: list[tuple[list[int], float]] = [([], 0.0)]
    finished: list[tuple[list[int], float]] = []
    while live and len(finished) < goal.beams:
        longer = [
            ([*tokens, token], total + float(value))
            for tokens, total in live
            for token, value in enumerate(reference.next_output(caches, goal.task, tokens))
        ]
        live = []
        for tokens, total in sorted(longer, key=lambda pair: -pair[1]):
            over = tokens[-1] == goal.end or len(tokens) == goal.steps
            (finished if over else live).append((tokens, total))
            if goal.beams in (len(live), len(finished)):
                break
    return max(finished, key=lambda pair: pair[1] / len(pair[0]))[0]


@pytest.mark.parametrize("end", range(0, 11, 2))
@pytest.mark.parametrize("beams", [2, 3, 5])
def test_beam_search_equals_the_reference_search(cnp: CNP, beams: int, end: int) -> None:
    row, goal = ROWS[1], Goal("caption", 5, end, beams)

    (decoded,) = decode(cnp, row.encode(cnp), [goal])

    assert decoded.tokens == plain_beam(cnp, row, goal)
    forced = cnp.decode(row.encode(cnp), "caption", torch.tensor([decoded.tokens]))[0]
    values = [forced[i, token].item() for i, token in enumerate(decoded.tokens)]
    assert decoded.log_probabilities == pytest.approx(values, abs=1e-10)


def test_an_exhaustive_beam_finds_the_likeliest_text(cnp: CNP) -> None:
    row, steps, classes = ROWS[1], 3, TASKS["caption"]

    (decoded,) = decode(cnp, row.encode(cnp), [Goal("caption", steps, beams=classes**steps)])

    texts = torch.cartesian_prod(*[torch.arange(classes)] * steps)
    every = collate([row.encode(cnp)] * len(texts))
    scores = cnp.decode(every, "caption", texts).gather(2, texts[..., None]).sum((1, 2))
    assert decoded.tokens == texts[scores.argmax()].tolist()


def test_beam_search_does_not_affect_other_rows(cnp: CNP) -> None:
    rows = [ROWS[0], ROWS[1], Row((IMAGE,)), ROWS[2], ROWS[1]]
    goals = [Goal("pos", 4), Goal("caption", 6, 3, 4), Goal("caption", 5, 1), Goal("vqa", 1), Goal("caption", 4, 0, 2)]

    together = decode(cnp, collate([row.encode(cnp) for row in rows]), goals)

    for row, goal, decoded in zip(rows, goals, together, strict=True):
        (alone,) = decode(cnp, row.encode(cnp), [goal])
        assert decoded.tokens == alone.tokens
        assert decoded.log_probabilities == pytest.approx(alone.log_probabilities, abs=1e-10)


def test_finished_hypotheses_are_ranked_by_mean_log_probability() -> None:
    short, long = Hypothesis((1, 0), (-1.0, -1.0)), Hypothesis((2, 2, 2, 0), (-0.6, -0.6, -0.6, -0.6))
    search = Search(Goal("caption", 9, end=0, beams=2))
    search.finished = [short, long]

    assert long.total < short.total
    assert search.result().tokens == [2, 2, 2, 0]


def test_rows_that_join_and_leave_decode_as_they_do_alone(cnp: CNP) -> None:
    rows = [Row((IMAGE,)), Row((TEXT,), "pos"), Row((IMAGE, TEXT), "vqa"), Row((TEXT, IMAGE)), Row((VIDEO,)), ROWS[0]]
    goals = [
        Goal("caption", 7, 3, 4),
        Goal("pos", 5),
        Goal("vqa", 1),
        Goal("caption", 6, 1, 4),
        Goal("caption", 5, beams=2),
        Goal("pos", 4),
    ]
    running, searches = RunningBatch(cnp), list[Search]()
    for row, goal in zip(rows, goals, strict=True):
        searches += running.admit(row.encode(cnp), [goal])
        running.step()
    ended = [search for _ in range(7) if running for search in running.step()]

    assert not running
    assert set(ended) <= set(searches)
    for row, goal, search in zip(rows, goals, searches, strict=True):
        (alone,) = decode(cnp, row.encode(cnp), [goal])
        assert search.result().tokens == alone.tokens
        assert search.result().candidates[0][0] == alone.candidates[0][0]
        assert search.result().log_probabilities == pytest.approx(alone.log_probabilities, abs=1e-10)


GOALS_OF = {
    "pos": st.builds(Goal, task=st.just("pos"), steps=st.integers(1, 6)),
    "caption": st.builds(
        Goal,
        task=st.just("caption"),
        steps=st.integers(1, 8),
        end=st.just(3),
        beams=st.sampled_from([1, 1, 3]),
        rules=st.sampled_from(
            [NO_RULES, NO_RULES, Rules(min_length=3), Rules(no_repeat_ngram=1), Rules(2, no_repeat_ngram=2)]
        ),
        sampling=st.sampled_from([None, None, Sampling(seed=1), Sampling(2.0, 0.8, seed=2)]),
    ),
}
ARRIVALS = st.lists(
    st.tuples(st.sampled_from([Row((TEXT,), "pos"), Row((IMAGE,)), Row((IMAGE, TEXT))]), st.integers(0, 3)),
    min_size=4,
    max_size=12,
)


@settings(max_examples=25, deadline=None, derandomize=True, database=None)
@given(arrivals=ARRIVALS, data=st.data())
def test_rows_decode_as_they_do_alone_in_any_order_of_joins_and_leaves(
    cnp: CNP, arrivals: list[tuple[Row, int]], data: st.DataObject
) -> None:
    goals = [replace(goal, best=goal.beams) for goal in (data.draw(GOALS_OF[row.task]) for row, _ in arrivals)]
    unwanted = data.draw(st.sets(st.integers(0, len(arrivals) - 1), max_size=2))
    running, searches, ended = RunningBatch(cnp), list[Search](), list[Search]()
    for (row, steps), goal in zip(arrivals, goals, strict=True):
        searches += running.admit(row.encode(cnp), [goal])
        for _ in range(steps):
            ended += running.step() if running else []
    running.drop({searches[i] for i in unwanted})
    while running:
        ended += running.step()

    assert len(ended) == len(set(ended))
    assert {search for i, search in enumerate(searches) if i not in unwanted} <= set(ended) <= set(searches)
    for (row, _), goal, search in zip(arrivals, goals, searches, strict=True):
        if search in ended:
            (alone,) = decode(cnp, row.encode(cnp), [goal])
            assert search.result().tokens == alone.tokens
            assert [other.tokens for other in search.result().others] == [other.tokens for other in alone.others]
            assert dict(search.result().candidates) == pytest.approx(dict(alone.candidates), abs=1e-10)
            assert search.result().log_probabilities == pytest.approx(alone.log_probabilities, abs=1e-10)


def test_dropping_a_row_does_not_affect_the_others(cnp: CNP) -> None:
    rows, goals = [Row((IMAGE,)), Row((IMAGE, TEXT)), ROWS[0]], [*[Goal("caption", 6, beams=2)] * 2, Goal("pos", 4)]
    running = RunningBatch(cnp)
    first, second, third = (running.admit(row.encode(cnp), [goal])[0] for row, goal in zip(rows, goals, strict=True))
    running.step()

    running.drop({first, third})

    assert len(running) == 1
    while running:
        running.step()
    assert second.result().tokens == decode(cnp, rows[1].encode(cnp), goals[:1])[0].tokens
