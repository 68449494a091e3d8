"""Tests of the page with the tasks that compare a picture with a text: boxes, matches, vectors, a choice."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, Route, expect

from omninet.app.engine.engine import Engine
from omninet.app.main import create_app
from omninet.app.settings import Settings
from omninet.model.checkpoint import Checkpoint
from omninet.model.predictor import Predictor
from tests.app.conftest import listening
from tests.app.http.test_page import CHROMIUM, SAMPLES, Watched, change, give
from tests.app.http.test_page import browser as browser  # noqa: PLC0414 - a fixture
from tests.app.http.test_page import watched as watched  # noqa: PLC0414 - a fixture
from tests.toys import with_new_tasks

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")]
PLACES = {
    "boxes": [
        {"box": [64, 48, 320, 240], "relative": [0.1, 0.1, 0.5, 0.5], "probability": 0.71},
        {"box": [384, 288, 576, 432], "relative": [0.6, 0.6, 0.9, 0.9], "probability": 0.2},
    ],
    "absent_probability": 0.05,
}


@pytest.fixture(scope="module")
def address(toy: Checkpoint) -> Iterator[str]:
    """Return the address of a server with a random network that has all tasks."""
    settings, predictor = Settings(device="cpu"), Predictor(with_new_tasks(toy), device="cpu")
    with listening(create_app(settings, Engine([predictor])), settings) as (
        host,
        port,
    ):
        yield f"http://{host}:{port}/"


def show(watched: Watched, tab: str) -> Page:
    """Open a tab and wait for its sample."""
    watched.page.goto(f"{watched.address}#{tab}")
    expect(watched.page.locator(".preview img").first).to_be_visible()
    return watched.page


def answer_with(watched: Watched, path: str, **changed: Any) -> None:
    """Have the server's answers at a path changed before the page gets them."""

    def answer(route: Route) -> None:
        response = route.fetch()
        route.fulfill(response=response, json=response.json() | changed)

    watched.page.route(f"**/{path}", answer)


def ground(watched: Watched, **changed: Any) -> Page:
    answer_with(watched, "ground", **changed)
    page = show(watched, "ground")
    page.click("#run")
    page.wait_for_selector("#answer .headline")
    return page


def place(page: Page, selector: str) -> list[float]:
    box = page.locator(selector).bounding_box()
    assert box is not None
    return [box["x"], box["y"], box["width"], box["height"]]


@pytest.mark.parametrize("size", [(1120, 860), (820, 600), (390, 844)])
def test_boxes_are_over_the_photo_at_every_width(watched: Watched, size: tuple[int, int]) -> None:
    page = ground(watched, **PLACES)

    page.set_viewport_size({"width": size[0], "height": size[1]})

    holders = [".preview", ".beside"] if size[0] <= 800 else [".preview"]
    for holder in holders:
        x, y, width, height = place(page, f"{holder} img")
        expected = [x + 0.1 * width, y + 0.1 * height, 0.4 * width, 0.4 * height]
        assert place(page, f"{holder} .box.best") == pytest.approx(expected, abs=1.5)
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


def test_boxes_and_list_are_linked(watched: Watched) -> None:
    page = ground(watched, **PLACES)
    pointed = page.locator(".preview .box.pointed")
    expect(page.locator("#answer .headline")).to_have_text("Found in 2 places")
    expect(page.locator(".found li")).to_have_count(2)
    expect(page.locator(".found li").first).to_contain_text("Top left")
    expect(page.locator(".found li").first).to_contain_text("Pixels: left 64, top 48, right 320, bottom 240")

    page.hover(".found li >> nth=1")
    expect(pointed).to_have_text("2")
    page.locator(".found button").first.focus()
    page.hover("h1")
    expect(pointed).to_have_text("1")
    page.hover(".preview .box:not(.best)")
    expect(page.locator(".found li.pointed")).to_contain_text("2")


def test_boxes_stay_with_their_photo(watched: Watched) -> None:
    page = ground(watched, **PLACES)

    page.click("#tab-match")
    expect(page.locator(".preview .box")).to_have_count(0)
    page.click("#tab-ground")
    expect(page.locator(".preview .box")).to_have_count(2)
    give(page, "sign.jpg")
    expect(page.locator(".preview .box")).to_have_count(0)


def test_a_thing_that_is_absent(watched: Watched) -> None:
    page = ground(watched, boxes=[], absent_probability=0.87)

    expect(page.locator("#answer .headline")).to_have_text("Not in the picture (87%)")
    expect(page.locator(".box")).to_have_count(0)


def test_candidates_are_sent(watched: Watched) -> None:
    page = show(watched, "ground")

    page.fill("#option-candidates", "[[0, 0, 100, 100], [10, 10, 60, 90]]")
    expect(page.locator("#curl")).to_contain_text("candidates=[[0, 0, 100, 100], [10, 10, 60, 90]]")
    page.click("#run")

    expect(page.locator(".found li")).to_have_count(2)
    expect(page.locator(".preview .box")).to_have_count(2)


