"""Training: produce the checkpoints that serving loads."""
