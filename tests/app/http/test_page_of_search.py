"""Tests of the page's tab that searches the index of pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from omninet.app.engine.engine import Engine
from omninet.app.main import create_app
from omninet.app.settings import Settings
from omninet.model.checkpoint import Checkpoint
from omninet.model.predictor import Predictor
from tests.app.conftest import listening
from tests.app.http.test_page import CHROMIUM, SAMPLES, Watched
from tests.app.http.test_page import browser as browser  # noqa: PLC0414 - a fixture
from tests.app.http.test_page import watched as watched  # noqa: PLC0414 - a fixture
from tests.toys import with_new_tasks

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")]
PICTURES = [SAMPLES / name for name in ("frisbee.jpg", "table.jpg")]


@pytest.fixture(scope="module")
def random_predictor(toy: Checkpoint) -> Predictor:
    """Return a random network with the tasks of an index."""
    return Predictor(with_new_tasks(toy), device="cpu")


@pytest.fixture
def address(random_predictor: Predictor, tmp_path: Path) -> Iterator[str]:
    """Return the address of a server with a random network and an empty index."""
    settings = Settings(device="cpu", index=str(tmp_path / "index"))
    with listening(create_app(settings, Engine([random_predictor])), settings) as (host, port):
        yield f"http://{host}:{port}/"


@pytest.fixture
def filled(watched: Watched) -> Page:
    """Return the tab after two pictures were added with a text."""
    page = watched.show("search")
    page.fill("#add-text", "A day in Rome")
    page.set_input_files("#add-files", PICTURES)
    expect(page.locator("#added")).to_have_text("Added 2 of 2.")
    expect(page.locator("#indexed")).to_have_text("2 pictures in the index")
    return page


def search(page: Page, **fields: str) -> None:
    for name, value in fields.items():
        page.locator(f"#search-{name}").fill(value)
    page.locator("#search-form .primary").click()


def test_pictures_are_added_and_found(filled: Page) -> None:
    search(filled, text="a day at the table")

    hits = filled.locator(".hits li")
    expect(hits).to_have_count(2)
    expect(hits.first).to_contain_text("similarity")
    expect(hits.first.locator("mark", has_text="day")).to_be_visible()
    for picture in hits.locator("img").all():
        expect(picture).not_to_have_js_property("naturalWidth", 0)


def test_a_hit_leads_to_others_and_can_be_removed(filled: Page) -> None:
    search(filled, text="a dog")
    expect(filled.locator(".hits li")).to_have_count(2)

    filled.locator(".hits li").nth(1).get_by_role("button", name="More like this").click()
    expect(filled.locator("#search-like")).to_contain_text("Like ")
    expect(filled.locator(".hits li")).to_have_count(2)

    filled.locator(".hits li").first.get_by_role("button", name="Remove").click()
    expect(filled.locator(".hits li")).to_have_count(1)
    expect(filled.locator("#indexed")).to_have_text("One picture in the index")


def test_where_a_hit_shows_it(filled: Page) -> None:
    search(filled, text="a dog")
    filled.locator(".hits li").first.get_by_role("button", name="Where?").click()
    expect(filled.locator(".hits .framed .boxes, .hits .framed .note").first).to_be_attached()


def test_searches_by_a_part_of_the_text(filled: Page) -> None:
    filled.locator("#search-panel summary").click()
    search(filled, contains="in rome")
    expect(filled.locator(".hits li")).to_have_count(2)
    search(filled, contains="in paris")
    expect(filled.locator("#found")).to_have_text("Nothing found.")


def test_a_file_that_is_no_picture_is_named(watched: Watched, tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"broken")
    page = watched.show("search")
    page.set_input_files("#add-files", [tmp_path / "broken.jpg", PICTURES[0]])
    expect(page.locator("#added")).to_contain_text("Added 1 of 2.broken.jpg: ")
    assert watched.complaints.pop().startswith("Failed to load resource")


def test_a_search_for_nothing_says_what_is_missing(watched: Watched) -> None:
    page = watched.show("search")
    search(page)
    expect(page.locator("#found [role=alert]")).to_contain_text("text, image, entity or contains")
    assert watched.complaints.pop().startswith("Failed to load resource")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(filled: Page, scheme: str) -> None:
    filled.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    search(filled, text="a day")
    expect(filled.locator(".hits li")).to_have_count(2)
    assert not Axe().run(filled).response["violations"]


def test_no_horizontal_overflow_on_a_narrow_screen(filled: Page) -> None:
    filled.set_viewport_size({"width": 360, "height": 800})
    search(filled, text="a day")
    expect(filled.locator(".hits li")).to_have_count(2)
    assert filled.evaluate("document.documentElement.scrollWidth") <= 360
