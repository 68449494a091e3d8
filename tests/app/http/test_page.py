"""Tests of the page in a real browser: tabs, keyboard, narrow screens and accessibility (axe).

Needs Chromium, which ``.ci/run`` installs; Playwright uses it and downloads no browser.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Route, expect, sync_playwright

from omninet.app.engine.engine import Engine
from omninet.app.http.samples import STATIC
from omninet.app.main import create_app
from omninet.app.settings import Settings
from omninet.model.predictor import Predictor
from tests.app.conftest import listening

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
SAMPLES = STATIC / "samples"
TABS = {
    "caption": ("frisbee.jpg", ".piece"),
    "vqa": ("table.jpg", ".candidates"),
    "pos": (None, ".tagged"),
    "activity": ("pitcher.webm", ".strip"),
    "video-caption": ("tennis.webm", ".strip"),
    "video-qa": ("tennis.webm", ".strip"),
    "read": ("sign.jpg", ".found"),
}
pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Return the address of a server with the bundled model."""
    settings = Settings(device="cpu")
    with listening(create_app(settings, Engine([Predictor.load(device="cpu")])), settings) as (host, port):
        yield f"http://{host}:{port}/"


class Watched:
    """A page with a record of its errors and warnings."""

    def __init__(self, page: Page, address: str) -> None:
        self.page, self.address = page, address
        self.complaints: list[str] = []
        page.on("console", self._heed)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", self._hold)
        page.set_default_timeout(20_000)

    def _heed(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _hold(self, request: Request) -> None:
        if not request.url.startswith((self.address, "blob:")):
            self.complaints.append(f"a request to {request.url}")

    def show(self, tab: str) -> Page:
        self.page.goto(f"{self.address}#{tab}")
        expect(self.page.locator("#model")).to_contain_text(re.compile("omninet-bundled|toy"))
        return self.page


@contextmanager
def opened(browser: Browser, address: str) -> Iterator[Watched]:
    """Open a page in a new browser context."""
    context = browser.new_context(viewport={"width": 1120, "height": 860}, permissions=["clipboard-write"])
    watched = Watched(context.new_page(), address)
    yield watched
    context.close()
    assert not watched.complaints


@pytest.fixture
def watched(browser: Browser, address: str) -> Iterator[Watched]:
    with opened(browser, address) as watched:
        yield watched


def give(page: Page, name: str | None) -> None:
    if name is not None:
        page.set_input_files(".media input >> nth=0", SAMPLES / name)


def ask(watched: Watched, tab: str) -> Page:
    """Upload a file on a tab and wait for the answer."""
    page = watched.show(tab)
    name, shown = TABS[tab]
    give(page, name)
    # These tabs send the request as soon as a file is chosen.
    if tab not in ("caption", "activity", "video-caption", "read"):
        page.click("#run")
    page.wait_for_selector(f"#answer {shown}")
    return page


@pytest.fixture(scope="module", params=TABS)
def answered(browser: Browser, address: str, request: pytest.FixtureRequest) -> Iterator[tuple[str, Page]]:
    """Return a tab and its page with an answer, shared by read-only tests."""
    with opened(browser, address) as watched:
        yield request.param, ask(watched, request.param)


def test_every_tab_answers(answered: tuple[str, Page]) -> None:
    tab, page = answered

    assert page.locator("#answer .headline, #answer .tagged").first.inner_text().strip()
    expect(page.locator("#answer .timings")).to_contain_text("decode")
    assert f"/{tab}" in page.locator("#curl").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(answered: tuple[str, Page], scheme: str) -> None:
    _, page = answered
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.wait_for_timeout(300)

    found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]})

    assert found.violations_count == 0, found.generate_report()


def heat(page: Page) -> int:
    """Return the number of strong pixels of the heat map over the photo."""
    strong: int = page.evaluate(
        """() => {
            const canvas = document.querySelector(".preview .heat");
            if (!canvas) return 0;
            const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            return data.filter((value, i) => i % 4 === 3 && value > 128).length;
        }"""
    )
    return strong


def test_pointing_at_a_word_shows_where_the_model_looked(watched: Watched) -> None:
    page = ask(watched, "caption")
    assert heat(page) == 0

    page.hover(".piece >> nth=1")
    photo = page.locator(".preview img").bounding_box()
    assert page.locator(".preview .heat").bounding_box() == pytest.approx(photo, abs=1)
    assert heat(page) > 100

    page.hover("h1")
    assert heat(page) == 0


