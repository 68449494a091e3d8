"""Takes screenshots of the page: ``python -m tests.app.draw_page`` writes them to ``docs/page``."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from omninet.app.engine.engine import Engine
from omninet.app.main import create_app
from omninet.app.settings import Settings
from omninet.model.predictor import Predictor
from tests.app.conftest import listening
from tests.app.http.test_page import CHROMIUM, QUIET, TABS, Watched

FOLDER = Path(__file__).parents[2] / "docs" / "page"
GROUNDED = ("frisbee.jpg", "sign.jpg", "skateboard.jpg")
DESK, PHONE = {"width": 1120, "height": 800}, {"width": 390, "height": 844}
TOP = {"width": 1120, "height": 860}  # without what is below


def take(
    browser: Browser, address: str, tab: str, name: str, size: dict[str, int], answered: tuple[str | None, str]
) -> None:
    """Take a screenshot of a tab with an answer while a word of it is hovered.

    Args:
        answered: the sample that is asked about, and a selector of what its answer has.
    """
    context = browser.new_context(viewport=size, device_scale_factor=1)  # type: ignore[arg-type]
    page = Watched(context.new_page(), address).show(tab)
    sample, shown = answered
    page.locator(f"#samples button:has([src*='{sample}'])" if sample else "#samples button >> nth=1").click()
    page.wait_for_selector(f"#answer {shown}")
    page.wait_for_timeout(2500)  # a clip's frames are drawn one by one
    page.evaluate("scrollTo(0, 0)" if size is not PHONE else "document.querySelector('.answer').scrollIntoView()")
    if page.locator(".piece").count():
        page.locator(".piece").nth(1 if page.locator(".piece").count() > 1 else 0).hover()
    picture = Image.open(io.BytesIO(page.screenshot(full_page=size is DESK)))
    picture.convert("P", palette=Image.Palette.ADAPTIVE, colors=128).save(FOLDER / f"{name}.png", optimize=True)
    context.close()


def main() -> None:
    """Take screenshots of every tab, of places found in several photos, and of a tab on a phone."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    settings = Settings(device="cpu")
    app = create_app(settings, Engine([Predictor.load(device="cpu")]))
    with listening(app, settings) as (host, port), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        address = f"http://{host}:{port}/"
        for tab, answered in TABS.items():
            take(browser, address, tab, tab, DESK, answered)
        for sample in GROUNDED:
            take(browser, address, "ground", f"ground-{Path(sample).stem}", TOP, (sample, ".headline"))
        take(browser, address, "caption", "phone", PHONE, TABS["caption"])
        browser.close()


if __name__ == "__main__":
    main()
