"""The ``omninet`` command: its help and its exit codes."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import pytest

import omninet
from omninet.app.main import create_app
from omninet.app.settings import Settings
from omninet.command import main
from omninet.model import cli as model
from omninet.model.errors import CheckpointError
from omninet.training import cli as training

COMMANDS = ("serve", "predict", "inspect", "data", "train", "evaluate", "calibrate", "distill", "reproduce")


def add_command(monkeypatch: pytest.MonkeyPatch, package: object, error: BaseException) -> None:
    """Let ``omninet fail``, a command of the package, raise the error."""

    def run(_: argparse.Namespace) -> int:
        raise error

    def add_commands(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
        run.__module__ = package.__name__  # type: ignore[attr-defined]
        subparsers.add_parser("fail").set_defaults(run=run)

    monkeypatch.setattr(package, "add_commands", add_commands)


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line.startswith("    ")]
    assert [name for name in listed if name in COMMANDS] == list(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: omninet {command}")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "COMMAND"),
        (["fly"], "'fly'"),
        (["serve", "--port", "many"], "--port"),
        (["serve", "--wings"], "--wings"),
    ],
)
def test_bad_usage_is_one_line_and_code_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("omninet: ")
    assert message in output.err
    assert "--help`)" in output.err
    assert output.err.count("\n") == 1


def test_our_errors_are_one_line_and_code_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    add_command(monkeypatch, model, CheckpointError("config.json is missing"))
    assert main(["fail"]) == 2
    assert capsys.readouterr().err == "omninet: config.json is missing\n"


def test_a_missing_file_is_one_line_and_code_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    add_command(monkeypatch, model, FileNotFoundError(2, "No such file or directory", "photo.jpg"))
    assert main(["fail"]) == 2
    assert capsys.readouterr().err == "omninet: [Errno 2] No such file or directory: 'photo.jpg'\n"


def test_other_errors_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    add_command(monkeypatch, model, ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        main(["fail"])


def test_an_interrupt_is_code_130(monkeypatch: pytest.MonkeyPatch) -> None:
    add_command(monkeypatch, model, KeyboardInterrupt())
    assert main(["fail"]) == 130


def test_training_without_its_libraries_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    add_command(monkeypatch, training, ModuleNotFoundError("No module named 'yaml'", name="yaml"))
    assert main(["fail"]) == 2
    error = capsys.readouterr().err
    assert "yaml" in error
    assert "pip install '.[train]'" in error


def test_a_library_that_every_command_needs_is_not_blamed_on_training(monkeypatch: pytest.MonkeyPatch) -> None:
    add_command(monkeypatch, model, ModuleNotFoundError("No module named 'torch'", name="torch"))
    with pytest.raises(ModuleNotFoundError):
        main(["fail"])


def test_the_module_is_the_command() -> None:
    root = Path(omninet.__file__).parents[1]
    result = subprocess.run(
        [sys.executable, "-m", "omninet", "--version"], cwd=root, capture_output=True, text=True, check=True
    )
    assert result.stdout == f"omninet {omninet.__version__}\n"


def test_the_api_has_the_version_of_the_package() -> None:
    assert create_app(Settings()).openapi()["info"]["version"] == omninet.__version__


def test_a_reader_that_ends_early_is_no_error(toy_checkpoint: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "omninet", "inspect", str(toy_checkpoint)]
    result = subprocess.run(
        command, cwd=Path(omninet.__file__).parents[1], stdout=writing, stderr=subprocess.PIPE, check=False
    )
    os.close(writing)

    assert (result.returncode, result.stderr) == (141, b"")
