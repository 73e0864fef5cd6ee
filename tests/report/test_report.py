"""What a run shows: the right front, the same bytes, and nothing that somebody could make run."""

import csv
import io
import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from html.parser import HTMLParser
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest
import warm
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pelnas.app.commands.runs import print_front
from pelnas.architecture import Architecture, Cost, Design, Prediction, Refusal
from pelnas.calls.call import CallRecord, Message
from pelnas.calls.usage import Usage
from pelnas.config import SearchConfig
from pelnas.pareto import box_of, hypervolume, minimised
from pelnas.predicate import Condition, Predicate
from pelnas.report import agent_stats, front_points, niche_rows, summary, write_all, write_front
from pelnas.report.drawing import draw
from pelnas.report.figure import score_window
from pelnas.report.growth import growth
from pelnas.rules.rule import Scope, propose
from pelnas.spaces import get_space
from pelnas.spaces.base import Layer
from pelnas.store import PlanEntry, RunStore, Sources

TINY = get_space("tiny")
MODEL, EVOLVER = "openai:x", "builtin:evolver"
NASTY = '<script>alert(1)</script> & {{ 7*7 }} "quoted" $x^2$ </svg>'
INLINE = "module://matplotlib_inline.backend_inline"
Point = tuple[float | None, float]  # latency, score


def fill(store: RunStore, points: Sequence[Point], author: str = EVOLVER) -> None:
    """One round, the points dealt out to two niches in turn."""
    for niche in (0, 1):
        own = points[niche::2]
        designs = [
            Design(TINY.format(TINY.at((7 * i + niche) % 125)), author, "mutation", rationale="why")
            for i in range(len(own))
        ]
        ids = store.replace_designs(0, niche, designs, [])
        for id_, (latency, score) in zip(ids, own, strict=True):
            store.record_prediction(id_, Prediction(score, 0.5), 1000, 2e6)
            store.record_cost(id_, Cost(latency, 0.1))


@pytest.fixture(autouse=True)
def _drawn(pictures: Callable[[], AbstractContextManager[None]]) -> Iterator[None]:
    with pictures():
        yield


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Callable[..., RunStore]]:
    runs: list[RunStore] = []

    def start(**settings: object) -> RunStore:
        config = SearchConfig(output=tmp_path / "runs", space="tiny", **settings)  # type: ignore[arg-type]
        runs.append(RunStore.create(config, "s"))
        runs[-1].set_niches(["simple", "complex"])
        return runs[-1]

    yield start
    for run in runs:
        run.close()


# -- the front ----------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.none() | st.integers(1, 6).map(float),
            st.integers(0, 6).map(float) | st.just(float("-inf")),
        ),
        max_size=14,
    )
)
def test_the_front_is_what_nothing_dominates(
    tmp_path_factory: pytest.TempPathFactory, points: list[Point]
) -> None:
    config = SearchConfig(output=tmp_path_factory.mktemp("runs"), space="tiny")
    with RunStore.create(config) as store:
        fill(store, points)
        found = [(point.latency_ms, point.score) for point in front_points(store)]
    usable = [(x, y) for x, y in points if x is not None and y > float("-inf")]
    expected = {
        (x, y)
        for x, y in usable
        if not any(a <= x and b >= y and (a, b) != (x, y) for a, b in usable)
    }
    assert found == sorted(expected)


def test_a_point_carries_all_that_is_known_of_it(begin: Callable[..., RunStore]) -> None:
    store = begin(device="host")
    store.set_sources(Sources("digits", "rank score", "four proxies", "measured here"))
    design = Design("|none~0|+|none~0|none~1|", MODEL, "free", (), "because", ("R1", "R2"), "c")
    store.replace_designs(2, 1, [design], [])
    store.record_prediction("r2n1c0", Prediction(0.5, float("inf")), 10, 20.0)
    store.record_cost("r2n1c0", Cost(1.5, 0.25, 3.0))
    (point,) = front_points(store)
    assert point.to_dict() == {
        "id": "r2n1c0",
        "architecture": design.architecture,
        "score": 0.5,
        "uncertainty": None,  # JSON has no infinity
        "unit": "rank score",
        "score_source": "four proxies",
        "latency_ms": 1.5,
        "spread_ms": 0.25,
        "energy_mj": 3.0,
        "niche": 1,
        "niche_label": "complex",
        "parameters": 10,
        "flops": 20.0,
        "author": MODEL,
        "method": "free",
        "rationale": "because",
        "round": 2,
        "rules": ["R1", "R2"],
    }


