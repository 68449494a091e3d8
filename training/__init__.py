"""Training: produces the checkpoints that serving loads."""
