from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from pelnas.agents.evolver import BuiltinPlanner
from pelnas.agents.planner import (
    POINTS,
    NichePlan,
    NicheStatus,
    PlanAnswer,
    PlanBrief,
    settle,
    variables,
)
from pelnas.archive import Gap

STATUS = NicheStatus(0, "niche", 0, None, 0, 0, None, None, None)


def brief(total: int, left: list[int | None]) -> PlanBrief:
    niches = tuple(replace(STATUS, index=i, left=room) for i, room in enumerate(left))
    return PlanBrief(0, 5, total, "pi", "score", niches, ())


ANSWERS = st.lists(
    st.builds(NichePlan, niche=st.integers(0, 9), designs=st.integers(0, 1000)), max_size=12
)


@given(ANSWERS, st.integers(0, 80), st.lists(st.integers(0, 30), min_size=1, max_size=6))
def test_whatever_is_answered_the_plan_adds_up(
    answer: list[NichePlan], total: int, left: list[int]
) -> None:
    plan = settle(PlanAnswer(niches=answer), brief(total, list(left)))
    assert [entry.niche for entry in plan] == list(range(len(left)))
    assert sum(entry.designs for entry in plan) == min(total, sum(left))
    assert all(entry.designs <= room for entry, room in zip(plan, left, strict=True))
    if total >= len(left):
        assert all(entry.designs >= 1 for entry, room in zip(plan, left, strict=True) if room)


def test_the_shares_follow_the_proposal() -> None:
    answer = PlanAnswer(
        niches=[NichePlan(niche=0, designs=30, focus="fast"), NichePlan(niche=1, designs=10)]
    )
    plan = settle(answer, brief(42, [None, None]))
    assert [entry.designs for entry in plan] == [31, 11]
    assert plan[0].focus == "fast"


def test_the_builtin_planner_favours_the_niches_that_hold_and_gain_the_front() -> None:
    asked = brief(60, [None, None, None])
    idle, holding, gaining = asked.niches
    asked = replace(
        asked, niches=(idle, replace(holding, on_front=4), replace(gaining, on_front=4, gained=2))
    )
    counts = [entry.designs for entry in settle(BuiltinPlanner().plan(asked), asked)]
    assert counts[0] < counts[1] < counts[2]
    assert counts[0] >= 60 / 3 / 4


@given(
    ANSWERS,
    st.integers(0, 80),
    st.lists(st.integers(0, 30), min_size=1, max_size=6),
    st.frozensets(st.integers(0, 5)),
)
def test_what_is_in_focus_gets_its_share_whatever_is_answered(
    answer: list[NichePlan], total: int, left: list[int], focus: frozenset[int]
) -> None:
    asked = replace(brief(total, list(left)), in_focus=focus)
    plan = settle(PlanAnswer(niches=answer), asked)
    inside = [i for i in range(len(left)) if i in focus]
    given_ = sum(plan[i].designs for i in inside)
    everything = sum(entry.designs for entry in plan)
    assert everything == min(total, sum(left))
    assert all(entry.designs <= room for entry, room in zip(plan, left, strict=True))
    assert given_ >= min(0.7 * everything, sum(left[i] for i in inside))


@given(
    st.integers(1, 40),
    st.dictionaries(st.integers(0, 3), st.integers(1, 5)),
    st.frozensets(st.integers(0, 3)),
)
def test_seeds_have_their_place_in_the_plan(
    total: int, seeds: dict[int, int], focus: frozenset[int]
) -> None:
    asked = replace(brief(total, [30, 30, 30, 30]), seeds=seeds, in_focus=focus)
    plan = settle(PlanAnswer(niches=[]), asked)
    assert sum(entry.designs for entry in plan) == total
    if total >= sum(seeds.values()):
        assert all(plan[niche].designs >= count for niche, count in seeds.items())


def test_a_short_question_tells_niches_as_a_table_and_a_long_front_by_some_of_its_points() -> None:
    front = tuple(((float(i),), 10.0 * i, i % 3) for i in range(40))
    asked = replace(brief(60, [7, None, None]), front=front, short=True)
    known = replace(asked.niches[0], label="a | b", best_score=91.23456, gap=Gap(1.5, 2.25))
    shown = variables(replace(asked, niches=(known, *asked.niches[1:])))
    header, first, second, _ = shown["niches"].splitlines()
    assert header == (
        "niche | is | designed | left | points on the front | new on the front last round"
        " | best score | widest gap ms"
    )  # nothing is known of the fastest one
    assert first == "0 | a / b | 0 | 7 | 0 | 0 | 91.23 | 1.5 to 2.25"
    assert second == "1 | niche | 0 | - | 0 | 0 | - | -"
    *points, note = shown["front"].splitlines()
    assert (len(points), note) == (POINTS, "(12 of its 40 points)")
    assert (points[0], points[-1]) == ("0, 0, 0", "39, 390, 0")
    whole = variables(replace(asked, short=False))
    assert whole["front"].count("\n") == 39
    assert len(shown["niches"]) < len(whole["niches"])