def test_an_extrapolated_latency_is_marked(
    begin: Callable[..., RunStore], capsys: pytest.CaptureFixture[str]
) -> None:
    store = begin(device="pi")
    fill(store, [(1.0, 0.5)])
    write_front(store)
    for name in ("front.json", "front.csv"):
        assert "extrapolated" not in (store.folder / name).read_text()
    (id_,) = store.replace_designs(1, 0, [Design("|none~0|+|none~0|none~1|", MODEL, "free")], [])
    store.record_prediction(id_, Prediction(0.9), 10, 20.0)
    store.record_cost(id_, Cost(1.5, extrapolated=True))
    near, far = front_points(store)
    assert "extrapolated" not in near.to_dict()
    assert far.to_dict()["extrapolated"] is True
    write_front(store)
    header, *rows = csv.DictReader(io.StringIO((store.folder / "front.csv").read_text()))
    assert [row["extrapolated"] for row in (header, *rows)] == ["", "True"]
    print_front(store)
    shown = capsys.readouterr().out
    assert "1.500 *" in shown
    assert "1.000 *" not in shown
    assert "* extrapolated" in shown


def test_equal_evaluations_give_equal_bytes(begin: Callable[..., RunStore]) -> None:
    points: list[Point] = [(0.1 + 0.2, 1 / 3), (1.0, 0.5), (2.0, 0.25), (1e-9, -1e300)]
    first, second = begin(name="a"), begin(name="b")
    fill(first, points)
    for niche in (1, 0):  # the other way round, later, and over a resume
        own = first.candidates(0, niche)
        second.replace_designs(0, niche, [candidate.design for candidate in own], [])
    second.add_seconds(5)
    for evaluation in reversed(first.evaluations()):
        second.record_cost(evaluation.id, evaluation.cost)
        second.record_prediction(evaluation.id, evaluation.prediction, 1000, 2e6)
    for store in (first, second):
        write_front(store)
    for name in ("front.json", "front.csv"):
        assert (first.folder / name).read_bytes() == (second.folder / name).read_bytes()
    text = (first.folder / "front.json").read_text()
    assert str(0.1 + 0.2) in text
    assert text == json.dumps(json.loads(text), indent=2, sort_keys=True) + "\n"


def test_the_table_says_what_the_json_says(begin: Callable[..., RunStore]) -> None:
    store = begin()
    fill(store, [(1.0, 2.0), (2.0, 3.0), (3.0, 1.0)])
    design = replace(store.candidates()[0].design, rationale='=HYPERLINK("x"),\n"y"', rules=("R1",))
    store.replace_designs(0, 0, [design, store.candidates()[1].design], [])
    write_front(store)
    plain = json.loads((store.folder / "front.json").read_text())
    rows = list(csv.DictReader(io.StringIO((store.folder / "front.csv").read_text())))
    assert [float(row["score"]) for row in rows] == [point["score"] for point in plain] == [2, 3]
    assert plain[0]["rationale"] == design.rationale
    assert rows[0]["rationale"] == "'" + design.rationale  # no formula for a spreadsheet
    assert rows[0]["rules"] == "R1"


# -- rates and niches -----------------------------------------------------------------


