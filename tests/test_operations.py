"""What the document on operations says, held against the service."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from omninet.app.main import create_app
from omninet.app.settings import Settings
from tests.docker.test_monitoring import RULES, families
from tests.docker.test_packaging import FINAL

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
OURS = re.compile(r"omninet_(?!model_process_)")
KUBERNETES, SCRAPE = (yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL))


def test_every_metric_is_listed_with_its_type_and_labels() -> None:
    rows = re.findall(r"^\| `(omninet_\w+)` \| (\w+) \| (.*?)\|", TEXT, re.MULTILINE)
    listed = {name: (kind, set(re.findall(r"\w+", labels))) for name, kind, labels in rows}
    assert listed == {name: found for name, found in families().items() if OURS.match(name)}


def test_every_alert_is_listed() -> None:
    assert re.findall(r"^\| `(OmniNet\w+)` \|", TEXT, re.MULTILINE) == [rule["alert"] for rule in RULES]


def test_every_setting_that_is_named_is_one() -> None:
    settings = {f"OMNINET_{name.upper()}" for name in Settings.model_fields}
    assert set(re.findall(r"OMNINET_[A-Z_]+", TEXT)) <= settings | {"OMNINET_METRICS_KEY_FILE"}


def test_every_link_leads_somewhere() -> None:
    for target in re.findall(r"\]\((.*?)\)", TEXT):
        assert (ROOT / "docs" / target.partition("#")[0]).exists()


def test_kubernetes_asks_what_there_is_and_waits_long_enough() -> None:
    spec: dict[str, Any] = KUBERNETES["spec"]
    (container,) = spec["containers"]
    (port,) = container["ports"]
    paths = create_app(Settings()).openapi()["paths"]
    for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
        probe = container[kind]["httpGet"]
        assert probe["path"] in paths
        assert str(probe["port"]) == str(port["containerPort"]) == FINAL.last("EXPOSE")
    ending = container["lifecycle"]["preStop"]["sleep"]["seconds"] + Settings.model_fields["shutdown_seconds"].default
    assert spec["terminationGracePeriodSeconds"] > ending
    assert [mount["mountPath"] for mount in container["volumeMounts"]] == ["/tmp"]


def test_the_scrape_is_that_of_the_compose_profile() -> None:
    (job,) = SCRAPE["scrape_configs"]
    ours = yaml.safe_load((ROOT / "docker/prometheus/prometheus.yml").read_text())["scrape_configs"][0]
    assert job["job_name"] == ours["job_name"]
    assert job["authorization"] == ours["authorization"]
