"""Input pipeline: from examples to batches, with augmentation, cached features and subwords."""
