"""The yardstick decodes what we decode."""

from __future__ import annotations

import torch

from benchmarks.authors import decode_greedy
from omninet.model.decoding.batch import decode
from omninet.model.decoding.goal import Goal
from omninet.model.predictor import Predictor


def test_the_same_tokens(toy_predictor: Predictor) -> None:
    pixels = torch.randint(0, 256, (2, 1, 3, 64, 64), dtype=torch.uint8, generator=torch.manual_seed(0))
    network = toy_predictor.network
    with torch.inference_mode():
        memory = network.encode([("vision", "image", pixels)])
        ours = decode(network.cnp, memory, [Goal("caption", 12)] * 2)

    assert decode_greedy(network.cnp, memory, "caption", 12).tolist() == [row.tokens for row in ours]
