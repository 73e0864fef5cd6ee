"""The page in a real browser: a search is started, watched, steered and inspected by clicking."""

import json
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from fakes import agents, one_rule, plan, proposed
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException, TimeoutException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select, WebDriverWait

from pelnas import Search, SearchConfig
from pelnas.agents.testing.scripted import ScriptedModel
from pelnas.app import launch
from pelnas.app.web.server import Site
from pelnas.architecture import Candidate, Cost, Design, Prediction
from pelnas.calls.call import Message
from pelnas.directives import Boundary, parse
from pelnas.spaces import get_space
from pelnas.store import RunStore, Sources

PATIENCE = 60  # seconds: a machine under load, not what a person waits
EVIL = '<img src=x onerror="window.broken=1"><b>bold</b></script>'
# Plotly tries to inline a style sheet of one of its kinds of map, which the page's policy refuses.
KNOWN = ("Applying inline style violates",)
TABS = ("front", "niches", "rules", "timeline", "steer", "settings")
TICKS = "return [...document.querySelectorAll('.axes .xtick text')].map((t) => t.textContent)"
SPACE = get_space("tiny")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    reader = ScriptedModel(lambda *_: '{"intent": "pause"}')
    site = Site(tmp_path_factory.mktemp("page") / "runs", 0, reader)
    site.output.mkdir()
    thread = threading.Thread(target=site.serve)
    thread.start()
    with started() as searches:
        yield site
        site.stop()
        thread.join(30)
        for search in searches:  # one whose test failed would go on beside all others
            search.kill()


