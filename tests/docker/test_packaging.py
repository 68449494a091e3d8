"""Tests of Dockerfile, compose file, Makefile and CI script against the package."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from omninet.app.main import create_app
from omninet.app.settings import Settings
from omninet.command import build_parser
from tests.docker.dockerfile import Stage, parse

ROOT = Path(__file__).parents[2]
BUILDER, FINAL = parse(ROOT / "docker" / "Dockerfile")
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES = ("omninet", "gpu", "search")
RAY = ("ray-head", "ray-worker", "ray-deploy")
DEFAULTS = Settings.model_fields


def service(name: str) -> dict[str, Any]:
    found: dict[str, Any] = COMPOSE["services"][name]
    return found


def health_url(command: list[str]) -> re.Match[str]:
    found = re.search(r"http://127\.0\.0\.1:(?P<port>\d+)(?P<path>/\w+)", command[-1])
    assert found is not None
    return found


def dry_run(*arguments: str, **environment: str) -> str:
    """Return the commands that ``make`` would run on a fresh clone."""
    settings = {"HOST", "PORT", "PYTHON", "TORCH_INDEX", "UNPINNED", "MAKEFLAGS"}
    given = {name: value for name, value in os.environ.items() if name not in settings}
    command = ["make", "--dry-run", "--always-make", *arguments]
    result = subprocess.run(command, cwd=ROOT, env=given | environment, capture_output=True, text=True, check=True)
    return result.stdout


def test_both_stages_begin_with_the_same_image() -> None:
    assert {BUILDER.base, FINAL.base} == {"python:3.11-slim-bookworm"}


def test_what_is_copied_exists_and_reaches_the_builder() -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert sorted(BUILDER.copied()) == sorted(allowed)
    assert [source for source in BUILDER.copied() if not (ROOT / source).exists()] == []
    assert FINAL.copied() == []


def test_all_that_the_package_is_made_of_is_copied() -> None:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project, setuptools = pyproject["project"], pyproject["tool"]["setuptools"]
    folders = set(setuptools["package-dir"].values())
    # The licences of the weights and of the samples are in the folders.
    licences = {file for file in project["license-files"] if file.split("/")[0] not in folders}
    needed = {"pyproject.toml", "constraints.txt", project["readme"], *licences, *folders}
    assert set(BUILDER.copied()) == needed


def test_every_licence_exists() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["license-files"] == ["LICENSE", "model/bundled/LICENSE", "app/static/samples/CREDITS.md"]
    assert all((ROOT / file).is_file() for file in project["license-files"])


def test_every_folder_of_the_packages_is_installed() -> None:
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    folders = {name: ROOT / folder for name, folder in setuptools["package-dir"].items()}
    assert sorted(setuptools["packages"]) == sorted(
        ".".join([name, *file.parent.relative_to(folder).parts])
        for name, folder in folders.items()
        for file in folder.rglob("__init__.py")
    )


def test_the_environment_is_copied_and_found() -> None:
    assert FINAL.all("COPY") == ["--from=builder /opt/omninet /opt/omninet"]
    for stage in (BUILDER, FINAL):
        assert any("PATH=/opt/omninet/bin:$PATH" in line for line in stage.all("ENV"))


@pytest.mark.parametrize("extras", [["otel"], ["otel", "postgres", "search"], ["otel", "postgres", "ray"]])
def test_the_image_has_what_serving_needs_and_the_extras(tmp_path: Path, extras: list[str]) -> None:
    (step,) = (line for line in BUILDER.all("RUN") if "requirements.txt" in line)
    listing, _, install = step.partition(" && ")
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    subprocess.run(
        ["sh", "-c", listing], cwd=tmp_path, env=os.environ | {"PATH": path, "EXTRAS": " ".join(extras)}, check=True
    )
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    of_extras = [requirement for extra in extras for requirement in project["optional-dependencies"][extra]]
    wanted = [*project["dependencies"], *of_extras]
    assert (tmp_path / "requirements.txt").read_text().splitlines() == wanted
    assert install == "pip install --constraint constraints.txt --requirement requirements.txt"


def test_no_cache_stays_in_a_layer() -> None:
    assert any("PIP_NO_CACHE_DIR=1" in line for line in BUILDER.all("ENV"))
    assert not any("pip" in line or "apt-get" in line for line in FINAL.all("RUN"))


def test_torch_can_come_from_another_index() -> None:
    assert 'TORCH_INDEX=""' in BUILDER.all("ARG")
    assert any("$TORCH_INDEX" in line and "torch(vision)?==" in line for line in BUILDER.all("RUN"))


def test_versions_are_pinned_everywhere_but_on_request() -> None:
    pinned = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines()[1:])
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [each for name, extra in project["optional-dependencies"].items() if name != "bench" for each in extra]
    names = {re.split(r"[^\w-]", each)[0].lower() for each in (*project["dependencies"], *extras)} - {"omninet"}
    assert names - set(pinned) == set()

    assert dry_run("test").count("--constraint constraints.txt") == 1
    assert "constraint" not in dry_run("test", "UNPINNED=1")
    torch = f"torch=={pinned['torch']} torchvision=={pinned['torchvision']}"
    assert torch in dry_run("serve", "TORCH_INDEX=https://example.org")


def test_the_container_is_not_root() -> None:
    user, group = FINAL.last("USER").split(":")
    assert int(user) > 0
    assert int(group) > 0


def test_the_command_serves_to_the_outside_on_the_exposed_port() -> None:
    program, *arguments = FINAL.command("CMD")
    parsed = build_parser().parse_args(arguments)
    assert program in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert parsed.run.__module__ == "omninet.app.cli"
    assert parsed.host == "0.0.0.0"
    assert (parsed.port or DEFAULTS["port"].default) == int(FINAL.last("EXPOSE"))


def test_the_health_check_asks_a_route_of_the_service() -> None:
    url = health_url(FINAL.command("HEALTHCHECK"))
    assert url["port"] == FINAL.last("EXPOSE")
    assert url["path"] in create_app(Settings()).openapi()["paths"]


@pytest.mark.parametrize("name", SERVICES)
def test_compose_builds_our_dockerfile(name: str) -> None:
    build = service(name)["build"]
    assert (ROOT / build["context"] / build["dockerfile"]).is_file()
    assert set(build["args"]) <= {argument.partition("=")[0] for argument in BUILDER.all("ARG")}


@pytest.mark.parametrize(
    ("name", "variable"), [("omninet", "OMNINET_PORT"), ("gpu", "OMNINET_GPU_PORT"), ("search", "OMNINET_SEARCH_PORT")]
)
def test_compose_takes_the_port_from_the_environment(name: str, variable: str) -> None:
    [port] = service(name)["ports"]
    outside, _, inside = port.rpartition(":")
    assert re.fullmatch(rf"\${{{variable}:-\d+}}", outside)
    assert inside == FINAL.last("EXPOSE")


def test_compose_serves_on_the_default_port() -> None:
    assert service("omninet")["ports"] == [f"${{OMNINET_PORT:-{DEFAULTS['port'].default}}}:{FINAL.last('EXPOSE')}"]


@pytest.mark.parametrize("name", SERVICES)
def test_compose_variables_are_settings(name: str) -> None:
    fields = {f"OMNINET_{field.upper()}" for field in DEFAULTS}
    assert set(service(name)["environment"]) <= fields
    assert "OMNINET_CHECKPOINT" in service(name)["environment"]


@pytest.mark.parametrize("name", SERVICES)
def test_compose_checks_health_as_the_image_does(name: str) -> None:
    check = service(name)["healthcheck"]
    assert check["test"] == ["CMD", *FINAL.command("HEALTHCHECK")]
    for option in ("interval", "timeout", "start_period"):
        assert f"--{option.replace('_', '-')}={check[option]}" in FINAL.last("HEALTHCHECK")


@pytest.mark.parametrize("name", SERVICES)
def test_compose_gives_a_container_no_more_than_it_needs(name: str) -> None:
    assert service(name)["read_only"] is True
    assert service(name)["tmpfs"] == ["/tmp"]
    assert service(name)["cap_drop"] == ["ALL"]
    assert service(name)["security_opt"] == ["no-new-privileges:true"]
    assert service(name)["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", SERVICES)
def test_compose_mounts_the_checkpoints_read_only(name: str) -> None:
    assert service(name)["volumes"] == ["${OMNINET_CHECKPOINTS:-checkpoints}:/checkpoints:ro", "index:/index"]
    assert {"checkpoints", "index"} <= set(COMPOSE["volumes"])


def test_the_user_of_the_image_may_write_the_index() -> None:
    user, group = FINAL.last("USER").split(":")
    (step,) = (line for line in FINAL.all("RUN") if "/index" in line)
    assert step == f"install --directory --owner {user} --group {group} --mode 700 /index"
    assert any("OMNINET_INDEX=/index" in line for line in FINAL.all("ENV"))


def test_the_profile_of_search_has_its_index_in_postgresql() -> None:
    server, database = service("search"), service("postgres")
    assert server["profiles"] == database["profiles"] == ["search"]
    url = "postgresql://omninet:${OMNINET_INDEX_PASSWORD:-}@postgres/omninet"
    assert server["environment"]["OMNINET_INDEX_URL"] == url
    assert database["environment"]["POSTGRES_PASSWORD"] == "${OMNINET_INDEX_PASSWORD:-}"
    assert server["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert database["healthcheck"]["test"][1] == "pg_isready"
    assert (database["read_only"], database["cap_drop"], database["user"]) == (True, ["ALL"], "postgres")
    assert "ports" not in database
    assert database["volumes"] == ["postgres:/var/lib/postgresql"]
    assert "postgres" in COMPOSE["volumes"]


@pytest.mark.parametrize("name", SERVICES)
def test_compose_waits_for_requests_to_end(name: str) -> None:
    assert int(service(name)["stop_grace_period"].removesuffix("s")) > DEFAULTS["shutdown_seconds"].default


def test_only_the_gpu_profile_reserves_a_gpu() -> None:
    assert "deploy" not in service("omninet")
    assert "profiles" not in service("omninet")
    assert service("gpu")["profiles"] == ["gpu"]
    [device] = service("gpu")["deploy"]["resources"]["reservations"]["devices"]
    assert device["capabilities"] == ["gpu"]
    assert service("gpu")["environment"]["OMNINET_DEVICE"] == "cuda"


@pytest.mark.parametrize("name", RAY)
def test_the_profile_of_ray_gives_a_container_no_more_than_it_needs(name: str) -> None:
    assert service(name)["profiles"] == ["ray"]
    assert service(name)["read_only"] is True
    assert service(name)["cap_drop"] == ["ALL"]
    assert service(name)["environment"]["RAY_AUTH_MODE"] == "token"
    assert service(name)["build"]["args"]["EXTRAS"].split() == ["otel", "postgres", "ray"]


def test_rays_dashboard_is_for_this_machine_alone() -> None:
    outside = [port for name in RAY for port in service(name).get("ports", ())]
    assert outside == ["${OMNINET_RAY_PORT:-8002}:8000", "127.0.0.1:${RAY_DASHBOARD_PORT:-8265}:8265"]
    assert service("ray-worker")["deploy"]["replicas"] == 2


def test_what_is_deployed_on_ray_is_mounted() -> None:
    _, _, file, *_ = service("ray-deploy")["command"].split()
    (source,) = (volume.split(":")[0] for volume in service("ray-deploy")["volumes"] if ":/ray:" in volume)
    assert (ROOT / source / Path(file).name).is_file()


def test_the_image_has_rays_environment() -> None:
    lines = (ROOT / "docker" / "ray" / "ray.env").read_text().splitlines()
    settings = {line for line in lines if not line.startswith("#")}
    assert settings <= {pair for line in FINAL.all("ENV") for pair in line.split()}


def test_rays_replicas_have_time_to_end() -> None:
    grace = int(service("ray-head")["stop_grace_period"].removesuffix("s"))
    [application] = yaml.safe_load((ROOT / "docker" / "ray" / "cpu.yaml").read_text())["applications"]
    for deployment in application["deployments"]:
        assert grace > deployment["graceful_shutdown_timeout_s"] > DEFAULTS["deadline_seconds"].default


def test_make_serve_listens_where_the_settings_say_by_default() -> None:
    host, port = DEFAULTS["host"].default, DEFAULTS["port"].default
    assert f"bin/omninet serve --host {host} --port {port}\n" in dry_run("serve")
    assert "bin/omninet serve --host 0.0.0.0 --port 9000\n" in dry_run("serve", HOST="0.0.0.0", PORT="9000")


def test_make_takes_torch_from_another_index_only_when_told_to() -> None:
    assert "--index-url" not in dry_run("serve")
    assert "pip install --index-url 'URL' torch torchvision\n" in dry_run("serve", "TORCH_INDEX=URL", "UNPINNED=1")


def test_make_test_runs_every_check() -> None:
    steps = dry_run("test")
    for step in ("ruff check .", "ruff format --check .", "mypy\n", "pytest --cov"):
        assert f"bin/python -m {step}" in steps


def test_make_help_names_every_target() -> None:
    targets = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert targets is not None
    shown = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert re.findall(r"^  make (\w+)", shown, re.MULTILINE) == targets[1].split()


def test_coverage_is_gated_for_everything_we_ship() -> None:
    coverage = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["coverage"]
    assert set(coverage["run"]["source"]) == {"app", "model", "training", "omninet"}
    assert coverage["report"]["fail_under"] >= 90


def test_ci_runs_make_test() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert script.read_text().rstrip().endswith("exec make test")
    subprocess.run(["bash", "-n", script], check=True)


def test_a_dockerfile_is_read_as_docker_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "Dockerfile"
    file.write_text('FROM a AS b\n# note\nRUN one \\\n    && two\nCOPY x y ./\n\nFROM c\nCMD ["d", "e"]\n')
    first, last = parse(file)
    assert first == Stage("a", [("RUN", "one && two"), ("COPY", "x y ./")])
    assert first.copied() == ["x", "y"]
    assert last.command("CMD") == ["d", "e"]
