"""Events become a tree, and filters keep the way to what they find."""

from typing import Any

from pelnas.store import Event
from pelnas.traces.spans import round_span, step_span
from pelnas.traces.tree import Span, select, tree


class Story:
    """Events in the order of a test."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def tell(self, kind: str, span: str, parent: str = "", **values: Any) -> None:
        place = {name: values.pop(name) for name in ("round", "agent", "niche") if name in values}
        seq = len(self.events) + 1
        self.events.append(Event(seq, float(seq), kind, values, span, parent, **place))

    def step(self, name: str, agent: str, niche: int, outcome: str, call: str = "ok") -> None:
        place = {"round": 0, "agent": agent, "niche": niche}
        span = step_span(name, 0, niche)
        self.tell("step-begun", span, "r0", **place)
        self.tell("call-begun", f"{span}.call", span, **place)
        self.tell("call", f"{span}.call", span, outcome=call, seconds=0.5, tokens=7, **place)
        self.tell("step-ended", span, "r0", outcome=outcome, seconds=1.0, **place)


def small() -> Story:
    story = Story()
    story.tell("run-started", "run", name="x")
    story.tell("round-begun", "r0", "run", round=0)
    story.step("design", "designer", 0, "ok")
    story.step("design", "designer", 1, "ok", call="invalid")
    story.step("reflect", "reflection", 1, "ok")
    story.tell("round-done", "r0", "run", round=0, front=3, seconds=9.0)
    return story


def ids(root: Span) -> list[str]:
    return [span.id for span in root.walk()]


def test_spans_have_names_that_are_known_before_the_work() -> None:
    assert round_span(3) == "r3"
    assert step_span("plan", 3) == "r3.plan"
    assert step_span("design", 3, 2) == "r3.design.n2"


def test_spans_nest_with_their_times_and_ends() -> None:
    root = tree(small().events)
    assert ids(root)[:4] == ["run", "r0", "r0.design.n0", "r0.design.n0.call"]
    round_, step, call = list(root.walk())[1:4]
    assert (root.outcome, root.ended) == ("open", None)
    assert (round_.outcome, round_.seconds, round_.data["front"]) == ("ok", 9.0, 3)
    assert (step.began, step.ended, step.seconds, step.times) == (3.0, 6.0, 1.0, 1)
    assert (call.sort, call.agent, call.niche, call.data["tokens"]) == ("call", "designer", 0, 7)


def test_what_is_done_again_shows_its_last_time() -> None:
    story = Story()
    story.tell("run-started", "run")
    story.tell("step-begun", "r0.plan", "r0", round=0)
    story.tell("run-resumed", "run")
    story.tell("step-begun", "r0.plan", "r0", round=0, again=True)
    plan = next(span for span in tree(story.events).walk() if span.id == "r0.plan")
    assert (plan.times, plan.outcome, plan.began) == (2, "open", 4.0)
    story.tell("step-ended", "r0.plan", "r0", outcome="ok", seconds=0.5)
    story.tell("run-stopped", "run")
    root = tree(story.events)
    assert (root.outcome, root.times) == ("stopped", 2)
    assert root.children[0].outcome == "ok"


def test_a_stand_in_is_told_of_the_step() -> None:
    story = Story()
    story.tell("run-started", "run")
    story.tell("step-begun", "r0.plan", "run", round=0, agent="planner")
    story.tell("fallback", "r0.plan", "run", problem="no answer")
    story.tell("step-ended", "r0.plan", "run", outcome="ok", seconds=0.1)
    (plan,) = tree(story.events).children
    assert (plan.outcome, plan.failed) == ("fallback", True)
    assert [note.data["problem"] for note in plan.notes] == ["no answer"]


def test_events_of_no_span_are_the_runs() -> None:
    story = Story()
    story.tell("doctor", "")
    assert [note.kind for note in tree(story.events).notes] == ["doctor"]


def test_filters_keep_the_way_to_what_they_find() -> None:
    whole = tree(small().events)
    assert ids(select(whole)) == ids(whole)
    assert ids(select(whole, niche=0)) == ["run", "r0", "r0.design.n0", "r0.design.n0.call"]
    assert ids(select(whole, agent="reflection"))[2:] == ["r0.reflect.n1", "r0.reflect.n1.call"]
    assert ids(select(whole, failed=True)) == ["run", "r0", "r0.design.n1", "r0.design.n1.call"]
    assert ids(select(whole, failed=True, agent="reflection")) == ["run"]
    assert ids(select(whole, round_=1)) == ["run"]


def test_two_thousand_calls_and_ten_thousand_candidates_are_one_tree() -> None:
    story = Story()
    story.tell("run-started", "run")
    for number in range(1000):
        story.tell("round-begun", f"r{number}", "run", round=number)
        for attempt in range(2):
            call = f"r{number}.planner.a{attempt}"
            story.tell("call-begun", call, f"r{number}", round=number)
            story.tell("call", call, f"r{number}", round=number, outcome="ok")
        for slot in range(10):
            story.tell("evaluated", f"r{number}", "run", candidate=f"r{number}n0c{slot}")
    root = tree(story.events)
    assert root.count("evaluated") == 10_000
    assert len(ids(root)) == 1 + 1000 + 2000
