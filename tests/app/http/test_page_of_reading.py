"""The page with a model that reads: it finds one word in every picture."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import expect

from omninet.app.engine.engine import Engine
from omninet.app.http.search import requests
from omninet.app.main import create_app
from omninet.app.settings import Settings
from omninet.model.checkpoint import Checkpoint
from omninet.model.outputs.scene import output as scenes
from omninet.model.outputs.scene.box import WordBox
from omninet.model.predictor import Predictor
from tests.app.conftest import listening
from tests.app.http.test_page import CHROMIUM, SAMPLES, Watched, give
from tests.app.http.test_page import browser as browser  # noqa: PLC0414 - a fixture
from tests.app.http.test_page import watched as watched  # noqa: PLC0414 - a fixture
from tests.toys import with_scenes

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")]


@pytest.fixture(scope="module")
def address(toy: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of a server with a random network that reads, and an index."""
    settings = Settings(device="cpu", index=str(tmp_path_factory.mktemp("index") / "index"))
    predictor = Predictor(with_scenes(toy), device="cpu")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scenes, "_found", lambda *_: [WordBox(60, 40, 80, 20, 0.1)])
        patch.setattr(scenes.SceneGoal, "least", 0.0)
        patch.setattr(scenes, "LEAST", 0.0)
        patch.setattr(requests, "READ_OPTIONS", {"least": 0.0})
        with listening(create_app(settings, Engine([predictor])), settings) as (host, port):
            yield f"http://{host}:{port}/"


def test_words_are_drawn_where_they_stand_and_copied_by_a_click(watched: Watched) -> None:
    page = watched.show("read")
    give(page, "table.jpg")
    page.wait_for_selector("#answer ol.found")

    expect(page.locator(".preview polygon.written")).to_have_count(1)
    word = page.locator("#answer ol.found li button")
    expect(page.locator("#answer .headline")).to_have_text(word.inner_text())
    word.hover()
    expect(page.locator(".preview polygon.pointed")).to_have_count(1)
    word.click()
    expect(word).to_have_text("Copied")


def test_a_word_alone(watched: Watched) -> None:
    page = watched.show("read")
    give(page, "table.jpg")
    page.wait_for_selector("#answer ol.found")

    page.select_option("#select-mode", "word")
    expect(page.locator("#select-mode")).to_be_focused()
    expect(page.locator("#summary")).to_contain_text("The word that is written")
    with page.expect_response("**/read") as answered:
        page.click("#run")

    assert answered.value.ok
    expect(page.locator("#answer .headline")).to_be_visible()
    expect(page.locator("#answer")).to_contain_text("Probability")
    expect(page.locator(".preview polygon.written")).to_have_count(0)
    expect(page.locator("#curl")).to_contain_text("'mode=word'")


def test_a_search_shows_the_words_that_it_found(watched: Watched) -> None:
    with (SAMPLES / "table.jpg").open("rb") as photo:
        added = httpx.post(f"{watched.address}index", files={"image": photo}, data={"read": "true"}).json()
    (word,) = httpx.get(f"{watched.address}index/{added['id']}").json()["words"]
    page = watched.show("search")

    page.locator("#search-panel summary").click()
    page.fill("#search-contains", word["text"])
    page.locator("#search-form .primary").click()

    expect(page.locator(".hits li")).to_contain_text(f"written: {word['text']}")
    expect(page.locator(".hits polygon.written")).to_have_count(1)
