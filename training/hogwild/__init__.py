"""Hogwild over processes and devices (paper, section 3.3): workers that never wait for one another."""

from training.hogwild.supervisor import run_hogwild

__all__ = ["run_hogwild"]