def test_rates_count_what_each_agent_did(begin: Callable[..., RunStore]) -> None:
    store = begin(model=MODEL)
    cell = TINY.format(TINY.at(0))
    refused = [Refusal("?", MODEL, kind, "") for kind in ("malformed", "duplicate", "duplicate")]
    refused.append(Refusal(cell, MODEL, "out-of-niche", ""))
    designs = [Design(cell, MODEL, "free"), Design(cell, EVOLVER, "mutation")]
    store.replace_designs(0, 0, designs, refused)
    store.replace_plan(0, [PlanEntry(0, 2, "", MODEL), PlanEntry(1, 2, "", MODEL)])
    rule = propose(
        "t", "helps", "accuracy", Predicate((Condition("none", ">=", 1.0),)),
        Scope("tiny", "host", ""), author=EVOLVER,
    )  # fmt: skip
    store.replace_proposals(0, 0, EVOLVER, [rule], None)
    store.replace_rules(0, [replace(rule, status="in-force")])
    for attempt, outcome in enumerate(("invalid", "failed", "ok")):
        store.record_call(
            CallRecord(
                f"r0.designer.n0.a{attempt}",
                0,
                "designer",
                0,
                attempt,
                MODEL,
                "x",
                (Message("user", "hi"),),
                "D",
                "h",
                "{}",
                outcome,
                usage=Usage(10, 5, unpriced=1, seconds=0.5),
            )
        )
    rows = {(rate.agent, rate.author): rate for rate in agent_stats(store)}
    designer = rows["designer", MODEL]
    assert (designer.proposals, designer.accepted, designer.filled) == (5, 1, 0)
    assert (designer.malformed, designer.out_of_niche, designer.duplicate) == (1, 1, 2)
    assert (designer.calls, designer.invalid, designer.failed) == (3, 1, 1)
    assert (designer.tokens, designer.seconds) == (45, 1.5)
    filler = rows["designer", EVOLVER]
    assert (filler.proposals, filler.accepted, filler.filled, filler.calls) == (1, 1, 1, 0)
    assert rows["planner", MODEL].proposals == 2
    assert (rows["reflection", EVOLVER].proposals, rows["reflection", EVOLVER].accepted) == (1, 1)
    assert len(rows) == 4


def test_evolution_fills_nothing_where_it_was_asked_to_design(
    begin: Callable[..., RunStore],
) -> None:
    store = begin()
    fill(store, [(1.0, 1.0)])
    (rate,) = agent_stats(store)
    assert (rate.author, rate.accepted, rate.filled) == (EVOLVER, 1, 0)


def test_niches_tell_what_became_of_them(begin: Callable[..., RunStore]) -> None:
    store = begin()
    fill(store, [(2.0, 1.0), (1.0, 1.5), (3.0, 2.0), (None, 9.0)])
    simple, complex_ = niche_rows(store)
    assert (simple.label, simple.evaluations, simple.infeasible) == ("simple", 2, 0)
    assert (simple.on_front, simple.best_score, simple.fastest_ms) == (1, 2.0, 2.0)
    assert (complex_.evaluations, complex_.infeasible, complex_.on_front) == (2, 1, 1)
    assert complex_.best_score == 1.5


# -- pictures --------------------------------------------------------------------------


def test_growth_never_falls_and_ends_at_the_whole(begin: Callable[..., RunStore]) -> None:
    store = begin()
    fill(store, [(float(1 + i * 7 % 50), float(i * 13 % 41)) for i in range(200)])
    counts, values = growth(store.evaluations())
    assert counts[0] == 1
    assert counts[-1] == 200
    assert all(a <= b for a, b in pairwise(values))
    assert growth([]) == ([], [])


def test_what_stands_aside_is_counted_and_adds_no_volume(begin: Callable[..., RunStore]) -> None:
    store = begin()
    fill(store, [(4.0, 4.0), (1.0, 9.0), (9.0, 0.5), (3.0, 2.0)])
    evaluations = store.evaluations()
    box = box_of(minimised([1.0, 9.0], [0.5, 9.0]))
    assert box is not None
    best = next(e.id for e in evaluations if e.score == 9.0)
    counts, values = growth(evaluations, excluded={best})
    assert counts == [1, 2, 3, 4]
    assert all(a <= b for a, b in pairwise(values))
    left = [e for e in evaluations if e.id != best]
    shown = minimised([e.latency_ms for e in left], [e.score for e in left])
    assert values[-1] == pytest.approx(hypervolume(shown, box))
    assert values[-1] < growth(evaluations)[1][-1] == 1.0
    assert growth(evaluations, excluded={e.id for e in evaluations})[1] == [0, 0, 0, 0]


def test_a_few_bad_scores_do_not_squeeze_the_picture() -> None:
    good = [90.0 + i / 100 for i in range(100)]
    low, high = score_window([10.0, *good], good)
    assert 80 < low <= 90
    assert high == max(good)
    assert score_window(good, good) == (min(good), max(good))
    assert score_window([10.0, *good], [10.0, 90.5])[0] == 10.0  # half of the front is there


