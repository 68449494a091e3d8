"""Where new rows of a batch go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Placing:
    """New rows go into places that are free, and what is left of them behind the last place.

    Attributes:
        free: places that are taken, in the order of the new rows, (f).
        count: new rows, f at least.
    """

    free: Tensor
    count: int

    @property
    def behind(self) -> int:
        """New rows that find no free place."""
        return self.count - len(self.free)

    def __call__(self, x: Tensor, new: Tensor) -> Tensor:
        """Put the rows of ``new`` into ``x``, which is changed; rows of either are padded with zeros to one size."""
        sizes = [max(pair) for pair in zip(x.shape[1:], new.shape[1:], strict=True)]
        x, new = _padded(x, sizes), _padded(new, sizes)
        f = len(self.free)
        if f:
            x.index_copy_(0, self.free, new[:f])
        return torch.cat([x, new[f:]]) if self.behind else x


def _padded(x: Tensor, sizes: Sequence[int]) -> Tensor:
    missing = [want - size for want, size in zip(sizes, x.shape[1:], strict=True)]
    return functional.pad(x, [n for size in reversed(missing) for n in (0, size)]) if any(missing) else x