def test_a_match_has_score_and_probability(watched: Watched) -> None:
    answer_with(watched, "match", score=-2.0, probability=0.12)
    page = show(watched, "match")

    page.click("#run")

    expect(page.locator("#answer .headline")).to_have_text("It does not fit")
    expect(page.locator("#answer .candidates li")).to_have_text(["It fits12%", "It does not fit88%"])
    expect(page.locator("#answer")).to_contain_text("Score (log-odds): -2.00")


def test_a_vector_can_be_copied_and_its_exit_chosen(watched: Watched) -> None:
    page = show(watched, "embed")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])

    page.select_option("#select-exit", "fast")
    page.click("#run")

    expect(page.locator("#answer .headline")).to_have_text("32 numbers at the exit fast")
    page.click("#answer button:has-text('Copy all')")
    expect(page.locator("#answer button:has-text('Copied')")).to_be_visible()
    assert len(json.loads(page.evaluate("navigator.clipboard.readText()"))) == 32


def test_a_text_can_be_embedded_too(watched: Watched) -> None:
    page = show(watched, "embed")
    assert page.locator("#text-text").count() == 0

    page.select_option("#select-input", "text")
    expect(page.locator("#select-input")).to_be_focused()
    page.fill("#text-text", "a dog in the snow")
    expect(page.locator("#curl")).to_contain_text("--form-string 'text=a dog in the snow'")
    with page.expect_response("**/embed") as answered:
        page.click("#run")
    assert answered.value.status == 200
    page.wait_for_selector("#answer .headline")

    page.select_option("#select-input", "image")
    expect(page.locator(".preview img")).to_be_visible()
    assert page.locator("#text-text").count() == 0


def test_a_tree_is_drawn_as_nested_lists(watched: Watched) -> None:
    sentence = {"tree": "(S (NP the dog) (VP saw (NP a cat)) .)", "log_probability": -1.0}
    answer_with(watched, "parse", sentences=[sentence])
    page = watched.show("parse")

    page.click("#run")

    expect(page.locator(".tree")).to_have_text(re.compile(r"S\s*NP the dog\s*VP\s*saw\s*NP a cat\s*\."))
    expect(page.locator(".tree .tag")).to_have_text(["S", "NP", "VP", "NP"])
    expect(page.locator(".tree > li > ul > li")).to_have_count(3)


def test_a_select_chooses_the_task(watched: Watched) -> None:
    page = show(watched, "verify")
    expect(page.locator("#tabs button:has-text('Verify')")).to_have_count(1)
    page.click("#run")
    expect(page.locator("#answer .candidates")).to_contain_text("contradiction")

    page.select_option("#select-kind", "truth")
    expect(page.locator("#summary")).to_have_text("Whether a statement is true of an image.")
    expect(page.locator("#curl")).to_contain_text("kind=truth")
    page.click("#run")

    expect(page.locator("#answer .candidates li span:first-child")).to_have_count(2)
    expect(page.locator("#answer .candidates")).to_contain_text("false")


def test_a_run_waits_for_the_sample(watched: Watched) -> None:
    def late(route: Route) -> None:
        watched.page.wait_for_timeout(500)
        route.continue_()

    watched.page.route("**/static/samples/*", late)
    page = watched.show("match")

    with page.expect_response("**/match") as answered:
        page.click("#run")

    assert answered.value.status == 200
    expect(page.locator("#answer .headline")).to_be_visible()


def test_an_optional_second_picture(watched: Watched) -> None:
    def second(tasks: list[dict[str, Any]]) -> None:
        use = next(task for task in tasks if task["name"] == "match")["uses"][0]
        image = use["fields"][0]
        other = {"name": "second_image", "role": "second_image", "group": "second_image", "required": False}
        use["fields"].insert(1, image | other)

    page = change(watched, "match", second)
    expect(page.locator("#inputs .media")).to_have_count(2)
    expect(page.locator(".media").nth(1)).to_contain_text("Second image (optional)")
    expect(page.locator("#curl")).not_to_contain_text("second_image")
    page.click("#run")
    page.wait_for_selector("#answer .headline")

    page.set_input_files("#file-second_image", SAMPLES / "table.jpg")
    one, other = place(page, ".media >> nth=0"), place(page, ".media >> nth=1")
    assert one[1] == pytest.approx(other[1], abs=1)
    assert one[0] + one[2] < other[0]
    expect(page.locator("#curl")).to_contain_text("second_image=@")
    page.click("button[aria-label='Remove second image']")
    expect(page.locator("#curl")).not_to_contain_text("second_image")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("tab", ["ground", "match", "embed", "verify", "parse"])
def test_axe_finds_nothing(watched: Watched, tab: str, scheme: str) -> None:
    watched.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    if tab == "ground":
        answer_with(watched, "ground", **PLACES)
    page = watched.show(tab)
    page.click("#run")
    page.wait_for_selector("#answer .headline, #answer .tree")
    page.wait_for_timeout(300)

    found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]})

    assert found.violations_count == 0, found.generate_report()
