"""Flickr8k (Hodosh, Young, Hockenmaier 2013) for retrieval: photos and sentences that describe them."""

from __future__ import annotations

from collections.abc import Sequence

from omninet.training.data.base import Example
from omninet.training.data.flickr8k import Flickr8k
from omninet.training.data.retrieval import Retrieval, retrieval_examples


class Flickr8kRetrieval(Retrieval, Flickr8k):
    """Files of ``Flickr8k``: pairs of a photo and a caption for training, and photos and captions to be ranked."""

    def examples(self, split: str) -> Sequence[Example]:
        """Return one example per pair, or per photo and per caption."""
        return retrieval_examples(split, super().examples(split))