@pytest.mark.parametrize(
    "points",
    [
        [],
        [(None, 1.0)],
        [(1.0, 1.0)],
        [(1.0, float("-inf")), (2.0, 1.0)],
        [(1e-3, 1.0), (1e3, 2.0)],
        [(0.0, 0.0), (1.0, 1.0)],
        [(1.0, 1e300), (0.5, -1e300)],
    ],
    ids=["empty", "infeasible", "one", "floor", "wide", "zero", "huge"],
)
def test_every_run_has_its_files(begin: Callable[..., RunStore], points: list[Point]) -> None:
    store = begin()
    fill(store, points)
    write_all(store)
    with Image.open(store.folder / "front.png") as picture:
        assert picture.width > 1000
        assert len(picture.convert("RGB").resize((64, 64)).getcolors(64 * 64) or []) > 5
    assert "</html>" in (store.folder / "report.html").read_text()
    json.dumps(summary(store), allow_nan=False)


def test_cells_are_drawn_edge_by_edge() -> None:
    space = get_space("nasbench201")
    cell = space.parse(
        "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|none~1|nor_conv_1x1~2|"
    )
    drawn = draw(space, cell)
    assert drawn.count("<circle") == 4
    assert drawn.count("<path") == 4  # two of six edges are none
    assert re.findall(r'<text class="op\d"[^>]*>([^<]*)<', drawn) == [
        "conv 3\N{MULTIPLICATION SIGN}3",
        "skip",
        "avg pool 3\N{MULTIPLICATION SIGN}3",
        "conv 1\N{MULTIPLICATION SIGN}1",
    ]
    assert draw(TINY, TINY.at(0)).count("<circle") == 3


def test_networks_of_layers_are_drawn_box_by_box() -> None:
    space = get_space("autoformer")
    architecture = space.parse("192:" + "/".join(["3x4"] * 5 + ["4x3.5"] * 8))
    drawn = draw(space, architecture)
    assert re.findall(r'<text class="op\d"[^>]*><title>[^<]*</title>([^<]*)<', drawn) == [
        "/16",
        "3x4",
        "4x3.5",
    ]
    times = "\N{MULTIPLICATION SIGN}"
    below = re.findall(r'<text class="node"[^>]*>([^<]*)<', drawn)
    assert below == ["192", f"192 {times}5", f"192 {times}8"]
    assert "blocks 6 to 13: 4 heads of 64 channels, MLP of 672" in drawn
    assert len(set(re.findall(r'<path class="(op\d)"', drawn))) == 3


