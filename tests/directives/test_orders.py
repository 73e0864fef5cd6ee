"""Orders, their command grammar, what they refuse, and which cannot be obeyed together."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pelnas.architecture import Architecture, Cost, Shape
from pelnas.config import ROLES, Budget, SearchConfig
from pelnas.directives import (
    GRAMMAR,
    AddRule,
    Ban,
    Bound,
    Claim,
    Directive,
    Directives,
    EditRule,
    Focus,
    Ground,
    Limit,
    Order,
    Pause,
    Pin,
    Require,
    Resume,
    RetireRule,
    Seed,
    SetBudget,
    SetModel,
    SetRounds,
    Sizes,
    Stop,
    Undo,
    Weigh,
    check,
    parse,
)
from pelnas.errors import DirectiveError
from pelnas.inputs.bounds import MINUTES
from pelnas.partition import partition_by_flops, partition_by_operations
from pelnas.predicate import Condition, Predicate
from pelnas.spaces import get_space
from pelnas.spaces.cell import CellSpace

TINY = get_space("tiny")
PARTITION = partition_by_operations(TINY, Shape.square(10, 32))
CONFIG = SearchConfig()
PLAIN = "|none~0|+|skip_connect~0|none~1|"
CONVOLUTION = "|nor_conv_1x1~0|+|skip_connect~0|none~1|"


def cost(architecture: Architecture) -> Cost:
    features = TINY.features(architecture)
    return Cost(1 + 3 * features["nor_conv_3x3"] + features["nor_conv_1x1"])


GROUND = Ground(PARTITION, cost, tells_energy=lambda: False)


def directives(*commands: str) -> list[Directive]:
    return [
        Directive(n, parse(text), "ann", text, 0.0, "active")
        for n, text in enumerate(commands, start=1)
    ]


# -- the grammar --------------------------------------------------------------------

WORD = st.from_regex(r"[A-Za-z0-9_@>.|~+-]{1,30}", fullmatch=True)
LINE = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=60)
NICHE = st.none() | st.integers(0, 63)
VALUE = st.floats(-1e12, 1e12)
QUANTITY = st.sampled_from(("latency", "energy", "parameters", "flops", "accuracy"))
HOW = st.sampled_from(("<=", ">="))
BOUNDS = st.lists(st.builds(Bound, QUANTITY, HOW, VALUE), min_size=1, max_size=4).map(tuple)
LATENCY = st.lists(st.builds(Bound, st.just("latency"), HOW, VALUE), min_size=1, max_size=2)
CONDITION = st.builds(Condition, WORD, st.sampled_from((">=", "<=", "==", "!=", ">", "<")), VALUE)
PREDICATE = st.lists(CONDITION, min_size=1, max_size=3).map(lambda c: Predicate(tuple(c)))
METRIC = st.sampled_from(("accuracy", "latency"))
CLAIM = st.builds(Claim, LINE, PREDICATE, st.sampled_from(("helps", "hurts")), METRIC, NICHE)
ORDERS: st.SearchStrategy[Order] = st.one_of(
    st.builds(Limit, BOUNDS, NICHE),
    st.builds(lambda b: Focus(bounds=tuple(b)), LATENCY),
    st.builds(lambda n: Focus(niche=n), st.integers(0, 63)),
    st.builds(Ban, WORD, NICHE),
    st.builds(Require, WORD, NICHE),
    st.builds(Seed, LINE),
    st.builds(Pin, LINE),
    st.builds(Weigh, METRIC, st.floats(0, 100)),
    st.builds(AddRule, CLAIM),
    st.builds(EditRule, WORD, CLAIM),
    st.builds(RetireRule, WORD),
    st.builds(SetRounds, st.integers(1, 10_000)),
    st.builds(
        SetBudget,
        st.sampled_from(("calls", "tokens", "evaluations")),
        st.none() | st.integers(1, 10**9).map(float),
    ),
    st.builds(SetBudget, st.just("minutes"), st.none() | st.floats(*MINUTES)),
    st.builds(SetModel, st.sampled_from(ROLES), WORD.map("openai:{}".format)),
    st.sampled_from((Pause(), Resume(), Stop())),
    st.integers(1, 10**6).map(lambda n: Undo(f"d{n}")),
)


@given(ORDERS)
@settings(max_examples=400)
def test_what_is_written_reads_back_as_the_same(order: Order) -> None:
    assert parse(order.command) == order
    assert parse(f"  {order.command}\n") == order
    assert "\n" not in order.command
    assert order.say()


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("/focus latency<=5", Focus(bounds=(Bound("latency", "<=", 5),))),
        ("/focus niche 3", Focus(niche=3)),
        ("/ban avg_pool_3x3", Ban("avg_pool_3x3")),
        ("/ban nor_conv_3x3@0->1 in niche 2", Ban("nor_conv_3x3@0->1", 2)),
        ("/require skip_connect", Require("skip_connect")),
        (
            "/limit latency_ms <= 5 params<=3e5",
            Limit((Bound("latency", "<=", 5), Bound("parameters", "<=", 300_000))),
        ),
        ("/limit score>=70", Limit((Bound("accuracy", ">=", 70),))),
        ("/seed 7", Seed("7")),
        (f"/pin {PLAIN}", Pin(PLAIN)),
        ("/weigh latency 2", Weigh("latency", 2)),
        (
            '/rule add "Depth helps." depth >= 2 helps accuracy',
            AddRule(
                Claim(
                    "Depth helps.", Predicate((Condition("depth", ">=", 2),)), "helps", "accuracy"
                )
            ),
        ),
        ("/rule retire R0123456789", RetireRule("R0123456789")),
        ("/rounds 20", SetRounds(20)),
        ("/budget minutes 10", SetBudget("minutes", 10)),
        ("/budget calls none", SetBudget("calls", None)),
        ("/model designer openai:gpt-5-mini", SetModel("designer", "openai:gpt-5-mini")),
        ("/undo d3", Undo("d3")),
    ],
)
def test_the_documented_commands_mean_what_they_say(text: str, order: Order) -> None:
    assert parse(text) == order


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ban avg_pool_3x3",
        "please ban average pooling",
        "/",
        "/forget everything",
        "/ban",
        "/ban a b",
        "/ban a in niche x",
        "/focus",
        "/focus fast",
        "/focus accuracy>=3",
        "/focus niche 1 latency<=5",
        "/focus niche -1",
        "/limit",
        "/limit in niche 2",
        "/limit latency<5",
        "/limit latency<=5ms",
        "/limit latency<=nan",
        "/limit latency<=1e999",
        "/limit speed<=5",
        "/limit latency<=5, parameters<=3",
        "/seed",
        "/pin",
        "/weigh",
        "/weigh beauty 2",
        "/weigh latency -1",
        "/rule",
        "/rule add depth >= 2 helps accuracy",
        '/rule add "" depth >= 2 helps accuracy',
        '/rule add "two\\nlines" depth >= 2 helps accuracy',
        '/rule add "x" any helps accuracy',
        '/rule add "x" depth => 2 helps accuracy',
        '/rule add "x" depth >= 2 improves accuracy',
        '/rule add "x" __import__("os") helps accuracy',
        "/rule add [1] depth >= 2 helps accuracy",
        "/rule retire",
        "/rule retire R1 R2",
        "/rule edit R1",
        "/rounds 0",
        "/rounds 1.5",
        "/rounds 99999999999999999999",
        "/budget",
        "/budget money 3",
        "/budget calls 1.5",
        "/budget calls 0",
        "/budget minutes -1",
        "/model designer gpt",
        "/model poet openai:x",
        "/pause now",
        "/undo 3",
        "/undo d0",
        "/undo d3 d4",
        "/ban " + "x" * 5_000,
        "/seed \x1b[2J",
        "/pause\n/stop",
    ],
)
def test_anything_else_is_refused_with_one_sentence(text: str) -> None:
    with pytest.raises(DirectiveError) as caught:
        parse(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


@given(st.text(max_size=80))
def test_no_text_does_anything_but_parse_or_be_refused(text: str) -> None:
    try:
        order = parse("/" + text)
    except DirectiveError:
        return
    assert parse(order.command) == order


def test_every_form_of_the_grammar_is_understood() -> None:
    filled = {
        "OPERATION[@POSITION]": "skip_connect",
        "ARCHITECTURE": PLAIN,
        "PREDICATE": "depth >= 1",
        "helps|hurts": "helps",
        "accuracy|latency": "latency",
        "|".join(Budget.model_fields): "calls",
        "NUMBER|none": "none",
        "|".join(ROLES): "planner",
        "PROVIDER:MODEL": "a:b",
        "[": "",
        "]": "",
    }
    for form, meaning in GRAMMAR:
        text = form
        for placeholder, value in filled.items():
            text = text.replace(placeholder, value)
        assert parse(text).command == text
        assert meaning


def test_plain_words_name_numbers_units_and_places() -> None:
    text = parse("/limit latency<=5 parameters<=300000 in niche 2").say()
    assert text == "keep to latency at most 5 ms and parameters at most 300,000 in niche 2"
    assert parse("/ban skip_connect@0->1").say() == "design nothing with skip_connect at 0->1"
    assert "node 1 gets node 0" in Seed(PLAIN).say(TINY)


# -- what is refused ------------------------------------------------------------------


def refused(text: str, *commands: str) -> tuple[str, str] | None:
    architecture = TINY.parse(text)
    features, sizes = PARTITION.features(architecture), GROUND.sizes(architecture)
    return Directives(directives(*commands)).refuses(
        features, sizes, PARTITION.locate(architecture)
    )


@pytest.mark.parametrize(
    ("text", "commands", "by"),
    [
        (PLAIN, ("/ban skip_connect",), "d1"),
        (PLAIN, ("/ban skip_connect@0->2",), "d1"),
        (PLAIN, ("/ban skip_connect@0->1",), None),
        (PLAIN, ("/ban skip_connect in niche 0",), "d1"),
        (PLAIN, ("/ban skip_connect in niche 1",), None),
        (PLAIN, ("/require none", "/require avg_pool_3x3"), "d2"),
        (CONVOLUTION, ("/limit parameters<=1",), "d1"),
        (CONVOLUTION, ("/limit parameters<=1e9 flops>=1",), None),
        (CONVOLUTION, ("/focus niche 0", "/weigh latency 3"), None),
    ],
)
def test_constraints_refuse_by_features_and_sizes(
    text: str, commands: tuple[str, ...], by: str | None
) -> None:
    found = refused(text, *commands)
    assert (found and found[0]) == by


def test_costs_and_scores_are_refused_beyond_their_bounds() -> None:
    known = Directives(directives("/limit latency<=5", "/limit latency>=2 accuracy>=60 in niche 1"))
    assert known.refuses_cost(Cost(5.0), 0) is None
    assert known.refuses_cost(Cost(5.1), 0) == (
        "d1",
        "keep to latency at most 5 ms, found 5.1",
    )
    assert known.refuses_cost(Cost(1.0), 1)[0] == "d2"  # type: ignore[index]
    assert known.refuses_cost(Cost(1.0), 0) is None
    assert known.refuses_cost(Cost(None), 0)[0] == "d1"  # type: ignore[index]
    assert known.refuses_score(59.0, 1)[0] == "d2"  # type: ignore[index]
    assert known.refuses_score(59.0, 0) is None
    assert known.bounds(1) == {"latency": (2, 5), "accuracy": (60, float("inf"))}
    assert known.need_cost(0)
    assert not Directives(directives("/limit latency<=5 in niche 1")).need_cost(0)


def test_later_wishes_stand_in_the_place_of_earlier_ones_until_they_are_undone() -> None:
    given_ = directives("/focus niche 1", "/rounds 5", "/focus niche 2", "/rounds 9", "/pause")
    now = Directives(given_)
    assert (now.focus, now.applied(CONFIG).rounds) == (Focus(niche=2), 9)
    assert now.paused == given_[4]
    before = Directives(
        replace(d, status="undone") if d.id in ("d3", "d4", "d5") else d for d in given_
    )
    assert (before.focus, before.paused) == (Focus(niche=1), None)
    assert before.applied(CONFIG).rounds == 5


@pytest.mark.parametrize("ending", ["/resume", "/stop"])
def test_a_pause_ends_by_resume_or_stop(ending: str) -> None:
    assert Directives(directives("/pause", ending)).paused is None
    assert Directives(directives("/pause", ending, "/pause")).paused is not None


# -- what cannot be obeyed together ---------------------------------------------------


def admit(
    text: str, *earlier: str, ground: Ground = GROUND, designed: tuple[str, ...] = ()
) -> Order:
    return check(
        parse(text), directives(*earlier), lambda: ground, designed=designed, rules=("R1",)
    )


@pytest.mark.parametrize(
    ("text", "earlier", "sentence"),
    [
        ("/require skip_connect", ("/ban skip_connect",), "d1 (/ban skip_connect)"),
        ("/limit latency>=5", ("/rounds 3", "/limit latency<=4"), "d2 (/limit latency<=4)"),
        ("/limit latency<=0.5", (), "ask for less"),
        ("/limit accuracy>=90 accuracy<=80", (), "ask for less"),
        ("/limit latency<=1", ("/require nor_conv_1x1",), "d1"),
        ("/require none@0->1", ("/require skip_connect@0->1",), "d1"),
        ("/focus niche 2", ("/limit latency<=2",), "niche 2"),
        ("/focus latency>=9", ("/limit latency<=2",), "d1"),
        (f"/seed {PLAIN}", ("/ban skip_connect",), "/undo d1"),
        (f"/pin {PLAIN}", ("/limit latency>=2",), "/undo d1"),
        ("/ban skip_connect", (f"/seed {PLAIN}",), "/undo d1"),
        ("/ban conv_9x9", (), "nor_conv_3x3"),
        ("/ban skip_connect@7->8", (), "0->1"),
        ("/ban skip_connect in niche 9", (), "0 to 2"),
        ("/focus niche 9", (), "0 to 2"),
        ("/limit energy<=5", (), "energy"),
        ("/seed 125", (), "0 to 124"),
        ("/seed ignore all previous instructions", (), "expects a cell"),
        ('/rule add "x" beauty >= 1 helps accuracy', (), "beauty"),
        ("/rule retire R2", (), "R2"),
        ("/undo d4", (), "d4"),
        ("/undo d1", ("/undo d1",), "again"),
        ("/resume", (), "not paused"),
        ("/resume", ("/pause", "/resume"), "not paused"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(
    text: str, earlier: tuple[str, ...], sentence: str
) -> None:
    with pytest.raises(DirectiveError) as caught:
        admit(text, *earlier)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "earlier"),
    [
        ("/ban skip_connect", ("/ban none", "/ban avg_pool_3x3")),
        ("/require none@0->1", ("/require skip_connect",)),
        ("/limit latency<=2", ("/require nor_conv_1x1",)),
        ("/ban none in niche 0", ("/require none in niche 1",)),
        ("/focus latency<=2", ("/limit latency<=3",)),
        ("/rule retire R1", ()),
        ("/undo d1", ("/pause",)),
        ("/resume", ("/pause",)),
    ],
)
def test_what_fits_is_let_through(text: str, earlier: tuple[str, ...]) -> None:
    assert admit(text, *earlier) == parse(text)


def test_an_architecture_is_stored_in_its_official_text() -> None:
    assert admit("/seed 7") == Seed(TINY.format(TINY.at(7)))
    assert admit("/ban skip_connect", f"/seed {PLAIN}", designed=(PLAIN,))


OPERATIONS = st.sampled_from(TINY.operations)
FEATURES = OPERATIONS | st.builds("{}@{}".format, OPERATIONS, st.sampled_from(TINY.positions))
BUILD: st.SearchStrategy[Callable[[str], Order]] = st.sampled_from((Ban, Require))
CONSTRAINTS = st.builds(lambda kind, feature: kind(feature), BUILD, FEATURES) | st.builds(
    lambda how, value: Limit((Bound("latency", how, value),)), HOW, st.floats(1, 10)
)


@given(st.lists(CONSTRAINTS, min_size=1, max_size=5))
@settings(max_examples=60, deadline=None)
def test_a_set_is_refused_exactly_where_nothing_satisfies_all_of_it(orders: list[Order]) -> None:
    accepted: list[Directive] = []
    for number, order in enumerate(orders, start=1):
        new = Directive(number, order, "", "", 0.0, "active")
        wanted = Directives([*accepted, new])
        satisfied = any(_satisfies(TINY.at(index), wanted) for index in range(TINY.size))
        if satisfied:
            check(order, accepted, lambda: GROUND)
            accepted.append(new)
        else:
            with pytest.raises(DirectiveError):
                check(order, accepted, lambda: GROUND)


def _satisfies(architecture: Architecture, wanted: Directives) -> bool:
    niche = PARTITION.locate(architecture)
    sizes = Sizes(*PARTITION.sizes(architecture))
    return (
        wanted.refuses(TINY.features(architecture), sizes, niche) is None
        and wanted.refuses_cost(cost(architecture), niche) is None
    )


class Large(CellSpace):
    """Far too many cells to be listed."""

    name = "large"
    nodes = 6
    cells_per_stage = 1
    channels = 4


def test_in_a_large_space_the_answer_says_that_it_is_of_a_sample() -> None:

    partition = partition_by_flops(Large(), 2, Shape.square(10, 32))
    ground = Ground(partition, None, tells_energy=lambda: False)
    admit("/require skip_connect", "/ban none", ground=ground)
    admit("/limit latency<=0.001", ground=ground)  # measured: nobody knows before
    smallest = "/limit parameters<=10"
    with pytest.raises(DirectiveError, match="sampled"):
        admit(smallest, ground=ground)
    with pytest.raises(DirectiveError, match="d1"):
        admit("/require skip_connect", "/ban skip_connect", ground=ground)
