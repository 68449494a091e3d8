"""A run: step, schedule, single runner, states."""