@pytest.mark.parametrize("name", ["fbnet", "mnasnet", "autoformer"])
def test_every_box_lies_inside_the_picture(name: str) -> None:
    space = get_space(name)
    for index in (0, space.size // 3, space.size - 1):
        architecture = space.at(index)
        picture = ElementTree.fromstring(draw(space, architecture))  # noqa: S314 - our own
        width, height = int(picture.get("width", "0")), int(picture.get("height", "0"))
        boxes = [element.get("d", "") for element in picture.iter("path")]
        assert len(boxes) == len(space.layers(architecture))
        for box in boxes:
            x, y, across, down = map(int, re.findall(r"^M(\d+),(\d+)h(\d+)v(\d+)", box)[0])
            assert x + across <= width <= 344  # of a column of the report
            assert y + down < height


def test_a_network_without_layers_is_not_drawn() -> None:
    class Layers(type(TINY)):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.positions = ("layer 1", "layer 2", "layer 3")

        def layers(self, architecture: Architecture) -> tuple[Layer, ...]:
            return ()

    assert draw(Layers(), TINY.at(0)) == ""


# -- the page ----------------------------------------------------------------------------


class Page(HTMLParser):
    """Every tag with its attributes, and the text that a reader sees."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.fixture
def nasty(begin: Callable[..., RunStore], monkeypatch: pytest.MonkeyPatch) -> RunStore:
    """A run in which every text that somebody else wrote tries to be more than text."""
    with monkeypatch.context() as patch:  # at no minute 49, which is what 7*7 must not become
        patch.setattr("pelnas.store.database.time", SimpleNamespace(time=lambda: 0.0))
        store = begin(name=NASTY, model="openai:<img src=x>", dataset=NASTY)
    store.set_niches([NASTY, "complex"])
    store.set_sources(Sources(NASTY, NASTY, NASTY, NASTY))
    fill(store, [(1.0, 1.0), (2.0, 2.0)], author=NASTY)
    design = replace(store.candidates()[0].design, rationale=NASTY, method=NASTY, rules=(NASTY,))
    store.replace_designs(0, 0, [design], [Refusal(NASTY, NASTY, "malformed", NASTY)])
    scope = Scope("tiny", "host", NASTY, 0)
    rule = propose(NASTY, "helps", "accuracy", Predicate((Condition("none", ">=", 1.0),)), scope)
    store.replace_rules(0, [rule, replace(rule, id="R<2>", status="in-force", author=NASTY)])
    store.finish(NASTY)
    write_all(store)
    return store


def test_texts_are_shown_and_never_run(nasty: RunStore) -> None:
    page = Page((nasty.folder / "report.html").read_text())
    assert "script" not in {tag for tag, _ in page.tags}
    assert all(not name.startswith("on") for _, attrs in page.tags for name in attrs)
    images = [attrs["src"] for tag, attrs in page.tags if tag == "img"]
    assert len(images) == 1
    text = "".join(page.words)
    assert text.count(NASTY) >= 8
    assert "49" not in re.findall(r"\d+", "".join(w for w in page.words if "alert" in w))


def test_the_page_needs_nothing_from_outside(nasty: RunStore) -> None:
    page = Page((nasty.folder / "report.html").read_text())
    linked = [
        value or ""
        for _, attrs in page.tags
        for name, value in attrs.items()
        if name in ("src", "srcset", "href", "data", "action")
    ]
    assert linked
    assert all(value.startswith("data:image/png;base64,") for value in linked)
    style = "".join(page.words)
    assert "@import" not in style
    assert "url(" not in style


def test_the_page_names_truth_authors_and_points(begin: Callable[..., RunStore]) -> None:
    store = begin(accuracy="table", device="fpga")
    fill(store, [(1.0, 1.0), (2.0, 2.0)], author=EVOLVER)
    store.finish("all rounds done")
    write_all(store)
    text = "".join(Page((store.folder / "report.html").read_text()).words)
    assert "Benchmark truth" in text
    assert "finished: all rounds done" in " ".join(text.split())
    for point in front_points(store):
        assert point.architecture in text
        assert point.id in text
    assert EVOLVER in text


def test_the_summary_is_one_document(begin: Callable[..., RunStore]) -> None:
    store = begin(seed=3)
    fill(store, [(1.0, 1.0), (2.0, 2.0), (3.0, 0.0)])
    store.finish("done")
    found = json.loads(json.dumps(summary(store), allow_nan=False))
    assert (found["run"], found["folder"], found["status"]) == ("search", "s-search", "finished")
    assert found["config"]["seed"] == 3
    assert found["config"]["models"] == dict.fromkeys(
        ("planner", "designer", "reflection"), EVOLVER
    )
    assert found["spent"]["evaluations"] == 3
    assert found["front"] == [point.to_dict() for point in front_points(store)]
    assert [row["on_front"] for row in found["niches"]] == [1, 1]
    assert 0 < found["hypervolume"] <= 1


def test_a_backend_of_a_notebook_that_is_not_installed_here_stops_no_picture(
    tmp_path: Path,
) -> None:
    """As a program that a notebook starts with ``!`` inherits it; a kernel's own is left alone."""
    if find_spec("matplotlib_inline") is not None:
        pytest.skip("the backend of notebooks is installed here")
    program = (
        "import os, sys; from pelnas.report.canvas import blank;"
        "blank((1, 1), 50).savefig(sys.argv[1]);"
        "from matplotlib import get_backend;"
        "print(get_backend(auto_select=False), os.environ['MPLBACKEND'])"
    )
    for backend, drawn in (("nowhere", "None"), (INLINE, "None"), ("svg", "svg")):
        picture = tmp_path / f"{drawn}.png"
        done = warm.run(
            [sys.executable, "-c", program, str(picture)],
            env=os.environ | {"MPLBACKEND": backend},
            capture_output=True, text=True, check=True, timeout=120,
        )  # fmt: skip
        assert picture.read_bytes().startswith(b"\x89PNG")
        assert done.stdout.split() == [drawn, backend]
