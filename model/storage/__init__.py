"""Files of a checkpoint: checksums, weights, upgrades of older formats."""
