import pytest

from pelnas.partition import partition_by_operations
from pelnas.spaces import Tiny
from pelnas.validator import Intake, Proposal

PARTITION = partition_by_operations(Tiny(), 10, 32)
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
