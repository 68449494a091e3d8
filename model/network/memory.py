"""The caches that ``encode`` fills: temporal cache, spatial cache and link array (paper, section 3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

Link = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Memory:
    """The caches of a batch, as an immutable value: the network itself keeps no state of a request.

    Attributes:
        temporal: temporal cache C_t, (b, R, d).
        temporal_mask: (b, R).
        spatial: spatial cache C_s, (b, P, d); P is 0 if no row has a spatial input.
        spatial_mask: (b, P).
        frame: link array as an index, (b, P): the temporal position that gates each spatial position.
        links: link array L of each row: pairs (t, s) in the order of the inputs.
    """

    temporal: Tensor
    temporal_mask: Tensor
    spatial: Tensor
    spatial_mask: Tensor
    frame: Tensor
    links: tuple[Link, ...]

    @classmethod
    def empty(cls, batch: int, like: Tensor) -> Memory:
        """Return empty caches (paper, Algorithm 1) with the dtype, width and device of ``like`` (..., d)."""
        vectors = like.new_zeros(batch, 0, like.shape[-1])
        nothing = torch.zeros(batch, 0, dtype=torch.bool, device=like.device)
        return cls(vectors, nothing, vectors, nothing, nothing.long(), ((),) * batch)

    def append(
        self, temporal: Tensor, mask: Tensor, spatial: Tensor | None, spatial_mask: Tensor, frame: Tensor | None, s: int
    ) -> Memory:
        """Return the memory with one more input of t steps and s cells appended to every row.

        Args:
            temporal: (b, t, d).
            mask: (b, t).
            spatial: (b, t * s, d), or None if the input adds nothing to the spatial cache.
            spatial_mask: (b, t * s).
            frame: step in [0, t) that gates each spatial vector, (t * s); None if ``spatial`` is None.
        """
        links = tuple((*link, (temporal.shape[1], s)) for link in self.links)
        cells, cell_mask, frames = self.spatial, self.spatial_mask, self.frame
        if spatial is not None and frame is not None:
            new = (frame + self.temporal.shape[1]).expand(len(spatial), -1)
            cells = torch.cat([cells, spatial], 1)
            cell_mask = torch.cat([cell_mask, spatial_mask], 1)
            frames = torch.cat([frames, new], 1)
        return Memory(
            torch.cat([self.temporal, temporal], 1),
            torch.cat([self.temporal_mask, mask], 1),
            cells,
            cell_mask,
            frames,
            links,
        )

    @property
    def batch(self) -> int:
        """Number of rows."""
        return len(self.temporal)

    def pooled(self) -> Tensor:
        """Return the mean of each row's spatial cache, (b, d); NaN in rows without one."""
        mask = self.spatial_mask[..., None].to(self.spatial.dtype)
        return (self.spatial * mask).sum(1) / mask.sum(1)

    def select(self, rows: Sequence[int] | Tensor) -> Memory:
        """Return the given rows, in the given order."""
        index = torch.as_tensor(rows, device=self.temporal.device)
        return Memory(
            self.temporal[index],
            self.temporal_mask[index],
            self.spatial[index],
            self.spatial_mask[index],
            self.frame[index],
            tuple(self.links[i] for i in index.tolist()),
        )


def collate(memories: Sequence[Memory]) -> Memory:
    """Concatenate the rows of memories, padded to the longest; padding is masked."""
    if len(memories) == 1:
        return memories[0]

    def rows(name: str) -> Tensor:
        return pad_sequence([row for m in memories for row in getattr(m, name)], batch_first=True)

    return Memory(
        rows("temporal"),
        rows("temporal_mask"),
        rows("spatial"),
        rows("spatial_mask"),
        rows("frame"),
        tuple(link for m in memories for link in m.links),
    )
