"""Examples to batches: features, frames, augmentation, subwords, loader."""
