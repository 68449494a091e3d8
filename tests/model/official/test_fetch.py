"""Downloads from a server of our own: whole, cut off, wrong."""

from __future__ import annotations

import io
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from omninet.model.official.fetch import FetchError, download, fetch, fetch_subwords
from omninet.model.official.releases import RELEASES, SUBWORDS

WEIGHTS = bytes(range(256)) * 40_000
CONF = {"penn_vocab.json": b"{}", "vqa_vocab.pkl": b"pickle", "hmdblabels.txt": b"0 run\n"}


def archive(**files: bytes) -> bytes:
    """A zip file; two underscores in a name are a slash, one is a dot."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as opened:
        for name, content in files.items():
            opened.writestr(name.replace("__", "/").replace("_", "."), content)
    return buffer.getvalue()


class Store:
    """A server of files.

    Attributes:
        asked: path and Range of every request.
        cut: after so many bytes of an answer the connection ends; None sends all.
        ranges: whether it can begin in the middle.
    """

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files, self.cut, self.ranges = files, None, True
        self.asked: list[tuple[str, str | None]] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    cut: int | None
    ranges: bool

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def _handler(store) -> type[BaseHTTPRequestHandler]:  # noqa: N805  # its methods have a self of their own
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                wanted = self.headers.get("Range")
                store.asked.append((self.path, wanted))
                content = store.files.get(self.path)
                if content is None:
                    self.send_error(404)
                    return
                start = int(wanted.split("=")[1].rstrip("-")) if wanted and store.ranges else 0
                if start >= len(content) and start:
                    self.send_error(416)
                    return
                self.send_response(206 if start else 200)
                self.send_header("Content-Length", str(len(content) - start))
                self.end_headers()
                end = None if store.cut is None else start + store.cut
                self.wfile.write(content[start:end])

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler


@pytest.fixture
def store() -> Iterator[Store]:
    files = {f"/conf/{name}": content for name, content in CONF.items()}
    found = Store(files | {"/all_15k.zip": archive(all__15k__model_pth=WEIGHTS, all__readme_txt=b"hello")})
    yield found
    found.server.shutdown()
    found.server.server_close()


def fetch_all(store: Store, folder: Path, seen: list[str] | None = None) -> Path:
    seen = [] if seen is None else seen
    return fetch(RELEASES["all_15k"], folder, seen.append, store.address, f"{store.address}/conf")


def test_a_release_and_its_vocabularies(store: Store, tmp_path: Path) -> None:
    seen: list[str] = []

    weights = fetch_all(store, tmp_path, seen)

    assert weights.read_bytes() == WEIGHTS
    assert {path.name: path.read_bytes() for path in (tmp_path / "conf").iterdir()} == CONF
    assert "all_15k.zip 100%" in seen
    assert not (tmp_path / "all_15k.zip").exists()

    store.asked.clear()
    assert fetch_all(store, tmp_path) == weights
    assert store.asked == []


@pytest.mark.parametrize("ranges", [True, False])
def test_an_interrupted_download_is_resumed(store: Store, tmp_path: Path, ranges: bool) -> None:
    store.files = {"/file": WEIGHTS}
    store.cut, store.ranges = 4_000_000, ranges
    with pytest.raises(FetchError, match="run the same command again"):
        download(f"{store.address}/file", tmp_path / "file", lambda _: None)
    assert not (tmp_path / "file").exists()
    store.cut = None

    download(f"{store.address}/file", tmp_path / "file", lambda _: None)

    assert (tmp_path / "file").read_bytes() == WEIGHTS
    assert store.asked == [("/file", None), ("/file", "bytes=4000000-")]


def test_a_complete_part_is_not_downloaded_again(store: Store, tmp_path: Path) -> None:
    """Killed between the last byte and the new name."""
    (tmp_path / "file.part").write_bytes(WEIGHTS)
    store.files = {"/file": WEIGHTS}

    download(f"{store.address}/file", tmp_path / "file", lambda _: None)

    assert (tmp_path / "file").read_bytes() == WEIGHTS


def test_a_missing_release(store: Store, tmp_path: Path) -> None:
    del store.files["/all_15k.zip"]

    with pytest.raises(FetchError, match=r"all_15k\.zip: 404"):
        fetch_all(store, tmp_path)


def test_a_refused_connection(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="refused"):
        download("http://127.0.0.1:9/file", tmp_path / "file", lambda _: None)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"<html>not found</html>", "was damaged"),
        (archive(readme_txt=b"hello"), "has 0 files model.pth"),
        (archive(a__model_pth=b"1", b__model_pth=b"2"), "has 2 files model.pth"),
        (archive(model_pth=WEIGHTS).replace(WEIGHTS[:1000], WEIGHTS[1:1001], 1), "was damaged"),
    ],
    ids=["no archive", "none", "two", "damaged"],
)
def test_an_invalid_archive(store: Store, tmp_path: Path, content: bytes, named: str) -> None:
    store.files["/all_15k.zip"] = content

    with pytest.raises(FetchError, match=named):
        fetch_all(store, tmp_path)

    assert not list(tmp_path.rglob("model.pth"))


def test_paths_in_the_archive_are_ignored(store: Store, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as opened:
        opened.writestr("../../outside/model.pth", WEIGHTS)
    store.files["/all_15k.zip"] = buffer.getvalue()

    assert fetch_all(store, tmp_path / "a" / "b") == tmp_path / "a" / "b" / "all_15k" / "model.pth"
    assert not (tmp_path / "outside").exists()


def test_subwords_are_downloaded_once(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    store.files = {f"/{SUBWORDS}": b"subwords"}

    for _ in range(2):
        found = fetch_subwords(lambda _: None, store.address)
        assert found == tmp_path / ".cache" / "bpemb" / "en" / SUBWORDS
        assert found.read_bytes() == b"subwords"

    assert len(store.asked) == 1


def test_subwords_that_cannot_be_had(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    store.files = {}

    with pytest.raises(FetchError, match=r"404 Not Found; or get en\.wiki\.bpe\.vs25000\.model .* --tokenizer"):
        fetch_subwords(lambda _: None, store.address)
