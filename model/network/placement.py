"""Insert new rows into the tensors of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Placement:
    """Where the new rows of a batch go: first into free places, the rest behind the last place.

    Attributes:
        free: indices of the free places to fill, in the order of the new rows, (f).
        count: number of new rows, at least f.
    """

    free: Tensor
    count: int

    @property
    def extra(self) -> int:
        """Number of new rows for which no place is free; they are appended."""
        return self.count - len(self.free)

    def __call__(self, x: Tensor, new: Tensor) -> Tensor:
        """Insert the rows of ``new`` into ``x``, in place where possible; both are zero-padded to one row size."""
        sizes = [max(pair) for pair in zip(x.shape[1:], new.shape[1:], strict=True)]
        x, new = _padded(x, sizes), _padded(new, sizes)
        f = len(self.free)
        if f:
            x.index_copy_(0, self.free, new[:f])
        return torch.cat([x, new[f:]]) if self.extra else x


def _padded(x: Tensor, sizes: Sequence[int]) -> Tensor:
    missing = [target - size for target, size in zip(sizes, x.shape[1:], strict=True)]
    return functional.pad(x, [n for size in reversed(missing) for n in (0, size)]) if any(missing) else x
