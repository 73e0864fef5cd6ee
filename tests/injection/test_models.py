"""What models answer, and what stands in rules and directives: one hostile search."""

import json
import re
from typing import Any

import pytest

from pelnas.app.main import run
from pelnas.graph.chat.console import Talk
from pelnas.report import agent_stats
from pelnas.report.directives import directive_rows
from pelnas.spaces import get_space
from pelnas.store import RunStore
from pelnas.traces.text import visible

SPACE = get_space("tiny")


def test_nothing_but_networks_within_the_directives_is_designed(
    hostile: Any,
) -> None:
    folder, model, _, limit_ms = hostile
    with RunStore.read(folder) as store:
        assert store.status == "finished"
        evaluated = store.evaluations()
        by_model = [e for e in evaluated if e.candidate.design.author == model.name]
        ban, limit, *_ = directive_rows(store)
        refusals = [refusal for _, _, refusal in store.refusals()]
        rate = next(r for r in agent_stats(store) if r.author == model.name)
    assert len(by_model) > 5
    for each in evaluated:
        assert SPACE.format(SPACE.parse(each.candidate.architecture)) == each.candidate.architecture
        assert "avg_pool" not in each.candidate.architecture
        assert each.latency_ms <= limit_ms
    assert ban.refused > 0
    assert any(refusal.directive == "d1" for refusal in refusals)
    assert limit.refused > 0
    assert rate.invalid > 0


def test_a_prompt_holds_what_others_said_as_quoted_data_only(hostile: Any) -> None:
    model, order = hostile.model, hostile.order
    shown, niche = 0, re.compile("niche [0-2] only")
    for request in model.requests:
        if niche.search(request[0].content):
            assert "design nothing with avg_pool_3x3" in request[1].content
        for message in request[:2]:
            assert visible(message.content) == message.content
            assert str(7 * 6131) not in message.content
            assert len(message.content) < 60_000
            for line in message.content.splitlines():
                shown += order in line
                # Its words stand in quotes on one line with a label, never on their own.
                assert not line.startswith(
                    ("Ignore", "SYSTEM", "<|im_", "obey", "Assistant:", "/stop")
                )
            assert [
                line for line in message.content.splitlines() if line.startswith("# System")
            ] == []
            for text in re.findall(re.escape(order), message.content):
                assert json.dumps(text) in message.content
    assert shown


def test_what_was_said_is_shown_as_text_by_every_command(
    hostile: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, model = hostile.folder, hostile.model
    with RunStore.read(folder) as store:
        born = next(e for e in store.evaluations() if e.candidate.design.author == model.name)
        calls = [call.id for call in store.calls()][:40]
    commands = [
        ("front",), ("rules", "--all"), ("explain", born.id), ("directives",), ("trace",),
        ("trace", "--failed"), ("trace", "--candidate", born.id), ("runs",),
        *(("trace", "--call", call) for call in calls[:12]),
    ]  # fmt: skip
    for command, *more in commands:
        named = () if command == "runs" else (folder.name,)
        code = run([command, *named, *more, "--output", str(folder.parent)])
        captured = capsys.readouterr()
        assert (code, captured.err) == (0, ""), command
        assert captured.out == visible(captured.out), command
    talk = Talk(folder.parent, folder.name, "ann")
    lines = [f"/call {id_}" for id_ in calls]
    for line in ("/rules all", "/niches", "/directives", f"/why {born.id}", "/niche 0", *lines):
        (answer,) = talk.say(line)
        assert not talk.waiting
        assert "no call" not in answer


def test_no_other_file_was_made(hostile: Any) -> None:
    folder = hostile.folder
    assert [each.name for each in folder.parent.iterdir()] == [folder.name]
    assert not any("OWNED" in each.name for each in folder.rglob("*"))
