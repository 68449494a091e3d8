"""Property-based tests of all endpoints against the OpenAPI schema."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.robustness.conftest import Scale, SummaryTable
from tests.robustness.server import Server

pytestmark = pytest.mark.slow
HERE = Path(__file__).parent


def test_responses_match_the_schema(server: Server, scale: Scale, summary: SummaryTable, tmp_path: Path) -> None:
    answered = server.metrics()["omninet_stage_seconds_count"]
    program = str(Path(sys.executable).with_name("schemathesis"))
    command = [program, "--config-file", str(HERE / "schemathesis.toml"), "run"]
    options = ["--max-examples", str(scale.examples), "--seed", "1", "--request-timeout", "60", "--no-color"]
    hooks = {"SCHEMATHESIS_HOOKS": "tests.robustness.schema_hooks", "PYTHONPATH": str(HERE.parents[1])}

    found = subprocess.run(
        [*command, f"{server.address}/openapi.json", *options],
        env={**os.environ, **hooks},
        cwd=tmp_path,  # schemathesis writes a cache there
        capture_output=True,
        text=True,
        check=False,
    )

    assert found.returncode == 0, found.stdout
    assert (
        server.metrics()["omninet_stage_seconds_count"] > answered
    )  # some of the files were valid and reached the model
    cases = re.search(r"(\d+) generated", found.stdout)
    assert cases is not None
    summary.note("schemathesis", f"{cases[1]} requests, no failure")
