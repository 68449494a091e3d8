"""Tests of the Ray Serve application and its deployment files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError
from ray.serve.schema import ServeDeploySchema

from omninet.app.cluster.application import LASTING, OPTIONS, build
from omninet.app.cluster.ingress import Ingress
from omninet.model.errors import CheckpointError
from tests.test_architecture import ROOT

FOLDER = ROOT / "docker" / "ray"


def read(name: str) -> Any:
    return yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))


def options(config: Any) -> dict[str, dict[str, Any]]:
    application = config["applications"][0]
    return {each["name"]: {k: v for k, v in each.items() if k != "name"} for each in application["deployments"]}


@pytest.mark.parametrize("name", ["cpu.yaml", "gpu.yaml"])
def test_ray_takes_the_files(name: str) -> None:
    schema = ServeDeploySchema.model_validate(read(name))
    assert schema.applications[0].import_path == "omninet.app.cluster.application:build"


def test_the_file_for_cpus_says_what_the_code_does() -> None:
    assert options(read("cpu.yaml")) == {name: each | LASTING for name, each in OPTIONS.items()}


def test_the_file_for_gpus_differs_in_the_model_alone() -> None:
    cpu, gpu = options(read("cpu.yaml")), options(read("gpu.yaml"))
    assert gpu["model"].pop("ray_actor_options")["num_gpus"] > 0
    cpu["model"].pop("ray_actor_options")
    for option in ("max_ongoing_requests", "max_queued_requests", "autoscaling_config"):
        cpu["model"].pop(option)
        gpu["model"].pop(option)
    assert gpu == cpu


def test_kubernetes_gets_the_same() -> None:
    service = read("kuberay.yaml")
    embedded = yaml.safe_load(service["spec"]["serveConfigV2"])
    expected = read("cpu.yaml")
    assert embedded["applications"] == expected["applications"]


def test_the_three_deployments_are_bound_to_one_another() -> None:
    ingress: Any = build({})._bound_deployment
    assert ingress.name == "ingress"
    assert [each._bound_deployment.name for each in ingress.init_args] == ["decoder", "model"]
    model = ingress.init_args[1]._bound_deployment
    assert model.max_queued_requests == OPTIONS["model"]["max_queued_requests"]


def test_invalid_settings_fail_the_build(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OMNINET_CHECKPOINT", str(tmp_path))
    with pytest.raises(CheckpointError, match=r"config\.json"):
        build({})
    monkeypatch.setenv("OMNINET_BATCH_ROWS", "none")
    with pytest.raises(ValidationError, match="batch_rows"):
        build({})


def test_ingress_warns_of_unknown_variables(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("OMNINET_BATCH_ROW", "1")
    unused: Any = None
    Ingress(unused, unused)
    assert [message for message in caplog.messages if "OMNINET_BATCH_ROWS?" in message]
