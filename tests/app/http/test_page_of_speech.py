"""The page with a model that transcribes; the browser has a microphone that beeps."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, FilePayload, expect, sync_playwright

from omninet.app.engine.engine import Engine
from omninet.app.main import create_app
from omninet.app.settings import Settings
from omninet.model.checkpoint import Checkpoint
from omninet.model.predictor import Predictor
from tests.app.conftest import listening
from tests.app.http.test_page import CHROMIUM, QUIET, Watched
from tests.app.http.test_page import watched as watched  # noqa: PLC0414 - a fixture
from tests.sounds import tone, wav
from tests.toys import with_speech

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")]
MICROPHONE = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*QUIET, *MICROPHONE])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address(toy: Checkpoint) -> Iterator[str]:
    """Return the address of a server with a random network that transcribes."""
    settings, predictor = Settings(device="cpu"), Predictor(with_speech(toy), device="cpu")
    with listening(create_app(settings, Engine([predictor])), settings) as (host, port):
        yield f"http://{host}:{port}/"


def test_a_file_is_played_and_transcribed(watched: Watched) -> None:
    page = watched.show("transcribe")
    speech = FilePayload(name="speech.wav", mimeType="audio/wav", buffer=wav(tone(0.5, 16_000), 16_000))

    with page.expect_response("**/transcribe") as answered:
        page.set_input_files("#file-audio", files=[speech])

    assert answered.value.ok
    expect(page.locator(".preview audio")).to_be_visible()
    assert page.locator(".preview audio").evaluate("player => player.muted") is False
    expect(page.locator("#answer .headline")).not_to_be_empty()
    expect(page.locator("#curl")).to_contain_text("""-F 'audio=@"speech.wav"'""")


def test_the_microphone_is_recorded(watched: Watched) -> None:
    watched.page.context.grant_permissions(["microphone"])
    page = watched.show("transcribe")
    button = page.locator("#record")

    button.click()
    expect(button).to_have_text(re.compile(r"Stop \([1-9] s\)"))
    with page.expect_response("**/transcribe") as answered:
        button.click()

    assert answered.value.ok
    expect(button).to_have_text("Record")
    expect(page.locator("#answer .headline")).not_to_be_empty()


def test_a_page_without_a_microphone_says_so(watched: Watched) -> None:
    watched.page.add_init_script("navigator.mediaDevices.getUserMedia = () => Promise.reject(new Error('denied'))")
    page = watched.show("transcribe")

    page.locator("#record").click()

    expect(page.get_by_role("status").filter(has_text="No microphone")).to_have_text("No microphone can be used here")
