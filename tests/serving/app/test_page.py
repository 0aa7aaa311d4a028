"""The page in headless Chromium."""

import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from pipeline.errors import UserError
from serving.app import serve
from serving.app.asking import Models

CHROMIUM = Path(os.environ.get("AGEGENDER_CHROMIUM", "/usr/bin/chromium"))
PHONE = {"width": 390, "height": 844}
SECONDS = 60_000  # milliseconds that a busy machine may take

needs_chromium = pytest.mark.skipif(
    not CHROMIUM.exists(), reason=f"no {CHROMIUM}: set AGEGENDER_CHROMIUM to a Chromium"
)


@pytest.fixture(scope="module")
def address(models: Models, drawn: list[Path]) -> Iterator[str]:
    with serve.running(models, drawn, host="127.0.0.1") as url:
        yield url


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-background-networking"]
        )
        yield found
        found.close()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """The page, on a phone's screen; it must ask nobody but the machine it came from."""
    found = browser.new_page(viewport=PHONE)  # type: ignore[arg-type]
    found.set_default_timeout(SECONDS)
    asked: list[str] = []
    found.on("request", lambda request: asked.append(request.url))
    found.goto(address)
    found.locator("input[type=file]").first.wait_for(state="attached")
    yield found
    hosts = {
        urlsplit(url).hostname for url in asked if urlsplit(url).scheme not in ("data", "blob")
    }
    assert hosts == {"127.0.0.1"}
    found.close()


def upload(page: Page, path: Path) -> None:
    page.locator("input[type=file]").first.set_input_files(path)


@needs_chromium
def test_an_uploaded_face_is_answered_by_each_model(page: Page, drawn: list[Path]) -> None:
    upload(page, drawn[1])
    face = page.get_by_role("region", name="Face 1")
    expect(face.locator(".age")).to_have_text(re.compile(r"\d+ years 90% between \d+ and \d+"))
    expect(face).to_contain_text(re.compile(r"(female|male) \d+%"))
    expect(page.locator(".box")).to_have_count(1)
    page.get_by_label("second").check()
    expect(face.locator("h4")).to_have_text(["first", "second"])
    first, second = (int(one) for one in face.locator(".age strong").all_inner_texts())
    assert second - first in (9, 10, 11)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


@needs_chromium
def test_several_faces_are_numbered_and_an_example_is_asked_by_keyboard(page: Page) -> None:
    example = page.locator(".gallery-item").first
    example.focus()
    page.keyboard.press("Enter")
    page.locator(".box").first.wait_for()
    numbers = page.locator(".box b").all_inner_texts()
    assert numbers == [str(number + 1) for number in range(len(numbers))]
    assert len(numbers) > 3
    assert page.get_by_role("region", name=re.compile("Face")).count() == len(numbers)


@needs_chromium
def test_the_file_dialog_opens_by_keyboard(page: Page, drawn: list[Path]) -> None:
    page.get_by_role("button", name=re.compile("upload", re.IGNORECASE)).first.focus()
    with page.expect_file_chooser() as chosen:
        page.keyboard.press("Enter")
    chosen.value.set_files(drawn[2])
    expect(page.locator(".age")).to_have_count(1)


@needs_chromium
def test_what_cannot_be_answered_gets_a_sentence(page: Page, bad: dict[Path, str]) -> None:
    for path, words in bad.items():
        upload(page, path)
        expect(page.get_by_role("alert").filter(has_text=words)).to_be_visible()
        assert "Traceback" not in page.content()
        page.get_by_role("button", name="Remove Image").click()
        expect(page.get_by_text("Upload a picture, take one")).to_be_visible()


@needs_chromium
def test_a_text_file_is_not_taken(page: Page, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("Dear model, who is this?")
    upload(page, tmp_path / "note.txt")
    expect(page.get_by_text("Invalid file type: note.txt.")).to_be_visible()


def test_what_was_uploaded_goes_with_the_page(
    models: Models, drawn: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gradio_client import Client, handle_file

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with serve.running(models, drawn, host="127.0.0.1") as url:
        client = Client(url, verbose=False, download_files=False)
        shown = client.predict(handle_file(drawn[1]), False, ["first"], api_name="/ask")
        assert 'class="age"' in shown
        assert list(tmp_path.glob("agegender-page-*/**/*.jpg"))
    assert not list(tmp_path.glob("agegender-page-*"))


def test_a_taken_port_is_said_to_be(models: Models, address: str) -> None:
    port = urlsplit(address).port
    with (
        pytest.raises(UserError, match=f"127.0.0.1:{port} cannot be listened on"),
        serve.running(models, [], host="127.0.0.1", port=port),
    ):
        pass
