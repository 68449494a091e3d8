"""The Ray Serve application: ``serve run omninet.app.cluster.application:build``.

It is configured by the ``OMNINET_`` environment variables, as a single server is.
"""

from __future__ import annotations

from typing import Any

from ray import serve
from ray.serve import Application

from omninet.app.cluster.decoder import MediaDecoder
from omninet.app.cluster.ingress import Ingress
from omninet.app.cluster.model import ModelDeployment
from omninet.app.settings import Settings
from omninet.model.model_config import read_config

# Rolling updates: a replica is replaced after its successor is ready, and completes its requests before it ends.
LASTING: dict[str, Any] = {
    "max_surge_percent": 100,
    "graceful_shutdown_wait_loop_s": 1.0,
    "graceful_shutdown_timeout_s": 70.0,
    "health_check_period_s": 5.0,
    "health_check_timeout_s": 15.0,
    "max_constructor_retry_count": 3,
    "logging_config": {"encoding": "JSON", "enable_access_log": False},  # the application has its own request log
}
OPTIONS: dict[str, dict[str, Any]] = {
    "ingress": {
        # More than it can serve: the queues behind it reject excess requests with JSON errors, Ray itself with text.
        "max_ongoing_requests": 1000,
        "autoscaling_config": {"min_replicas": 1, "max_replicas": 4, "target_ongoing_requests": 100},
        "ray_actor_options": {"num_cpus": 0.5},
    },
    "decoder": {
        "max_ongoing_requests": 4,
        "max_queued_requests": 64,
        "autoscaling_config": {"min_replicas": 1, "max_replicas": 4, "target_ongoing_requests": 2},
        "ray_actor_options": {"num_cpus": 0.5},
    },
    "model": {
        # More than it runs at once: texts can overtake videos only in the engine's queue, not in Ray's.
        "max_ongoing_requests": 256,
        "max_queued_requests": 128,
        "autoscaling_config": {"min_replicas": 1, "max_replicas": 4, "target_ongoing_requests": 16},
        "ray_actor_options": {"num_cpus": 1},
    },
}


def build(_: dict[str, str]) -> Application:
    """Build the application of three deployments: ingress (HTTP), decoder of uploads and model.

    Settings and checkpoint are checked first, before Ray starts or replaces any replica.

    Raises:
        ValidationError: a setting is invalid.
        CheckpointError: the checkpoint's configuration cannot be read.
    """
    read_config(Settings().checkpoint_folder())
    decoder = _deployment("decoder", MediaDecoder).bind()
    model = _deployment("model", ModelDeployment).bind()
    application: Application = _deployment("ingress", serve.ingress()(Ingress)).bind(decoder, model)
    return application


def _deployment(name: str, kind: type) -> serve.Deployment:
    found: serve.Deployment = serve.deployment(name=name, **OPTIONS[name], **LASTING)(kind)
    return found