@contextmanager
def started() -> Iterator[list[subprocess.Popen[str]]]:
    """The searches that are started within a block."""
    searches, begin = [], launch.subprocess.Popen

    def kept(*arguments: Any, **options: Any) -> subprocess.Popen[str]:
        searches.append(begin(*arguments, **options))
        return searches[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(launch.subprocess, "Popen", kept)
        yield searches


@pytest.fixture
def page(browser: webdriver.Chrome, site: Site) -> Iterator["Page"]:
    page = Page(browser, site)
    page.open()
    yield page
    assert page.complaints() == []
    assert page.foreign() == []


@pytest.fixture(scope="module")
def written(site: Site, tiny_tables: Path) -> str:
    """A finished run whose models put markup into everything that they write."""
    model = ScriptedModel(answer)
    config = SearchConfig(
        space="tiny", device="toy", dataset="toy10", data=tiny_tables, accuracy="table", rounds=3,
        per_niche=4, output=site.output, name="written", model=model.name,
    )  # fmt: skip
    return Search(config, {model.name: model}).run().folder.name


@pytest.fixture(scope="module")
def others(site: Site, tiny_tables: Path) -> list[str]:
    """Two more finished runs of the same search, as ``pelnas compare`` makes them."""
    config = SearchConfig(
        space="tiny", device="toy", dataset="toy10", data=tiny_tables, accuracy="table", rounds=3,
        per_niche=4, output=site.output, name="compare",
    )  # fmt: skip
    seeds = (config.model_copy(update={"seed": seed}) for seed in (1, 2))
    return [Search(one).run().folder.name for one in seeds]


@pytest.fixture(scope="module")
def triples(site: Site) -> list[str]:
    """Two finished runs that minimise latency and energy; what is cheap takes much energy."""
    costs = ("latency", "energy")
    return [recorded(site, name, shift, objectives=costs) for shift, name in enumerate(("a", "b"))]


def recorded(site: Site, name: str, shift: float = 0.0, **settings: Any) -> str:
    """The name of a finished run of a round, as if these places had been found by it."""
    values: dict[str, Any] = {"space": "tiny", "device": "toy", "rounds": 1} | settings
    with RunStore.create(SearchConfig(**values, output=site.output, name=name)) as store:
        store.set_sources(Sources("toy10", "accuracy, %", "a table", "a table"))
        store.set_niches(["all"])
        cells = [SPACE.format(SPACE.at(10 * i)) for i in range(4)]
        ids = store.replace_designs(0, 0, [Design(c, "openai:x", "free") for c in cells], [])
        for id_, (ms, mj, score) in zip(ids, PLACES, strict=True):
            store.record_prediction(id_, Prediction(score), 10, 20.0)
            store.record_cost(id_, Cost(ms + shift, energy_mj=mj))
        store.event("round-done", round=0, seconds=1.0)
        store.finish("all rounds done")
        return store.name


#: Latency, energy, score: the last beats the third in every objective, and nothing else.
PLACES = ((1.0, 9.0, 50.0), (2.0, 5.0, 50.0), (3.0, 4.0, 60.0), (3.0, 3.0, 61.0))


def dealt(messages: Sequence[Message]) -> dict[str, Any]:
    start = len(messages[-1].content)
    cells = [SPACE.format(SPACE.at((start + 7 * i) % SPACE.size)) for i in range(20)]
    return proposed(cells, parents=[], rationale=EVIL)


#: A planner, a designer and a reflection with too much to say.
answer = agents(plan([0], 4, EVIL), dealt, one_rule("nor_conv_3x3 >= 1", EVIL))


class Neighbour:
    """Another server of this machine, on a port of its own: keeps what browsers send it."""

    def __init__(self) -> None:
        self.heard: list[dict[str, str]] = []
        neighbour = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                neighbour.heard.append({k.lower(): v for k, v in self.headers.items()})
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(b"<!DOCTYPE html><title>neighbour</title>")

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(30.0)


class Page:
    """What a person sees and does."""

    def __init__(self, browser: webdriver.Chrome, site: Site) -> None:
        self.browser, self.site = browser, site
        self._wait = WebDriverWait(
            browser, PATIENCE, 0.1, ignored_exceptions=[StaleElementReferenceException]
        )

    def open(self, fragment: str = "") -> None:
        self.browser.get("about:blank")  # else only what follows # changes, and nothing is loaded
        self.browser.get(self.site.address + fragment.removeprefix("#"))

    def go(self, fragment: str) -> None:
        self.browser.execute_script("location.hash = arguments[0]", fragment)

    def one(self, selector: str) -> WebElement:
        """The element, once it is there."""
        return self._wait.until(lambda b: b.find_element(By.CSS_SELECTOR, selector))

    def all(self, selector: str) -> list[WebElement]:
        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector: str) -> str:
        return str(
            self.script("return document.querySelector(arguments[0])?.textContent ?? ''", selector)
        )

    def click(self, selector: str, text: str = "") -> None:
        """Click the first of these elements that shows this text, once there is one."""

        def found(_: webdriver.Chrome) -> WebElement | None:
            return next(
                (e for e in self.all(selector) if text in e.text and e.is_displayed()), None
            )

        element = self.until(lambda: found(self.browser))
        self.script("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()

    def until(self, condition: Callable[[], Any]) -> Any:
        """Wait for it; where it does not come, say what the page showed."""
        try:
            return self._wait.until(lambda _: condition())
        except TimeoutException as late:
            raise AssertionError(
                f"not in {PATIENCE} s; the page shows {self.text('main')}"
            ) from late

    def script(self, source: str, *arguments: Any) -> Any:
        return self.browser.execute_script(source, *arguments)

    def command(self, text: str) -> None:
        """Ask for something in the conversation and say yes to what is said back."""
        before = len(self.all(".given b"))
        self.one("#command").send_keys(text, Keys.ENTER)
        self.click(".steer .tools button", "Yes")
        self.until(lambda: len(self.all(".given b")) > before)
        assert text in self.text(".talk")

    def complaints(self) -> list[str]:
        """What the browser did not like."""
        messages = [entry["message"] for entry in self.browser.get_log("browser")]
        return [m for m in messages if not any(known in m for known in KNOWN)]

    def foreign(self) -> list[str]:
        """Addresses outside the server that anything was asked of."""
        asked = self.script("return performance.getEntriesByType('resource').map((e) => e.name)")
        own = f"http://127.0.0.1:{self.site.port}/"
        return [name for name in asked if not name.startswith((own, "data:"))]


def under_the_ban(folder: Path) -> list[Candidate]:
    """What was designed since 1x1 convolutions are banned."""
    with RunStore.read(folder) as store:
        (ban,) = [d for d in store.directives() if "nor_conv_1x1" in d.words]
        since = None if ban.effect is None else ban.effect.round
        return [c for c in store.candidates() if since is not None and c.round > since]


def test_a_search_is_started_steered_and_watched_to_its_end(page: Page, cell_tables: Path) -> None:
    page.click(".bar a", "New search")
    fields = {"name": "mine", "device": "toy", "data": cell_tables, "dataset": "toy10",
              "rounds": 2000, "per_niche": 1}  # fmt: skip
    for name, value in fields.items():
        page.one(f"#f-{name}").send_keys(str(value))
    Select(page.one("#f-space")).select_by_value("nasbench201")
    Select(page.one("#f-accuracy")).select_by_value("table")
    page.click("form button", "Start")
    page.until(lambda: "mine" in page.text("h1"))
    page.click("[role=tab]", "Talk")
    page.command("/pause")
    page.until(lambda: "active" in page.text(".given"))
    page.command("/ban nor_conv_1x1")
    field = page.one("#command")
    field.send_keys("/limit latency<=0", Keys.ENTER)
    page.until(lambda: "no network" in page.text(".talk"))
    page.command("/resume")
    page.click("[role=tab]", "Front")
    page.until(lambda: int(page.text(".card dd").replace(",", "")) > 0)
    folder = next(folder for folder in page.site.output.iterdir() if folder.name.endswith("-mine"))
    page.until(lambda: bool(under_the_ban(folder)))
    page.click("[role=tab]", "Talk")
    page.command("/stop")
    page.click("[role=tab]", "Front")
    page.until(lambda: page.text(".run .state") == "finished")
    assert not any("nor_conv_1x1" in each.architecture for each in under_the_ban(folder))
    front = len(json.loads((folder / "front.json").read_text()))
    page.until(lambda: page.text(".card dd") == str(front))
    page.until(lambda: len(page.all(".front tbody tr")) == front)
    marks = [float(tick) for tick in page.script(TICKS)]
    with RunStore.read(folder) as store:  # the axes have followed the points
        assert max(marks) <= 1.2 * max(e.latency_ms for e in store.evaluations())
        assert max(marks) > 2
    page.click("[role=tab]", "Talk")
    page.until(lambda: "as asked" in page.text(".given"))
    page.one(".state.finished")


def test_a_point_of_the_picture_opens_its_candidate(page: Page, written: str) -> None:
    page.go(f"#/run/{written}")
    page.until(lambda: page.text(".candidate h2"))
    page.one(".axes .xtick text")
    plot = page.one(".plot")
    page.script("arguments[0].scrollIntoView({block: 'center'})", plot)
    named = ""
    for across in range(-9, 10):  # sweep until the pointer is over a point
        for up in range(-6, 6):
            place = (across * plot.size["width"] // 20, up * plot.size["height"] // 15)
            ActionChains(page.browser, 0).move_to_element_with_offset(plot, *place).perform()
            named = page.text(".tip:not([hidden])").partition(":")[0]
            if named and named != page.text(".candidate h2"):
                ActionChains(page.browser, 0).click().perform()
                page.until(lambda id_=named: page.text(".candidate h2") == id_)
                break
        else:
            continue
        break
    assert re.fullmatch(r"r\dn\dc\d", named)
    assert page.all(".candidate svg.cell path")
    assert named in page.script("return location.hash")


def test_the_front_can_be_walked_by_the_keyboard_alone(page: Page, written: str) -> None:
    page.go(f"#/run/{written}")
    page.until(lambda: page.text(".candidate h2"))
    best = page.text(".candidate h2")
    page.one(".plot").send_keys(Keys.ARROW_LEFT)
    page.until(lambda: page.text(".candidate h2") != best)
    assert "on the front" in page.text("#told")
    page.one(".plot").send_keys(Keys.END)
    page.until(lambda: page.text(".candidate h2") == best)
    page.one("#tab-front").send_keys(Keys.ARROW_RIGHT)
    page.until(lambda: page.one("#tab-niches").get_attribute("aria-selected") == "true")
    assert page.browser.switch_to.active_element.get_attribute("id") == "tab-niches"
    page.open(f"#/run/{written}/niches")
    page.until(lambda: page.text("#panel"))
    order = []
    for _ in range(8):
        ActionChains(page.browser, 0).send_keys(Keys.TAB).perform()
        focused = page.browser.switch_to.active_element
        order.append(focused.get_attribute("class") or focused.get_attribute("id") or focused.text)
        assert focused.value_of_css_property("outline-style") != "none", order
    assert order[0] == "skip"
    assert "tab-niches" in order


def test_a_limit_takes_points_off_the_front_while_the_search_runs(page: Page) -> None:
    """No reload: what breaks the limit goes when it comes into force, and stays off afterwards."""
    config = SearchConfig(space="tiny", device="toy", output=page.site.output, name="limited")
    with RunStore.create(config) as run:
        run.set_sources(Sources("toy10", "accuracy, %", "made up", "made up"))
        _found(run, 0, (1.0, 50.0), (2.0, 60.0), (4.0, 90.0))
        page.open(f"#/run/{run.name}")
        page.until(lambda: len(page.all(".front tbody tr")) == 3)
        page.script("window.same = true")
        given = run.append_directive(parse("/limit latency<=3"), "me", "not so slow")
        assert given is not None
        run.mark_directive(given, "active", Boundary(1, "plan"))
        run.event("directive", span="run", directive=given.id, author="me", status="active")
        page.until(lambda: len(page.all(".front tbody tr")) == 2)
        page.until(lambda: "off the front by a directive 1" in page.text(".legend"))
        page.until(lambda: "Off the front, since" in page.text(".candidate"))  # the best so far
        _found(run, 1, (3.5, 99.0), (2.5, 70.0))
        page.until(lambda: len(page.all(".front tbody tr")) == 3)
        page.until(lambda: "off the front by a directive 2" in page.text(".legend"))
        assert page.text(".card dd") == "3"
        assert "r1n0c1" in page.text(".front tbody")
        assert "r1n0c0" not in page.text(".front tbody")
        assert page.script("return window.same")


def _found(run: RunStore, round_: int, *places: tuple[float, float]) -> None:
    """Candidates of a round as a search stores them: (latency in ms, score)."""
    cells = [SPACE.format(SPACE.at(20 * round_ + i)) for i in range(len(places))]
    ids = run.replace_designs(round_, 0, [Design(c, "me", "sample") for c in cells], [])
    for id_, (latency, score) in zip(ids, places, strict=True):
        where = {"span": f"r{round_}.evaluate", "parent": f"r{round_}", "round": round_, "niche": 0}
        with run.together():
            run.record_prediction(id_, Prediction(score, 1.0), 1, 1.0)
            run.event("predicted", **where, candidate=id_, score=score)
            run.record_cost(id_, Cost(latency))
            run.event("evaluated", **where, candidate=id_, latency_ms=latency)


def test_the_slider_goes_back_to_earlier_fronts(page: Page, written: str) -> None:
    page.go(f"#/run/{written}")
    page.until(lambda: "after round 3 of 3" in page.text("output"))
    page.one("#round").send_keys(Keys.HOME)
    page.until(lambda: "after round 1 of 3" in page.text("output"))
    rows = int(page.text("output").split(": ")[1].split()[0])
    page.until(lambda: len(page.all(".front tbody tr")) == rows)
    Select(page.one("#colour")).select_by_value("author")
    page.until(lambda: "builtin:evolver" in page.text(".legend"))
    page.click(".legend .key")
    assert page.one(".legend .key").get_attribute("aria-pressed") == "false"


def test_what_models_wrote_is_shown_as_text_everywhere(page: Page, written: str) -> None:
    with RunStore.read(page.site.output / written) as store:
        born = next(e for e in store.evaluations() if e.candidate.design.call)
    page.go(f"#/run/{written}/front/{born.id}")
    page.until(lambda: EVIL in page.text(".candidate blockquote"))
    page.click(".candidate button", str(born.candidate.design.call))
    page.until(lambda: "onerror" in page.text("dialog"))
    page.one("dialog").send_keys(Keys.ESCAPE)
    page.until(lambda: not page.all("dialog"))
    page.click("[role=tab]", "Rules")
    page.until(lambda: EVIL in page.text("#panel tbody"))
    page.click("[role=tab]", "Niches")
    page.until(lambda: EVIL in page.text("#panel"))
    assert page.script("return window.broken") is None
    assert page.all("main img, main b b, main script, dialog img") == []


def test_a_call_of_the_timeline_opens_prompt_and_answer(page: Page, written: str) -> None:
    page.go(f"#/run/{written}/timeline/2")
    page.until(lambda: "Round 2" in page.text(".waterfall h2"))
    assert all(step in page.text(".spans") for step in ("plan", "design", "evaluate", "learn"))
    page.click("button.span", "planner")
    page.until(lambda: page.text("dialog h3") == "system")
    assert "planner" in page.text("dialog")
    page.click("dialog button", "Close")
    page.one(".roundlist").send_keys(Keys.ARROW_DOWN)
    page.until(lambda: "Round 3" in page.text(".waterfall h2"))


def test_a_conversation_answers_from_the_run_and_its_ids_lead_on(page: Page, written: str) -> None:
    with RunStore.read(page.site.output / written) as store:
        born = next(e for e in store.evaluations() if e.candidate.design.call)
    page.go(f"#/run/{written}/steer")
    page.one("#command").send_keys("/why " + born.id, Keys.ENTER)
    page.until(lambda: EVIL in page.text(".talk"))
    assert page.all(".talk img") == []
    page.click(".talk button", str(born.candidate.design.call))
    page.until(lambda: page.text("dialog h3") == "system")
    page.one("dialog").send_keys(Keys.ESCAPE)
    page.one("#command").send_keys("/ban nor_conv_1x1", Keys.ENTER)
    page.until(lambda: "is finished" in page.text(".talk"))
    page.click(".talk button", born.id)
    page.until(lambda: page.text(".candidate h2") == born.id)
    page.click("[role=tab]", "Talk")
    assert "is finished" in page.text(".talk")  # what was said stays
    assert not page.text(".steer .cost"), "only a model costs something"
    page.one("#command").send_keys("hold it, and then end", Keys.ENTER)
    page.until(lambda: "model call" in page.text(".steer .cost"))
    assert "tokens, $0.00" in page.text(".steer .cost")


def test_runs_that_are_ticked_stand_side_by_side(
    page: Page, written: str, others: list[str]
) -> None:
    page.go("#/")
    for name in (written, *others):
        page.click(f"input[aria-label='Compare {name}']")
    page.click(".head .button", "Compare 3")
    page.until(lambda: len(page.all(".legend .pair")) == 3)
    page.until(lambda: "Best score within a latency" in page.text("main"))
    page.one(".axes .xtick text")
    assert len(page.all(".plot")) == 1
    assert len(page.all("figure.curve path")) == 3
    settings = page.text("[aria-label='Settings that differ']")
    assert "seed" in settings
    assert "per_niche" not in settings
    rules = page.text("[aria-label='Rules in force in one of the runs']")
    assert "in-force" in rules
    assert "not claimed" in rules
    row = next(e.text for e in page.all("tr") if e.text.startswith("hypervolume, in the ranges"))
    with RunStore.read(page.site.output / others[0]) as store:
        assert str(store.spent().evaluations) in page.text("[aria-label='Figures of the runs']")
    assert all(0 < float(value) <= 1 for value in row.split()[-3:])
    page.click(f".legend [aria-label='Leave {written} out']")
    page.until(lambda: len(page.all(".legend .pair")) == 2)
    assert written not in page.script("return decodeURIComponent(location.hash)")
    Select(page.one("#more")).select_by_value(written)
    page.until(lambda: len(page.all(".legend .pair")) == 3)


def test_runs_of_different_devices_share_no_scale(page: Page, written: str) -> None:
    here = recorded(page.site, "host", device="host")
    page.go(f"#/compare/{written}/{here}")
    page.until(lambda: "share no scale" in page.text("main"))
    assert "each in its own ranges" in page.text("main")


def test_three_objectives_are_shown_two_at_a_time(page: Page, triples: list[str]) -> None:
    page.go(f"#/run/{triples[0]}")
    choice = Select(page.one("#pair"))
    names = [option.text for option in choice.options]
    assert names == ["score over latency", "score over energy", "energy over latency"]
    page.until(lambda: len(page.all(".front table tbody tr")) == 3)  # also what energy alone saves
    assert page.text(".front table thead").count("energy, mJ") == 1
    choice.select_by_visible_text("energy over latency")
    assert page.text(".y-name") == "energy, mJ (down is better)"
    assert page.text(".x-name") == "latency on toy, ms"
    page.one(".plot").send_keys(Keys.HOME)
    page.until(lambda: "1 ms, 9 mJ, 50" in page.text("#told"))
    assert "Better in all" not in page.text(".candidate")
    page.go(f"#/compare/{triples[0]}/{triples[1]}")
    page.until(lambda: "Runs side by side" in page.text("main h1") and page.all("#pair"))
    choice = Select(page.one("#pair"))
    choice.select_by_visible_text("score over energy")
    assert page.text("section .x-name") == "energy on toy, mJ"
    assert page.text("section .y-name") == "accuracy, %"


@pytest.mark.parametrize("width", [390, 1366])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_view_fits_a_phone_and_a_laptop(
    page: Page, written: str, width: int, scheme: str
) -> None:
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    shape = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 500}
    page.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", shape)
    views = [f"#/run/{written}/{tab}" for tab in TABS] + [
        "#/",
        "#/new",
        f"#/compare/{written}/{written}",
    ]
    for view in views:
        page.go(view)
        tab = view.rpartition("/")[2]
        if tab in TABS:
            page.until(
                lambda tab=tab: page.one(f"#tab-{tab}").get_attribute("aria-selected") == "true"
            )
        page.until(lambda: page.text("main").strip())
        time.sleep(0.3)
        wide = page.script("return document.documentElement.scrollWidth")
        assert wide <= width, f"{view} is {wide} pixels wide"
        ink, paper = page.script(
            "const s = getComputedStyle(document.body); return [s.color, s.backgroundColor]"
        )
        assert contrast(ink, paper) > 7
    page.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def contrast(one: str, other: str) -> float:
    """The ratio of WCAG 2, from 1 to 21."""

    def luminance(colour: str) -> float:
        parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


# What a script of another origin on this machine can do with the page's server: fetch, with and
# without credentials, post as a form does, show it in a frame, and look into its own storage.
ATTACK = """
const [site, done] = [arguments[0], arguments[arguments.length - 1]];
const tried = (name, promise) => promise.then((r) => r.text()).then((t) => [name, t], (e) => [name, null]);
const form = { method: "POST", body: '{"rounds": 1}', headers: { "content-type": "text/plain" } };
const json = { method: "POST", body: "{}", headers: { "content-type": "application/json" } };
Promise.all([
  tried("plain", fetch(`${site}/api/runs`)),
  tried("with cookies", fetch(`${site}/api/runs`, { credentials: "include" })),
  tried("form", fetch(`${site}/api/runs`, { ...form, credentials: "include" })),
  tried("json", fetch(`${site}/api/runs`, { ...json, credentials: "include" })),
  tried("key", fetch(`${site}/api/runs`, { headers: { authorization: "Bearer x" } })),
  Promise.resolve(["cookie", document.cookie || null]),
  Promise.resolve(["storage", localStorage.getItem("pelnas-key")]),
]).then((found) => done(Object.fromEntries(found)));
"""


def test_a_server_on_another_port_gets_neither_the_key_nor_the_page(
    page: Page, browser: webdriver.Chrome, site: Site
) -> None:
    page.one("#view h1")
    assert site.token not in browser.current_url, "the address bar does not keep it"
    assert page.script("return document.cookie") == ""
    neighbour = Neighbour()
    try:
        before = sorted(site.output.glob("*"))
        browser.get(neighbour.url)
        found = browser.execute_async_script(ATTACK, f"http://127.0.0.1:{site.port}")
        assert set(found.values()) == {None}, found
        assert neighbour.heard
        for headers in neighbour.heard:
            assert "cookie" not in headers
            assert site.token not in str(headers)
            for name, value in headers.items():  # whatever it got, it opens nothing
                sent = {name: value, "host": f"127.0.0.1:{site.port}"}
                answered = httpx.get(f"http://127.0.0.1:{site.port}/api/runs", headers=sent)
                assert answered.status_code in (400, 401, 403, 421)
        assert sorted(site.output.glob("*")) == before
    finally:
        browser.get("about:blank")
        browser.get_log("browser")  # refusals of the attack are no complaints of the page
        neighbour.close()
    page.open()
    page.one("#view h1")


def test_the_address_is_opened_by_a_file_and_not_on_a_command_line(
    site: Site, browser: webdriver.Chrome, monkeypatch: pytest.MonkeyPatch
) -> None:
    import webbrowser

    from pelnas.app.commands.ui import _opened

    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    with _opened(f"{site.address}/new"):
        (address,) = opened
        assert site.token not in address
        file = Path(address.removeprefix("file://"))
        assert (file.stat().st_mode & 0o077, file.parent.stat().st_mode & 0o077) == (0, 0)
        browser.get(address)
        wait = WebDriverWait(browser, PATIENCE, 0.1)
        wait.until(lambda b: b.find_elements(By.CSS_SELECTOR, "#view form"))
        assert site.token not in browser.current_url
    assert not file.parent.exists()
