"""The authors' decoding algorithm, the baseline of ``benchmarks/model.py``."""

from __future__ import annotations

import torch
from torch import Tensor

from omninet.model.network.cnp import CNP
from omninet.model.network.memory import Memory

CAPTION_STEPS = 100  # steps of every caption in the authors' code, which does not stop at the end of the text


@torch.inference_mode()
def decode_greedy(cnp: CNP, memory: Memory, task: str, steps: int) -> Tensor:
    """Decode greedily without caches and without an end token; returns tokens (b, steps).

    Every step runs the decoder on the whole prefix, recomputes the keys and values of the memory in every layer, and
    classifies every position (``CNP.decode`` in the authors' code).
    """
    start = torch.empty(memory.batch, 0, dtype=torch.long, device=memory.temporal.device)
    inputs, tokens = cnp.decoder_inputs(memory, task, start), []
    for _ in range(steps):
        hidden, _ = cnp.decoder(inputs, memory)
        scores = torch.log_softmax(cnp.classifiers[cnp.tasks[task]](hidden), -1)
        tokens.append(scores[:, -1:].argmax(-1))
        inputs = torch.cat([inputs, cnp.output_projection(cnp.output_embeddings[cnp.tasks[task]](tokens[-1]))], 1)
    return torch.cat(tokens, 1)
