"""Start of child processes, and message passing between processes."""
