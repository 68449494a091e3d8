"""Tests of the warnings about unknown OMNINET_ variables."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest

from omninet.app.settings import Settings
from omninet.app.variables import OTHER_VARIABLES, log_unknown, unknown
from omninet.model.extensions import VARIABLE
from tests.test_architecture import ROOT

# What Kubernetes sets in the pods beside two Services, `omninet` and `omninet-head-svc`.
LINKS = """OMNINET_SERVICE_HOST=10.0.0.1 OMNINET_SERVICE_PORT=8000 OMNINET_SERVICE_PORT_HTTP=8000
OMNINET_PORT=tcp://10.0.0.1:8000 OMNINET_PORT_8000_TCP=tcp://10.0.0.1:8000 OMNINET_PORT_8000_TCP_PROTO=tcp
OMNINET_PORT_8000_TCP_PORT=8000 OMNINET_PORT_8000_TCP_ADDR=10.0.0.1 OMNINET_HEAD_SVC_SERVICE_HOST=10.0.0.2
OMNINET_HEAD_SVC_SERVICE_PORT=6379 OMNINET_HEAD_SVC_SERVICE_PORT_GCS=6379 OMNINET_HEAD_SVC_PORT=tcp://10.0.0.2:6379
OMNINET_HEAD_SVC_PORT_6379_TCP=tcp://10.0.0.2:6379"""


def in_text(*paths: Path) -> set[str]:
    return {name for path in paths for name in re.findall(r"OMNINET_[A-Z_]*[A-Z]", path.read_text(encoding="utf-8"))}


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("OMNINET_BATCH_ROW", "OMNINET_BATCH_ROWS"),
        ("OMNINET_CHECKPONT", "OMNINET_CHECKPOINT"),
        ("OMNINET_PRECISSION", "OMNINET_PRECISION"),
        ("omninet_Prot", "OMNINET_PORT"),
        ("OMNINET_QQQQ", None),
        ("OMNINET_", None),
    ],
)
def test_the_nearest_setting_is_found(name: str, nearest: str | None) -> None:
    assert unknown({name: "1", "PATH": "/", "OTHER_OMNINET_X": "2"}) == {name: nearest}


def test_setting_names_ignore_case() -> None:
    names = [f"OMNINET_{name}" for name in Settings.model_fields]
    assert not unknown(dict.fromkeys([*names, *map(str.upper, names), *map(str.lower, names)], ""))


def test_variables_of_other_programs_are_known() -> None:
    settings = {f"OMNINET_{name.upper()}" for name in Settings.model_fields}
    assert in_text(ROOT / "docker-compose.yml") - settings == OTHER_VARIABLES - {"OMNINET_EXTENSIONS", "OMNINET_SHARED"}
    assert VARIABLE == "OMNINET_EXTENSIONS"
    assert "OMNINET_SHARED" in in_text(ROOT / "tests" / "conftest.py")
    docs = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "docker").rglob("*.*")]
    names = in_text(*(path for path in docs if path.suffix in {".md", ".yaml", ".yml", ".env"}))
    assert not unknown(dict.fromkeys(names - {"OMNINET_MAX_WAITING"}, ""))  # `OMNINET_MAX_WAITING_...` is several


def test_kubernetes_service_variables_are_ignored() -> None:
    links = dict(link.split("=", 1) for link in LINKS.split())
    assert not unknown(links)
    assert set(unknown({**links, "OMNINET_HEADER_SECOND": "1"})) == {"OMNINET_HEADER_SECOND"}


def test_one_warning_for_each_variable_without_its_value(caplog: pytest.LogCaptureFixture) -> None:
    log_unknown({"OMNINET_API_KEY": "secret", "OMNINET_QQQQ": "secret", "OMNINET_PORT": "8000"})
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2
    assert caplog.messages == [
        "OMNINET_API_KEY is not a setting and has no effect; did you mean OMNINET_API_KEYS?",
        "OMNINET_QQQQ is not a setting and has no effect",
    ]
