"""Hogwild over processes and devices (paper, section 3.3): workers that never wait for one another."""

from omninet.training.hogwild.supervisor import make_posts, run_hogwild

__all__ = ["make_posts", "run_hogwild"]
