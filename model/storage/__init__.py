"""The files of a checkpoint: sums, weights, upgrades of older formats."""
