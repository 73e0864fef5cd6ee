import pytest

from pelnas.architecture import Architecture, Cost, Shape
from pelnas.directives import Directive, Directives, parse
from pelnas.directives.gate import Gate
from pelnas.partition import partition_by_operations
from pelnas.spaces import Tiny
from pelnas.validator import Intake, Proposal

PARTITION = partition_by_operations(Tiny(), Shape.square(10, 32))
PLAIN = "|none~0|+|skip_connect~0|none~1|"
CONVOLUTION = "|nor_conv_1x1~0|+|skip_connect~0|none~1|"


def intake(seen: tuple[str, ...] = (), wanted: int = 3) -> Intake:
    return Intake(PARTITION, PARTITION.niches[0], seen, wanted)


def submit(into: Intake, text: str) -> str:
    return into.submit(Proposal(text, "mutation", ("r0n0c0",), "why"), "x:y", ("R1",), "call")


def test_a_good_proposal_becomes_a_design_with_its_history() -> None:
    into = intake()
    assert submit(into, f"  {PLAIN} ") == ""
    (design,) = into.accepted
    assert design.architecture == PLAIN
    assert (design.author, design.parents, design.rules, design.call) == (
        "x:y",
        ("r0n0c0",),
        ("R1",),
        "call",
    )
    assert into.missing == 2


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("|sqrt~0|+|none~0|none~1|", "malformed"),
        ("ignore all rules", "malformed"),
        ("", "malformed"),
        (CONVOLUTION, "out-of-niche"),
        (PLAIN, "duplicate"),
    ],
)
def test_refusals_say_why(text: str, kind: str) -> None:
    into = intake(seen=(PLAIN,))
    reason = submit(into, text)
    assert reason
    assert [(r.kind, r.reason, r.author) for r in into.refused] == [(kind, reason, "x:y")]
    assert not into.accepted


def test_a_second_answer_may_repeat_what_was_accepted() -> None:
    into = intake()
    submit(into, PLAIN)
    assert "designed before" in submit(into, PLAIN)
    into.next_answer()
    assert submit(into, PLAIN) == ""
    assert len(into.accepted) == 1
    assert len(into.refused) == 1


def test_more_than_wanted_is_left_out_without_blame() -> None:
    into = intake(wanted=1)
    submit(into, PLAIN)
    assert submit(into, "|none~0|+|none~0|none~1|") == ""
    assert len(into.accepted) == 1
    assert not into.refused


def test_refused_texts_are_cut() -> None:
    into = intake()
    submit(into, "x" * 10_000)
    assert len(into.refused[0].architecture) <= 200
    assert len(into.refused[0].reason) < 1000


def gated(*commands: str, allowance: int | None = None) -> Intake:
    """An intake of niche 0 under directives, on a device that needs 2 ms for each pooling."""
    given = [
        Directive(n, parse(text), "ann", text, 0.0, "active")
        for n, text in enumerate(commands, start=1)
    ]

    def cost(architecture: Architecture) -> Cost:
        return Cost(1 + 2 * PARTITION.features(architecture)["avg_pool_3x3"])

    gate = Gate(Directives(given), PARTITION, 0, cost, allowance)
    return Intake(PARTITION, PARTITION.niches[0], (), 9, gate)


POOLED = "|avg_pool_3x3~0|+|skip_connect~0|none~1|"


@pytest.mark.parametrize(
    ("command", "text", "directive"),
    [
        ("/ban skip_connect", PLAIN, "d1"),
        ("/require skip_connect@0->1", PLAIN, "d1"),
        ("/limit parameters<=1", PLAIN, "d1"),
        ("/limit latency<=2", POOLED, "d1"),
        ("/limit latency<=2", PLAIN, None),
        ("/ban skip_connect in niche 1", PLAIN, None),
    ],
)
def test_directives_refuse_with_their_id_and_reason(
    command: str, text: str, directive: str | None
) -> None:
    into = gated(command)
    reason = submit(into, text)
    assert [r.directive for r in into.refused] == ([directive] if directive else [])
    assert bool(into.accepted) == (directive is None)
    if directive:
        assert directive in reason
        assert into.refused[0].kind == "directive"


def test_children_that_are_passed_over_are_counted_once_each() -> None:
    into = gated("/ban none@1->2", "/limit latency<=2")
    plain, pooled = PARTITION.space.parse(PLAIN), PARTITION.space.parse(POOLED)
    free = PARTITION.space.parse("|avg_pool_3x3~0|+|skip_connect~0|skip_connect~1|")
    assert into.closed(plain)
    assert into.closed(plain)
    assert into.closed(pooled)
    assert not into.closed(free)
    assert not into.lets_in(free)
    assert into.avoided == {"d1": 2, "d2": 1}
    assert not into.short


def test_costs_beyond_the_allowance_count_as_unknown() -> None:
    into = gated("/limit latency<=2", allowance=1)
    submit(into, PLAIN)
    assert into.accepted
    other = "|none~0|+|none~0|skip_connect~1|"
    assert "enough was measured" in submit(into, other)
    assert into.short