def test_on_a_phone_the_photo_is_beside_the_answer(watched: Watched) -> None:
    watched.page.set_viewport_size({"width": 390, "height": 844})
    page = ask(watched, "caption")

    page.locator(".piece").nth(3).focus()

    expect(page.locator(".beside img")).to_be_in_viewport()
    boxes = [page.locator(f".beside {part}").bounding_box() for part in ("img", ".heat")]
    assert boxes[1] == pytest.approx(boxes[0], abs=1)


def boxes_of(page: Page, selector: str) -> list[Any]:
    found: list[Any] = page.locator(selector).evaluate_all(
        "all => all.map((each) => each.getBoundingClientRect().toJSON())"
    )
    return found


@pytest.mark.parametrize("tab", ["caption", "vqa", "video-qa"])
def test_on_a_phone_the_answer_is_in_view(browser: Browser, address: str, tab: str) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True)
    watched = Watched(context.new_page(), address)
    page = ask(watched, tab)

    page.wait_for_timeout(500)
    for part in ("#answer-title", "#answer .headline", "#answer .truth, #answer h3 >> nth=0"):
        expect(page.locator(part).first).to_be_in_viewport(ratio=1)
    expect(page.locator(".choose .muted").first).not_to_contain_text("drop", use_inner_text=True)
    expect(page.locator(".choose .muted").first).to_contain_text("J" if tab != "video-qa" else "mp4")
    context.close()
    assert not watched.complaints


def test_an_empty_question_is_marked(watched: Watched) -> None:
    page = watched.show("vqa")
    page.fill("#text-question", " ")
    page.click("#run")

    expect(page.get_by_role("alert")).to_contain_text("empty_question")
    field = page.locator("#text-question")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_be_focused()
    assert Axe().run(page).violations_count == 0
    page.fill("#text-question", "What is it?")
    assert field.get_attribute("aria-invalid") is None
    watched.complaints = [text for text in watched.complaints if "422" not in text]  # that Chromium logs itself


def test_the_probability_of_a_text_is_in_plain_words(watched: Watched) -> None:
    page = ask(watched, "caption")

    expect(page.locator("#answer")).to_contain_text("Probability of exactly this text: 1 in 37,000")


def test_an_unlikely_answer_is_marked(watched: Watched) -> None:
    page = ask(watched, "vqa")
    threshold = page.evaluate("fetch('tasks').then((r) => r.json())")["tasks"]
    threshold = next(task["confidence"]["threshold"] for task in threshold if task["name"] == "vqa")
    answer = json.loads(page.locator("#answer details code").text_content() or "")

    assert answer["confidence"] < threshold
    percent = 100 * answer["confidence"]
    expected = f"Not sure. {percent:.{0 if percent >= 10 else 1}f}% likely to be right."
    expect(page.locator("#answer .confidence.unsure")).to_have_text(expected)


def test_without_calibration_nothing_is_said_of_confidence(watched: Watched) -> None:
    def uncalibrated(route: Route) -> None:
        response = route.fetch()
        route.fulfill(response=response, json=response.json() | {"confidence": None})

    watched.page.route("**/pos", uncalibrated)
    page = ask(watched, "pos")

    expect(page.locator("#answer .confidence")).to_have_count(0)


def test_the_strip_marks_moments_and_goes_to_them(watched: Watched) -> None:
    page = ask(watched, "video-caption")

    expect(page.locator(".strip button")).to_have_count(16)
    assert all(box["width"] >= 120 for box in boxes_of(page, ".strip canvas.heat"))
    expect(page.locator(".moments i")).to_have_count(16)
    page.click(".strip button >> nth=8")
    expect(page.locator(".preview video")).not_to_have_js_property("currentTime", 0)
    assert page.locator(".preview video").evaluate("video => video.currentTime") > 1
    widths = [page.locator(".strip .bar i").nth(i).evaluate("bar => parseFloat(bar.style.width)") for i in range(16)]
    assert max(widths) == 100
    page.hover(".piece >> nth=2")
    other = [page.locator(".strip .bar i").nth(i).evaluate("bar => parseFloat(bar.style.width)") for i in range(16)]
    assert other != widths


def test_a_caption_appears_word_by_word(watched: Watched) -> None:
    page = watched.show("caption")
    page.evaluate(
        """() => {
            window.seen = new Set();
            new MutationObserver(() => window.seen.add(document.querySelector(".headline")?.textContent ?? ""))
                .observe(document.getElementById("answer"), { childList: true, subtree: true, characterData: true });
        }"""
    )

    give(page, "table.jpg")
    page.wait_for_selector(".piece")

    whole = page.locator(".headline").inner_text()
    seen = page.evaluate("[...window.seen]")
    assert [text for text in seen if text and text != whole and whole.startswith(text)]


