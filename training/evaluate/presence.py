"""Fits the classifier of the words that stand in the captions of a picture, for the confidence of captions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from omninet.model.confidence.confidence import WordPresence, words_of
from omninet.model.predictor import Predictor
from omninet.training.data import Example
from omninet.training.evaluate.answering import BATCH, prepare
from omninet.training.evaluate.nouns import Tagger, usual_nouns

LEAST = 5  # pictures whose captions have a noun
SHARE = 0.7  # of the captions that have the word, which may also be another part of speech
PENALTY = 0.01  # on the squared weights, for standardised features; chosen on dev of flickr8k
ITERATIONS = 60


def fit_presence(predictor: Predictor, examples: Sequence[Example], tagger: Tagger) -> WordPresence | None:
    """Fit a logistic regression for each common noun of the captions of training pictures.

    Args:
        examples: training examples of a task that captions pictures.

    Returns:
        The classifier, or None if no noun is in the captions of LEAST pictures.
    """
    first = [e.captions[0] for e in examples]
    nouns = usual_nouns(first, tagger.nouns(first), LEAST, SHARE)
    if not nouns:
        return None
    spoken = [{word for caption in e.captions for word in words_of(caption)} for e in examples]
    targets = torch.tensor([[float(noun in words) for noun in nouns] for words in spoken])
    pooled = torch.cat([_pooled(predictor, examples[i : i + BATCH]) for i in tqdm(range(0, len(examples), BATCH))])
    mean, std = pooled.mean(0), pooled.std(0).clamp(min=1e-6)
    weight, bias = logistic_regression((pooled - mean) / std, targets)
    # The classifier reads the states as they are: fold the standardisation into its weights.
    weight = weight / std
    return WordPresence(nouns, weight.numpy(), (bias - weight @ mean).numpy())


def logistic_regression(features: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Fit independent logistic regressions by L-BFGS.

    Args:
        features: standardised, (n, d).
        targets: 0 or 1, (n, c).

    Returns:
        Weights, (c, d), and biases, (c,).
    """
    weight = torch.zeros(targets.shape[1], features.shape[1], requires_grad=True)
    share = targets.mean(0).clamp(1e-4, 1 - 1e-4)
    bias = (share / (1 - share)).log().requires_grad_()
    optimiser = torch.optim.LBFGS([weight, bias], max_iter=ITERATIONS, history_size=10, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        scores = functional.linear(features, weight, bias)
        each = functional.binary_cross_entropy_with_logits(scores, targets, reduction="none")
        value = each.mean(0).sum() + PENALTY / 2 * weight.square().sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    return weight.detach(), bias.detach()


@torch.inference_mode()
def _pooled(predictor: Predictor, examples: Sequence[Example]) -> Tensor:
    """Return the mean of each picture's spatial cache, (n, d)."""
    return predictor.encode([prepare(predictor, example).rows[0] for example in examples]).pooled().float().cpu()
