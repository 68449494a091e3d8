"""Hogwild training over processes and devices (paper, section 3.3): workers update one model without locks."""

from omninet.training.hogwild.supervisor import run_hogwild, worker_specs

__all__ = ["run_hogwild", "worker_specs"]