def test_broken_file_shows_the_error_message(watched: Watched, tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    page = watched.show("caption")

    page.set_input_files(".media input >> nth=0", tmp_path / "broken.jpg")

    expect(page.get_by_role("alert")).to_contain_text("not a readable image")
    expect(page.get_by_role("alert")).to_contain_text("not_an_image")
    expect(page.locator(".preview")).to_have_text("broken.jpg (no preview)")
    watched.complaints = [text for text in watched.complaints if "422" not in text]  # that Chromium logs itself


def test_with_the_keyboard_alone(watched: Watched) -> None:
    page = watched.show("caption")
    page.wait_for_selector(".preview img")
    page.focus("#tab-caption")

    page.keyboard.press("ArrowRight")
    expect(page.locator("#tab-vqa")).to_be_focused()
    page.keyboard.press("ArrowLeft")
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "run":
            break
    page.keyboard.press("Enter")
    page.wait_for_selector(".piece")
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.className") == "piece":
            break

    assert heat(page) > 100


@pytest.mark.parametrize("tab", TABS)
def test_no_horizontal_overflow_on_a_narrow_screen(watched: Watched, tab: str) -> None:
    watched.page.set_viewport_size({"width": 390, "height": 844})

    page = ask(watched, tab)

    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.locator("#run").scroll_into_view_if_needed()
    box = page.locator("#run").bounding_box()
    assert box is not None
    assert box["height"] >= 40


def test_heat_map_covers_the_input_of_the_model(watched: Watched) -> None:
    page = watched.show("caption")

    def covered(treatment: str, share: float, window: str, width: int, height: int) -> list[float]:
        area: list[float] = page.evaluate(
            "async ([...given]) => (await import('./static/attention.js')).covered(...given)",
            [{"treatment": treatment, "share": share, "window": window}, width, height],
        )
        return area

    assert covered("squash", 1, "middle", 640, 480) == [0, 0, 1, 1]
    assert covered("squash", 0.75, "corner", 640, 480) == [0, 0, 0.75, 0.75]
    assert covered("crop", 0.8, "middle", 800, 400) == pytest.approx([0.3, 0.1, 0.4, 0.8])
    assert covered("pad", 1, "middle", 800, 400) == pytest.approx([0, -0.5, 1, 2])
    assert covered("pad", 0.5, "middle", 800, 400) == pytest.approx([0.25, 0, 0.5, 1])
    assert covered("pad", 0.5, "corner", 800, 400) == pytest.approx([0, -0.5, 0.5, 1])


def change(watched: Watched, tab: str, how: Callable[[list[dict[str, Any]]], Any]) -> Page:
    """Open a tab with a modified response of /tasks."""

    def answer(route: Route) -> None:
        body = route.fetch().json()
        how(body["tasks"])
        route.fulfill(json=body)

    watched.page.route("**/tasks", answer)
    return watched.show(tab)


def test_the_page_says_what_the_model_knows_and_its_licence(watched: Watched) -> None:
    about = watched.show("pos").locator("#about")

    expect(about).to_contain_text("6,000 photos, mostly of people and dogs outdoors")
    expect(about).to_contain_text("Licence of the weights: Non-commercial research only.")
    for link in ("Model card", "Non-commercial research only"):
        response = watched.page.request.get(str(about.get_by_role("link", name=link).evaluate("link => link.href")))
        assert response.ok
        assert "Flickr8k" in response.text()


def test_the_page_of_a_model_without_card_and_licence(watched: Watched) -> None:
    def answer(route: Route) -> None:
        body = route.fetch().json()
        body["model"] |= {"summary": "", "licence": ""}
        route.fulfill(json=body)

    watched.page.route("**/tasks", answer)
    about = watched.show("pos").locator("#about")

    expect(about).to_contain_text("Its tasks: ")
    expect(about).to_contain_text("No licence of the weights is stated.")


def titles(page: Page) -> list[str]:
    return page.locator("#tabs button").all_inner_texts()


def test_tabs_follow_the_served_tasks(watched: Watched) -> None:
    page = watched.show("caption")
    images = ["Describe an image", "Ask about an image", "Read a scene", "Match a text", "Embed", "Find a thing"]
    images.append("Verify a statement")
    texts = ["Tag words", "Find names", "Translate to German"]
    others = ["Name an activity", "Describe a video", "Ask about a video", "Transcribe speech"]
    assert titles(page) == [*images, "Name a thing", *texts, *others, "Search pictures"]

    page = change(
        watched, "pos", lambda tasks: tasks.__setitem__(slice(None), [t for t in tasks if t["name"] == "pos"])
    )
    page.reload()
    expect(page.locator("#tabs button")).to_have_text(["Tag words", "Search pictures"])


def test_unknown_output_is_shown_as_json(watched: Watched) -> None:
    page = change(watched, "pos", lambda tasks: [task.update(output="unheard") for task in tasks])

    page.click("#run")

    expect(page.locator("#answer .plain")).to_contain_text('"sentences"')
    watched.complaints = [text for text in watched.complaints if "404" not in text]  # that Chromium logs itself


def test_several_files_and_json(watched: Watched) -> None:
    """Each upload field has a file chooser; a sample fills the first empty one."""

    def double(tasks: list[dict[str, Any]]) -> None:
        use = next(task for task in tasks if task["name"] == "vqa")["uses"][0]
        image, question = use["fields"]
        other = question | {"name": "places", "role": "places", "group": "places", "text": False}
        sides = [image | {"name": side, "role": side, "group": side} for side in ("left", "right")]
        use["fields"] = [*sides, question, other]

    page = change(watched, "vqa", double)

    page.set_input_files("#file-right", SAMPLES / "table.jpg")
    expect(page.locator("#inputs .media")).to_have_count(2)
    expect(page.locator(".preview img")).to_have_count(2)  # the left one has the sample of the other tab
    page.fill("#text-places", "[1, 2]")
    expect(page.locator("#curl")).to_contain_text("""-F 'right=@"table.jpg"'""")
    expect(page.locator("#curl")).to_contain_text("--form-string 'places=[1, 2]'")
    page.click("#run")
    expect(page.get_by_role("alert")).to_contain_text("'image' is missing")
    watched.complaints = [text for text in watched.complaints if "422" not in text]


def test_the_page_waits_for_the_model(watched: Watched) -> None:
    loading = [True]

    def answer(route: Route) -> None:
        if loading:
            route.fulfill(status=503, json={"error": {"code": "not_ready"}})
        else:
            route.continue_()

    watched.page.route("**/tasks", answer)
    watched.page.goto(watched.address)
    expect(watched.page.locator("#model")).to_contain_text("being loaded")
    expect(watched.page.locator("#panel")).to_be_hidden()

    loading.clear()

    expect(watched.page.locator("#tabs button")).to_have_count(16)
    expect(watched.page.locator("#panel")).to_be_visible()
    watched.complaints = [text for text in watched.complaints if "503" not in text]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_documentation_of_the_api_needs_no_other_host(watched: Watched, scheme: str) -> None:
    """Watched complains about requests to other hosts, and about what the Content-Security-Policy stops."""
    page = watched.page
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.goto(f"{watched.address}docs")
    expect(page.locator(".info .title")).to_contain_text("OmniNet")
    expect(page.locator(".opblock-post")).to_have_count(23)

    page.click("#operations-pos-pos .opblock-summary-control >> nth=0")
    page.click("#operations-pos-pos .try-out__btn")
    page.click("#operations-pos-pos .execute")

    expect(page.locator("#operations-pos-pos .live-responses-table .response-col_status").last).to_contain_text("200")


def test_answers_about_samples_are_beside_the_truth(watched: Watched) -> None:
    page = watched.show("vqa")
    page.click("#samples button:has([src*='sign.jpg'])")

    expect(page.locator("#answer .truth")).to_have_text("Right. What is there: red.")
    page.click("#samples button:has([src*='skateboard.jpg'])")
    expect(page.locator("#answer .truth")).to_have_text("Wrong. What is there: skateboarding.")

    page.fill("#text-question", "Who is there?")
    page.click("#run")
    page.wait_for_selector("#answer .candidates")
    expect(page.locator("#answer .truth")).to_have_count(0)


def test_a_sample_has_its_source_and_licence_beside_it(watched: Watched) -> None:
    page = watched.show("caption")

    expect(page.locator(".credit")).to_have_text("Photo 212679 of COCO, from Flickr, CC BY-SA 2.0")
    addresses = page.locator(".credit a").evaluate_all("links => links.map((link) => link.href)")
    assert [address.split("/")[2] for address in addresses] == ["farm4.staticflickr.com", "creativecommons.org"]

    page.set_input_files(".media input >> nth=0", SAMPLES / "sign.jpg")
    expect(page.locator(".credit")).to_have_text("")
