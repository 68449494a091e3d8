"""Generator of mixed traffic: valid and invalid requests of all kinds."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from tests.robustness.bombs import deep_exif, gif_canvas, many_scans, png, vp8_sized
from tests.robustness.mutations import SAMPLES, mutated
from tests.robustness.playlists import references
from tests.robustness.traffic import MEDIA_PATHS, PARTS, Ask, Upload, ask
from tests.sounds import tone, wav

T = TypeVar("T")
TEXT = "The quick brown fox didn't jump over the lazy dog. It slept."
SHARES = {
    "good": 64,
    "streamed": 5,
    "index": 6,
    "mutated": 10,
    "hurried": 5,
    "gone": 4,
    "malformed": 3,
    "playlist": 2,
    "bomb": 1,
}


STATEMENT = "A man throws a frisbee."


def one_of_each() -> list[Ask]:
    """Return a valid request to each endpoint of a task, and to each of several tasks of an endpoint."""
    image, clip = (SAMPLES / "frisbee.jpg").read_bytes(), (SAMPLES / "tennis.webm").read_bytes()
    files = {"image": image, "video": clip, "audio": wav(tone(1, 8000), 8000)}
    asks = [ask(path, Upload(files[part])) for part, paths in PARTS.items() for path in paths]
    asks += [Ask(path, {"json": {"text": TEXT}}) for path in ("/pos", "/entities")]
    asks.append(Ask("/translate", {"json": {"text": [STATEMENT, "Two dogs."], "source": "en", "target": "de"}}))
    return [*asks, *_about_a_photo({"image": image})]


def _about_a_photo(photo: dict[str, bytes]) -> list[Ask]:
    fields: list[tuple[str, dict[str, str]]] = [
        ("/caption", {"language": "de"}),
        ("/match", {"text": STATEMENT}),
        ("/embed", {"exit": "best"}),
        ("/ground", {"phrase": "a frisbee"}),
        ("/verify", {"statement": STATEMENT}),
        ("/verify", {"statement": STATEMENT, "kind": "truth"}),
        ("/classify", {}),
        ("/read", {"mode": "word"}),
        ("/read", {}),
    ]
    return [Ask(path, {"files": photo, "data": data}, f"{path} {data}") for path, data in fields]


def of_an_index() -> list[Ask]:
    """Return requests that add to an index and search it."""
    photos = [(SAMPLES / f"{name}.jpg").read_bytes() for name in ("frisbee", "table", "sign")]
    added = [Ask("/index", {"files": {"image": photo}, "data": {"read": "true"}}) for photo in photos]
    return [*added, Ask("/search", {"data": {"text": STATEMENT}}), Ask("/search", {"data": {"contains": "stop"}})]


class Mix:
    """Endless iterator over requests in the proportions of SHARES; ``note`` is the kind of a request."""

    def __init__(self, seed: int = 0) -> None:
        self._generator = random.Random(seed)
        self._good, of_index = one_of_each(), of_an_index()
        texts = (made for made in self._good if made.path in {"/caption", "/transcribe", "/video-caption"})
        self._streamed = [self._with(made, data={**made.arguments.get("data", {}), "stream": "true"}) for made in texts]
        self._mutated = list(mutated(200, seed))
        self._bombs = [png(20_000, 20_000), gif_canvas(65_535, 65_535), vp8_sized(16_383, 16_383), deep_exif(3_000)]
        self._bombs.append(many_scans(2_000, 2_000, 1_000))
        self._makers: dict[str, Callable[[], Ask]] = {
            "good": lambda: self._choose(self._good),
            "streamed": lambda: self._choose(self._streamed),
            "index": lambda: self._choose(of_index),
            "mutated": lambda: self._sent(self._choose(self._mutated)),
            "hurried": lambda: self._with(self._choose(self._good), headers={"X-Timeout-Seconds": "0.3"}),
            "gone": lambda: self._with(self._choose(self._good), timeout=self._generator.uniform(0.01, 1)),
            "malformed": lambda: self._choose(malformed()),
            "playlist": lambda: self._sent(Upload(self._choose(self._playlists()))),
            "bomb": lambda: self._sent(Upload(self._choose(self._bombs))),
        }

    def __iter__(self) -> Iterator[Ask]:
        """Yield requests endlessly."""
        while True:
            (kind,) = self._generator.choices(list(SHARES), list(SHARES.values()))
            made = self._makers[kind]()
            yield Ask(made.path, made.arguments, kind)

    def _sent(self, upload: Upload) -> Ask:
        return ask(self._choose(MEDIA_PATHS), upload)

    def _with(self, made: Ask, **arguments: object) -> Ask:
        return Ask(made.path, {**made.arguments, **arguments})

    def _playlists(self) -> list[bytes]:
        return [text.encode() for text in references("http://127.0.0.1:9/clip.mp4").values()]

    def _choose(self, things: Sequence[T]) -> T:
        return self._generator.choice(things)


def malformed() -> list[Ask]:
    """Return requests that are invalid apart from any file."""
    multipart = {"Content-Type": "multipart/form-data; boundary=x"}
    return [
        Ask("/pos", {"content": b'{"text": ', "headers": {"Content-Type": "application/json"}}),
        Ask("/pos", {"json": {"text": 5}}),
        Ask("/pos", {"json": {}}),
        Ask("/pos", {"content": b"text", "headers": {"Content-Type": "text/plain"}}),
        Ask("/caption", {"content": b"no boundary in it", "headers": multipart}),
        Ask("/caption", {"content": b"", "headers": multipart}),
        Ask("/caption", {"files": {"picture": b"x"}}),
        Ask("/caption", {"files": {"image": b"x"}, "data": {"beams": "many"}}),
        Ask("/vqa", {"data": {"question": "no image?"}}),
        Ask("/video-qa", {"files": {"video": b""}, "data": {"question": ""}}),
        Ask("/nowhere", {"json": {}}),
    ]
