"""Designers with tools: hostile results, and hostile calls."""

import json
from collections.abc import Callable, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from fakes import NO_RULES, members_asked_for, proposed

from pelnas import Search, SearchConfig
from pelnas.agents.testing.server import LoopbackServer, ToolCalls
from pelnas.calls.call import Message
from pelnas.directives import parse
from pelnas.errors import DirectiveError
from pelnas.store import RunStore
from pelnas.traces.text import visible

pytest.importorskip("langchain_openai", reason="the extra 'openai' is not installed")


class Caller:
    """Puts every attempt where a tool takes text, and into the names of tools."""

    def __init__(self, attempts: Sequence[str]) -> None:
        self._order = attempts[0]
        self._attempts = cycle(attempts)

    def __call__(self, messages: Sequence[Message], schema: dict[str, Any]) -> str | ToolCalls:
        if schema:
            return json.dumps({"niches": []} if "niches" in schema["properties"] else NO_RULES)
        if any(message.role == "tool" for message in messages):
            return ToolCalls([("submit", json.dumps(proposed(members_asked_for(messages, 6))))])
        words = [next(self._attempts) for _ in range(6)]
        member = members_asked_for(messages, 1)[0]
        return ToolCalls(
            [
                ("rules_about", json.dumps({"about": self._order[:200]})),
                ("rules_about", json.dumps({"about": words[0]})),
                (words[1], "{}"),
                ("score_architecture", json.dumps({"architecture": words[2]})),
                ("what_if", json.dumps({"architecture": words[3]})),
                (
                    "what_if",
                    json.dumps({"architecture": member, "position": words[4], "choice": "x"}),
                ),
                ("lookup_latency", json.dumps({words[5]: "y"})),
                ("score_architecture", json.dumps({"architecture": member})),
            ]
        )


def test_what_tools_answer_is_one_line_of_data(
    toy: Callable[..., SearchConfig], tmp_path: Path, attempts: tuple[str, ...]
) -> None:
    with LoopbackServer(Caller(attempts), tools="free") as server:
        config = toy(
            tmp_path, designer_model="openai:any", base_url=server.url, rounds=4, per_niche=3,
            tool_calls=12,
        )  # fmt: skip
        search = Search(config)
        store = search.session.store
        store.append_directive(parse("/ban avg_pool_3x3"), "ann", "")
        for text in attempts:
            quoted = json.dumps(text[:200], ensure_ascii=False)
            try:
                rule = parse(f"/rule add {quoted} skip_connect >= 1 helps accuracy")
            except DirectiveError:
                continue
            store.append_directive(rule, "mallory", text)
        folder = search.run().folder
    answers = [
        message["content"]
        for body in server.requests
        for message in body["messages"]
        if message["role"] == "tool"
    ]
    assert len(answers) > 50
    for answer in answers:
        assert visible(answer) == answer
        assert len(answer) < 9_000
        assert isinstance(json.loads(answer), dict)
    assert any(attempts[0][:30] in answer for answer in answers)  # a rule's words did come along
    assert any("there is no tool" in answer for answer in answers)
    with RunStore.read(folder) as found:
        assert found.status == "finished"
        assert {c.design.method for c in found.candidates()} >= {"draft"}
        assert not any("avg_pool" in c.architecture for c in found.candidates())
    assert [each.name for each in folder.parent.iterdir()] == [folder.name]
