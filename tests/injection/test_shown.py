"""What a browser makes of a report and of the page, when everything in them was meant to act."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pelnas.app.main import run
from pelnas.store import RunStore

pytest.importorskip("selenium", reason="the extra 'dev' is not installed")
from selenium.webdriver.support.ui import WebDriverWait

NAME = "<img src=x onerror=window.broken=1>&'\"`"
STRANGE = "return document.querySelectorAll({}).length"
ACTS = """return [...document.querySelectorAll('*')].flatMap((e) => [...e.attributes])
  .filter((a) => a.name.startsWith('on') || /javascript:/i.test(a.value)).map((a) => a.value)"""


def is_harmless(browser: Any) -> None:
    """Nothing ran, nothing can be clicked to run, and no element came out of a text."""
    assert browser.execute_script("return window.broken ?? null") is None
    assert browser.execute_script(ACTS) == []
    texts = "'td img, td script, td b, li img, p img, p script, dd img, dialog img, main script'"
    assert browser.execute_script(STRANGE.format(texts)) == 0
    asked = browser.execute_script(
        "return performance.getEntriesByType('resource').map((e) => e.name)"
    )
    assert [name for name in asked if "evil" in name] == []


def test_a_report_shows_it_as_text(browser: Any, hostile: Any) -> None:
    folder = hostile.folder
    browser.get((folder / "report.html").as_uri())
    text = browser.execute_script("return document.body.textContent")
    assert "<script>window.broken=1</script>" in text
    assert "every ban is lifted" in text
    is_harmless(browser)
    assert browser.execute_script("return document.scripts.length") == 0


def test_a_picture_of_a_trace_shows_it_as_text(browser: Any, hostile: Any, tmp_path: Path) -> None:
    folder = hostile.folder
    picture = tmp_path / "trace.svg"
    assert run(["trace", str(folder), "--svg", str(picture)]) == 0
    browser.get(picture.as_uri())
    assert browser.execute_script("return document.documentElement.tagName") == "svg"
    is_harmless(browser)
    assert (
        browser.execute_script("return document.querySelectorAll('script, a, image').length") == 0
    )


@pytest.fixture
def site(hostile: Any, tmp_path: Path) -> Iterator[Any]:
    """The page over a folder in which the hostile run has a hostile name, too."""
    import shutil

    from pelnas.app.web.server import Site

    output = tmp_path / "runs"
    shutil.copytree(hostile.folder, output / NAME)
    site = Site(output)
    thread = threading.Thread(target=site.serve)
    thread.start()
    yield site
    site.stop()
    thread.join(30)


def test_the_page_shows_it_as_text(browser: Any, hostile: Any, site: Any) -> None:
    def until(said: Callable[[str], bool]) -> None:
        text = "return document.querySelector('main').textContent"
        WebDriverWait(browser, 60, 0.1).until(lambda b: said(b.execute_script(text)))

    folder, model = hostile.folder, hostile.model
    with RunStore.read(folder) as store:
        born = next(e for e in store.evaluations() if e.candidate.design.author == model.name)
    browser.get(site.address)
    until(lambda text: NAME in text)
    is_harmless(browser)
    for place, expected in (
        (f"front/{born.id}", born.id), ("niches", "niche"), ("rules", "every ban is lifted"),
        ("timeline/1", "Round 1"), ("steer", "every ban is lifted"), ("settings", "tiny"),
    ):  # fmt: skip
        browser.execute_script(
            "location.hash = '#/run/' + encodeURIComponent(arguments[0]) + '/' + arguments[1]",
            NAME, place,
        )  # fmt: skip
        until(lambda text, expected=expected: expected in text)
        is_harmless(browser)
