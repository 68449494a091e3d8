"""Tests of creating, reading and checking API keys."""

from __future__ import annotations

import argparse
import hashlib
import hmac
from base64 import b64encode
from pathlib import Path

import pytest

from omninet.app.cli import add_commands
from omninet.app.http.keys import Key, Keyring, key_in, new_key, read_keys
from omninet.app.settings import Settings
from omninet.model.errors import ConfigError

DIGEST = hashlib.sha256(b"secret").hexdigest()


def test_a_key_is_found_by_its_digest_alone() -> None:
    (first, kept), (second, other) = new_key("a"), new_key("b")
    assert first != second
    assert len(first) >= 43
    assert kept.digest == hashlib.sha256(first.encode()).hexdigest()
    ring = Keyring([kept], [other])
    assert [ring.name_of(key) for key in (first, second, "", first[:-1], kept.digest)] == ["a", "b", None, None, None]
    assert [ring.is_admin(key) for key in (first, second, "")] == [False, True, False]


def test_every_key_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [new_key(str(i)) for i in range(5)]
    ring = Keyring([kept for _, kept in keys])
    compare, compared = hmac.compare_digest, []

    def watched(known: str, given: str) -> bool:
        compared.append(known)
        return compare(known, given)

    monkeypatch.setattr(hmac, "compare_digest", watched)
    for key in (keys[0][0], keys[4][0], "none"):
        compared.clear()
        ring.name_of(key)
        assert compared == [kept.digest for _, kept in keys]


def test_keys_of_a_setting_and_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"# ours\n\nc:{DIGEST}  # a comment\n  d:{DIGEST.upper()}\n")
    found = read_keys("KEYS", f" a:{DIGEST}, b:{DIGEST}\n", file)
    assert found == [Key(name, DIGEST) for name in "abcd"]
    assert read_keys("KEYS", "", None) == []


@pytest.mark.parametrize(
    "text", ["secret", f"a:{DIGEST} secret", f":{DIGEST}", f"ä:{DIGEST}", "a:secret", f"a:{DIGEST}0"]
)
def test_invalid_key_is_rejected_and_not_quoted(text: str, tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(text.replace(" ", "\n"))
    place = 1 + text.count(" ")
    for value, path, where in ((text, None, "KEYS: entry"), ("", file, "KEYS_FILE: line")):
        with pytest.raises(ConfigError, match=f"^{where} {place} is not NAME:DIGEST") as caught:
            read_keys("KEYS", value, path)
        assert "secret" not in str(caught.value)
        assert DIGEST not in str(caught.value)


def test_key_file_without_keys_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    with pytest.raises(ConfigError, match="KEYS_FILE: the file cannot be read: No such file"):
        read_keys("KEYS", "", file)
    file.write_text("# no keys yet\n")
    with pytest.raises(ConfigError, match="KEYS_FILE: the file contains no key"):
        read_keys("KEYS", "", file)
    file.write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="KEYS_FILE: the file is not UTF-8 text"):
        read_keys("KEYS", "", file)


def basic(text: str) -> str:
    return f"Basic {b64encode(text.encode()).decode()}"


@pytest.mark.parametrize(
    ("header", "key"),
    [
        ("Bearer secret", "secret"),
        ("bearer  secret ", "secret"),
        (basic("anybody:secret"), "secret"),
        (basic(":se:cret"), "se:cret"),
        (basic("secret"), ""),
        ("Basic secret", ""),
        ("Basic gIA=", ""),
        ("Digest secret", ""),
        ("secret", ""),
        ("", ""),
    ],
)
def test_the_key_of_a_header(header: str, key: str) -> None:
    assert key_in(header) == key


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    add_commands(parser.add_subparsers())
    parsed = parser.parse_args(arguments)
    code: int = parsed.run(parsed)
    return code


def test_the_command_prints_a_key_and_the_line_for_the_setting(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("key", "alice") == 0
    key, line = (row.split()[-1] for row in capsys.readouterr().out.splitlines())
    assert Settings(api_keys=line).keyring().name_of(key) == "alice"


def test_invalid_key_name_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("", "a b", "a:b", "a" * 65):
        with pytest.raises(ConfigError, match="the name of a key must be"):
            run("key", name)
    assert capsys.readouterr().out == ""


def test_server_with_invalid_keys_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMNINET_ADMIN_KEYS", "secret")
    with pytest.raises(ConfigError, match=r"^OMNINET_ADMIN_KEYS: entry 1 is not NAME:DIGEST") as caught:
        run("serve", "--port", "0")
    assert "secret" not in str(caught.value)
    assert "secret" not in repr(Settings())
