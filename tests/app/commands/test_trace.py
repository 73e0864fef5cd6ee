"""``pelnas trace``: a tree, filters, calls in full, stories, and a run that is followed."""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from pelnas.config import SearchConfig
from pelnas.report import front_points
from pelnas.store import RunStore

Pelnas = Callable[..., Any]


@pytest.fixture(scope="module")
def store(talkative_run: Path) -> Iterator[RunStore]:
    with RunStore.read(talkative_run) as run:
        yield run


def test_the_tree_tells_rounds_agents_calls_and_how_they_ended(
    pelnas: Pelnas, talkative_run: Path, store: RunStore
) -> None:
    outcome = pelnas("trace", talkative_run)
    assert (outcome.code, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    spent = store.spent()
    assert f"{spent.evaluations} evaluated, {spent.calls} model calls" in lines[0]
    assert f"{sum(call.tokens for call in store.calls()):,} tokens" in lines[0]
    assert [line.split()[2] for line in lines if "── round " in line] == ["0", "1", "2", "3"]
    for call in store.calls():
        (line,) = [line for line in lines if f"─ {call.id} " in line]
        assert f"{call.tokens:,} tokens" in line
        assert call.outcome == "ok" or f"{call.outcome}: {call.problem[:40]}" in line
    assert any("designer, niche 2 (two or more convolutions)" in line for line in lines)
    assert any("fallback: scripted:answers" in line for line in lines)
    assert any("lookup_latency" in line and "candidates" in line for line in lines)


def test_filters_show_branches(pelnas: Pelnas, talkative_run: Path) -> None:
    reflections = pelnas("trace", talkative_run, "--agent", "reflection", "--round", "1").out
    assert "r1.reflection.n0.a0" in reflections
    assert "designer" not in reflections
    assert "round 0" not in reflections
    failed = pelnas("trace", talkative_run, "--failed", "--niche", "1").out
    assert "r0.designer.n1.a0" in failed
    assert "failed: the scripted provider is out of order" in failed
    assert "r0.designer.n0.a0" not in failed
    nothing = pelnas("trace", talkative_run, "--niche", "77")
    assert nothing.code == 0
    assert "nothing in this run is like that" in nothing.err


def test_a_call_is_shown_in_full_and_cannot_act(
    pelnas: Pelnas, talkative_run: Path, store: RunStore
) -> None:
    call = store.call("r0.designer.n0.a0")
    assert call is not None
    assert "\x1b" in call.answer
    outcome = pelnas("trace", talkative_run, "--call", call.id)
    assert all(message.content in outcome.out for message in call.messages)
    assert "␛[31mI would rather talk." in outcome.out
    assert f"{call.usage.tokens_in:,} tokens in, {call.usage.tokens_out:,} out" in outcome.out
    assert "invalid" in outcome.out
    document = pelnas("trace", talkative_run, "--call", call.id, "--json").json()
    assert document["answer"] == call.answer
    assert document["messages"][1]["content"] == call.messages[1].content


def test_nothing_that_is_shown_acts_on_the_terminal(
    pelnas: Pelnas, talkative_run: Path, store: RunStore
) -> None:
    designed = next(c for c in store.candidates() if c.design.author == "scripted:answers")
    assert "\x1b" in designed.design.rationale
    views = [(), ("--failed",), ("--follow",), ("--candidate", designed.id)]
    views += [("--call", call.id) for call in store.calls()[:6]]
    for view in views:
        assert "\x1b" not in pelnas("trace", talkative_run, *view).out
    assert "a ␛[1mguess" in pelnas("trace", talkative_run, "--candidate", designed.id).out


def test_stories_lead_from_the_front_to_rules_and_back(
    pelnas: Pelnas, talkative_run: Path, store: RunStore
) -> None:
    point = max(front_points(store), key=lambda point: len(point.rules))
    assert point.rules
    output = pelnas("trace", talkative_run, "--candidate", point.id).out
    assert point.architecture in output
    assert "on the front" in output
    assert all(rule in output for rule in point.rules)
    rule = pelnas("trace", talkative_run, "--rule", point.rules[0])
    assert point.id in rule.out
    assert "verdicts" in rule.out
    document = pelnas("trace", talkative_run, "--rule", point.rules[0], "--json").json()
    assert point.id in [shaped["id"] for shaped in document["shaped"]]


def test_the_tree_as_a_document(pelnas: Pelnas, talkative_run: Path, store: RunStore) -> None:
    document = pelnas("trace", talkative_run, "--round", "2", "--json").json()
    assert document["run"] == store.name
    (round_,) = document["trace"]["spans"]
    assert round_["id"] == "r2"
    steps = {step["id"] for step in round_["spans"]}
    assert {"r2.plan", "r2.evaluate", "r2.learn"} <= steps


def test_the_tree_as_a_picture_asks_nobody_for_anything(
    pelnas: Pelnas, talkative_run: Path, store: RunStore, tmp_path: Path
) -> None:
    file = tmp_path / "trace.svg"
    outcome = pelnas("trace", talkative_run, "--agent", "designer", "--round", "1", "--svg", file)
    assert (outcome.code, outcome.out, outcome.err) == (0, f"picture  {file}\n", "")
    text = file.read_text()
    named = set(re.findall(r"https?:[^\"'\s)]*", text))
    assert named == {"http://www.w3.org/2000/svg"}  # the name of the format, which nobody fetches
    assert not re.search(r"@import|@font-face|href|url\((?!#)|<script|<image", text)
    drawn = [node.text or "" for node in ElementTree.fromstring(text).iter() if node.text]  # noqa: S314
    shown = "".join(drawn).replace("\xa0", " ")
    for call in store.calls(1):
        assert (f"─ {call.id}" in shown) == (call.agent == "designer")
    assert f"pelnas trace {store.name}" in shown
    assert "round 0" not in shown
    pelnas("trace", talkative_run, "--agent", "designer", "--round", "1", "--svg", file)
    assert file.read_text() == text


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--call", "r9.planner.a0"), "no model call"),
        (("--candidate", "r9n0c0"), "no candidate"),
        (("--rule", "R1"), "no rule"),
        (("--agent", "bob"), "planner, designer, reflection"),
        (("--call", "x", "--rule", "y"), "give one"),
        (("--call", "x", "--svg", "x.svg"), "give one"),
        (("--svg", "nowhere/x.svg"), "cannot be written"),
        (("--follow", "--json"), "events.jsonl"),
    ],
)
def test_what_cannot_be_shown_is_one_sentence(
    pelnas: Pelnas, talkative_run: Path, arguments: tuple[str, ...], says: str
) -> None:
    outcome = pelnas("trace", talkative_run, *arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert says in outcome.err
    assert len(outcome.err.splitlines()) == 1


def test_a_finished_run_is_followed_to_its_end(
    pelnas: Pelnas, talkative_run: Path, store: RunStore
) -> None:
    outcome = pelnas("trace", talkative_run, "--follow")
    lines = outcome.out.splitlines()
    assert len(lines) == len(store.events())
    assert lines[-1].split()[1:3] == ["run", "run-finished"]
    assert outcome.err == ""


def test_a_run_is_followed_while_it_runs_elsewhere(pelnas: Pelnas, tmp_path: Path) -> None:
    run = RunStore.create(SearchConfig(output=tmp_path), "s")
    run.event("run-started", span="run", name="s-search")

    def work() -> None:
        for number in range(5):
            time.sleep(0.05)
            run.event("working", span="r0", number=number)
        run.event("run-stopped", span="run")
        run.close()

    worker = threading.Thread(target=work)
    worker.start()
    outcome = pelnas("trace", run.folder, "--follow")
    worker.join(60)
    assert [line.split()[2] for line in outcome.out.splitlines()] == [
        "run-started",
        *["working"] * 5,
        "run-stopped",
    ]


def test_a_run_that_was_killed_is_not_waited_for(pelnas: Pelnas, tmp_path: Path) -> None:
    with RunStore.create(SearchConfig(output=tmp_path), "s") as run:
        run.event("run-started", span="run", name="s-search")
        run.event("step-begun", span="r0.plan", parent="run", round=0, agent="planner")
        going = pelnas("trace", run.folder)
    assert "under way" in going.out
    outcome = pelnas("trace", run.folder, "--follow")
    assert len(outcome.out.splitlines()) == 2
    assert "pelnas resume" in outcome.err
    assert "broken off" in pelnas("trace", run.folder).out


def test_one_rule_and_one_call_are_told_as_such(pelnas: Pelnas, tmp_path: Path) -> None:
    with RunStore.create(SearchConfig(output=tmp_path), "s") as run:
        run.event("run-started", span="run", name="s-search")
        run.event("step-begun", span="r0.learn", parent="run", round=0)
        run.event("learned", span="r0.learn", round=0, in_force=1, retired=0)
        run.event("step-ended", span="r0.learn", round=0)
    assert "1 rule in force, 0 retired" in pelnas("trace", run.folder).out


def test_directives_stand_in_the_tree(pelnas: Pelnas, tmp_path: Path) -> None:
    with RunStore.create(SearchConfig(output=tmp_path), "s") as run:
        run.event("run-started", span="run", name="s-search")
        asked = {"directive": "d1", "author": "me", "status": "in-force", "asks": "no \x1bpooling"}
        run.event("directive", span="run", **asked)
        run.event("paused", span="run", directive="d2", author="me")
        run.event("unpaused", span="run")
    shown = pelnas("trace", run.folder).out
    for line in ("directive d1 in-force: no ␛pooling\n", "paused d2\n", "unpaused\n"):
        assert line in shown


def test_the_file_of_events_is_the_stream(talkative_run: Path, store: RunStore) -> None:
    lines = (talkative_run / "events.jsonl").read_text().splitlines()
    assert [json.loads(line)["seq"] for line in lines] == [event.seq for event in store.events()]
    kinds = {json.loads(line)["kind"] for line in lines}
    assert {"run-started", "round-begun", "step-begun", "call-begun", "call"} <= kinds
    assert {"tool-begun", "predicted", "evaluated", "rule-born", "fallback"} <= kinds
