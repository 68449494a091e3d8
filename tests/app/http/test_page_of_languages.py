"""The page with a model that translates."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from omninet.app.engine.engine import Engine
from omninet.app.main import create_app
from omninet.app.settings import Settings
from omninet.model.checkpoint import Checkpoint
from omninet.model.predictor import Predictor
from tests.app.conftest import listening
from tests.app.http.test_page import CHROMIUM, Watched
from tests.app.http.test_page import browser as browser  # noqa: PLC0414 - a fixture
from tests.app.http.test_page import watched as watched  # noqa: PLC0414 - a fixture
from tests.toys import with_translation

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")]


@pytest.fixture(scope="module")
def address(toy: Checkpoint) -> Iterator[str]:
    """Return the address of a server with a random network that translates."""
    settings, predictor = Settings(device="cpu"), Predictor(with_translation(toy), device="cpu")
    with listening(create_app(settings, Engine([predictor])), settings) as (host, port):
        yield f"http://{host}:{port}/"


def test_a_direction_is_chosen(watched: Watched) -> None:
    page = watched.show("translate")
    select = page.get_by_label("Source and target")

    select.select_option("de-en")
    expect(page.locator("#summary")).to_have_text("A German text in English.")
    expect(page.locator("#curl")).to_contain_text('"source":"de","target":"en"')
    with page.expect_response("**/translate") as answered:
        page.click("#run")

    translation = answered.value.json()["translation"]
    expect(page.locator("#answer .headline")).to_have_text(translation.strip())
