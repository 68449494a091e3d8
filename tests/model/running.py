"""A running batch that rows join and leave, compared to teacher forcing at every step."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import torch
from hypothesis import strategies as st

from omninet.model.network.cnp import CNP
from omninet.model.network.memory import collate
from tests.model.networks import Row, assert_same

WIDE = 3  # hypotheses of a row
EVENTS = st.lists(st.sampled_from(["step", "step", "join", "leave"]), min_size=6, max_size=9)


class Running:
    """Rows that join and leave a cohort of WIDE hypotheses each, and the tokens that each hypothesis has got."""

    def __init__(self, cnp: CNP, row: Row) -> None:
        self.cnp, self.row = cnp, row
        self.memory = collate([row.encode(cnp)] * WIDE)  # of the hypotheses of one row
        self.cohort = cnp.start(row.encode(cnp), row.task, WIDE)
        self.tokens: list[list[list[int]] | None] = [[[]] * WIDE]

    def join(self) -> None:
        """Add a row."""
        for place in self.cohort.join(self.cnp.start(self.row.encode(self.cnp), self.row.task, WIDE)):
            self.tokens += [None] * (place + 1 - len(self.tokens))
            self.tokens[place] = [[]] * WIDE

    def leave(self) -> None:
        """End the oldest row, unless it is the only one."""
        running = [place for place, found in enumerate(self.tokens) if found is not None]
        if len(running) > 1:
            self.cohort.leave(running[:1])
            self.tokens[running[0]] = None

    def go_through(self, events: Sequence[str], seed: int) -> int:
        """Step at every event; rows join or leave before. Return the number of hypotheses that were compared."""
        draw, compared = Random(seed), 0
        for event in events:
            if event != "step":
                getattr(self, event)()
            compared += self.step(draw)
        return compared

    def step(self, draw: Random) -> int:
        """Let every hypothesis continue one of its row, with a token, and compare the scores to teacher forcing.

        Returns:
            The number of hypotheses that were compared.
        """
        compared = 0
        parents = torch.tensor([[draw.randrange(WIDE) for _ in range(WIDE)] for _ in self.tokens])
        self.cohort.reorder(parents)
        last = torch.zeros_like(parents)
        for place, found in enumerate(self.tokens):
            if found is not None and self.cohort.positions[place]:
                last[place] = torch.tensor([draw.randrange(5) for _ in range(WIDE)])
                chosen = zip(parents[place].tolist(), last[place].tolist(), strict=True)
                self.tokens[place] = [[*found[parent], token] for parent, token in chosen]
        (scores,) = self.cnp.step([self.cohort], [last])
        for place, found in enumerate(self.tokens):
            if found is not None:
                targets = torch.tensor([[*tokens, 0] for tokens in found])
                assert_same(scores[place], self.cnp.decode(self.memory, self.row.task, targets)[:, -1])
                compared += WIDE
        return compared
