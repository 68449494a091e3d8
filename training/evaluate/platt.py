"""Platt scaling: a logistic function fitted to scores (Platt 1999). Does not import torch."""

from __future__ import annotations

import numpy as np

STEPS = 50  # of Newton's method
PENALTY = 1e-3  # on the slope, so that separable data have a finite one


def platt(x: np.ndarray, right: np.ndarray) -> tuple[float, float]:
    """Return slope and offset of the logistic function with the largest likelihood, by Newton's method.

    Args:
        x: scores, (n,).
        right: truth values that the function predicts, (n,), bool.
    """
    features = np.stack([(x - x.mean()) / (x.std() + 1e-9), np.ones_like(x)], 1)
    weights, penalty = np.zeros(2), np.diag([PENALTY * len(x), 1e-9])
    for _ in range(STEPS):
        p = 1 / (1 + np.exp(-features @ weights))
        gradient = features.T @ (p - right) + penalty @ weights
        hessian = (features * (p * (1 - p))[:, None]).T @ features + penalty
        weights -= np.linalg.solve(hessian, gradient)
    slope = float(weights[0] / (x.std() + 1e-9))
    return slope, float(weights[1] - slope * x.mean())
