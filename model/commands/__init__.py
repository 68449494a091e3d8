"""Commands that run or inspect a checkpoint."""
