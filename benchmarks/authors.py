"""The algorithm as the authors run it, the yardstick of ``benchmarks/model.py``."""

from __future__ import annotations

import torch
from torch import Tensor

from omninet.model.network.cnp import CNP
from omninet.model.network.memory import Memory

CAPTION_STEPS = 100  # of each of their captions: nothing ends one


@torch.inference_mode()
def decode_greedy(cnp: CNP, memory: Memory, task: str, steps: int) -> Tensor:
    """Greedy decoding without a cache and without an end, (b, steps).

    Every step runs the decoder over all that was decoded before, computes the keys and values of the caches again in
    every layer, and classifies every position (their ``CNP.decode``).
    """
    start = torch.empty(memory.batch, 0, dtype=torch.long, device=memory.temporal.device)
    inputs, tokens = cnp.decoder_inputs(memory, task, start), []
    for _ in range(steps):
        hidden, _ = cnp.decoder(inputs, memory)
        scores = torch.log_softmax(cnp.classifiers[cnp.tasks[task]](hidden), -1)
        tokens.append(scores[:, -1:].argmax(-1))
        inputs = torch.cat([inputs, cnp.output_projection(cnp.output_embeddings[cnp.tasks[task]](tokens[-1]))], 1)
    return torch.cat(tokens, 1)
