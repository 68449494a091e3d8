"""Tests of Prometheus's rules and Grafana's dashboard against the exported metrics and the compose file."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from omninet.app.engine.metrics import EngineMetrics
from omninet.app.main import create_app
from omninet.app.settings import Settings
from omninet.app.telemetry.metrics import Metrics
from omninet.app.telemetry.registry import MetricSet
from tests.docker.promql import selected
from tests.docker.test_packaging import COMPOSE, FINAL, ROOT, service

DOCKER = ROOT / "docker"
SERVICES = ("prometheus", "grafana")
CONFIG: dict[str, Any] = yaml.safe_load((DOCKER / "prometheus/prometheus.yml").read_text())
RULES: list[dict[str, Any]] = yaml.safe_load((DOCKER / "prometheus/rules.yml").read_text())["groups"][0]["rules"]
DASHBOARD: dict[str, Any] = json.loads((DOCKER / "grafana/dashboards/omninet.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
EXPRESSIONS = [rule["expr"] for rule in RULES] + [t["expr"] for panel in PANELS for t in panel["targets"]]


def families() -> dict[str, tuple[str, set[str]]]:
    """Return type and labels of all exported metrics by name."""
    parts: tuple[MetricSet, ...] = (Metrics(), EngineMetrics())
    labels = {
        name: set(getattr(collector, "_labelnames", ()))
        for part in parts
        for collector, names in part.registry._collector_to_names.items()
        for name in names
    }
    types = [
        found for part in parts for found in re.findall(r"^# TYPE (\w+) (\w+)$", part.text().decode(), re.MULTILINE)
    ]
    assert len(types) == len(dict(types)), "each is exported once"
    return {name: (kind, labels.get(name, set())) for name, kind in types}


def exported() -> dict[str, set[str]]:
    """Return the labels of all series in Prometheus by name, including those that Prometheus adds."""
    found: dict[str, set[str]] = {"up": set()}
    for name, (kind, labels) in families().items():
        if kind == "histogram":
            found |= {f"{name}_bucket": labels | {"le"}, f"{name}_sum": labels, f"{name}_count": labels}
        else:
            found[name] = labels
    return {name: labels | {"instance", "job", "service"} for name, labels in found.items()}


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_queried_metrics_are_exported(expression: str) -> None:
    names = exported()
    asked = selected(expression)
    assert asked
    for name, labels in asked:
        assert name in names
        assert labels <= names[name]


def test_dashboard_variables_are_exported() -> None:
    (variable,) = DASHBOARD["templating"]["list"]
    metric = re.fullmatch(r"label_values\((\w+), instance\)", variable["query"]["query"])
    assert metric is not None
    assert metric[1] in exported()


def test_endpoints_and_codes_that_are_left_out_exist() -> None:
    paths = set(create_app(Settings()).openapi()["paths"])
    for left_out in re.findall(r'endpoint!~"(.*?)"', " ".join(EXPRESSIONS)):
        assert set(left_out.split("|")) <= paths


def test_an_expression_is_read_as_prometheus_reads_it() -> None:
    expression = (
        'sum by (a, le) (rate(one_total{b=~"x|y{}", c!="z"}[5m])) > on (d) group_left () 0.5 * two or up{e="f"} == 0'
    )
    assert selected(expression) == [("one_total", {"b", "c"}), ("two", set()), ("up", {"e"})]


def test_alerts_say_what_is_wrong() -> None:
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert set(rule["annotations"]) == {"summary", "description"}


def test_panels_have_a_place_and_a_source() -> None:
    (source,) = yaml.safe_load((DOCKER / "grafana/provisioning/datasources/prometheus.yml").read_text())["datasources"]
    assert {panel["datasource"]["uid"] for panel in PANELS} == {source["uid"]}
    assert source["url"] == "http://prometheus:9090"
    taken = [
        (x, y)
        for place in (panel["gridPos"] for panel in DASHBOARD["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(taken) == len(set(taken))
    assert max(x for x, _ in taken) < 24


def test_prometheus_looks_where_compose_serves() -> None:
    (job,) = CONFIG["scrape_configs"]
    (names,) = job["dns_sd_configs"]
    assert names["port"] == int(FINAL.last("EXPOSE"))
    assert [name for name in names["names"] if "image" not in service(name)] == []
    assert {service(name)["image"] for name in names["names"]} == {"omninet"}
    assert all(f'job="{job["job_name"]}"' in text for text in re.findall(r"\bup\{.*?\}", " ".join(EXPRESSIONS)))


def test_prometheus_has_a_key_to_show_where_there_is_one() -> None:
    (job,) = CONFIG["scrape_configs"]
    (secret,) = service("prometheus")["secrets"]
    assert job["authorization"] == {"type": "Bearer", "credentials_file": f"/run/secrets/{secret}"}
    default = re.fullmatch(r"\$\{OMNINET_METRICS_KEY_FILE:-(.*)\}", COMPOSE["secrets"][secret]["file"])
    assert default is not None
    assert (ROOT / default[1]).read_bytes() == b""


@pytest.mark.parametrize("name", SERVICES)
def test_compose_starts_them_only_when_asked_and_confined(name: str) -> None:
    found = service(name)
    assert found["profiles"] == ["monitoring"]
    assert re.fullmatch(r"\w+/\w+:v?\d+\.\d+\.\d+", found["image"])
    assert found["read_only"] is True
    assert found["cap_drop"] == ["ALL"]
    assert found["security_opt"] == ["no-new-privileges:true"]
    assert all(port.startswith("127.0.0.1:${") for port in found["ports"])


@pytest.mark.parametrize("name", SERVICES)
def test_mounted_files_exist_and_are_read_only(name: str) -> None:
    mounted = [volume.split(":") for volume in service(name)["volumes"] if volume.startswith(".")]
    assert mounted
    for source, *_, mode in mounted:
        assert (ROOT / source).is_dir()
        assert mode == "ro"


def test_prometheus_is_started_with_our_files() -> None:
    places = {target: Path(source) for source, target, *_ in (v.split(":") for v in service("prometheus")["volumes"])}
    options = dict(option.removeprefix("--").split("=") for option in service("prometheus")["command"])
    config = Path(options["config.file"])
    assert (ROOT / places[str(config.parent)] / config.name).samefile(DOCKER / "prometheus/prometheus.yml")
    assert [(DOCKER / "prometheus" / name).is_file() for name in CONFIG["rule_files"]] == [True]
    assert options["storage.tsdb.path"] in places


def test_grafana_has_no_password_to_guess() -> None:
    environment = service("grafana")["environment"]
    assert environment["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    assert environment["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"] == "true"
    assert environment["GF_AUTH_DISABLE_LOGIN_FORM"] == "true"
    assert environment["GF_AUTH_BASIC_ENABLED"] == "false"
    (provider,) = yaml.safe_load((DOCKER / "grafana/provisioning/dashboards/omninet.yml").read_text())["providers"]
    folder = provider["options"]["path"]
    assert f"./docker/grafana/dashboards:{folder}:ro" in service("grafana")["volumes"]
    assert environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"] == f"{folder}/omninet.json"
