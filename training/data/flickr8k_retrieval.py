"""Flickr8k (Hodosh, Young, Hockenmaier 2013) for retrieval: photos and sentences that describe them."""

from __future__ import annotations

from omninet.training.data.flickr8k import Flickr8k


class Flickr8kRetrieval(Flickr8k):
    """Files of ``Flickr8k``; each photo is an example, and any of its captions is a text that must find it."""

    task = "embed"
