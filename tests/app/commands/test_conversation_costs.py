"""What models were asked in conversations, as ``pelnas trace`` shows it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pelnas.calls.call import Message
from pelnas.calls.usage import Usage
from pelnas.config import SearchConfig
from pelnas.store import RunStore
from pelnas.store.conversations import TalkCall, TalkLog

Pelnas = Callable[..., Any]
ID = "t1f0c9a2b.1"


@pytest.fixture
def talked(tmp_path: Path) -> Path:
    """The folder of a run that was talked about twice."""
    config = SearchConfig(space="tiny", output=tmp_path / "runs")
    with RunStore.create(config, "s") as store:
        folder = store.folder
    messages = (Message("system", "be brief"), Message("user", "is it \x1b[31mfast?"))
    log = TalkLog(folder)
    asked = ("ann", "is it fast?", "openai:toy", messages)
    log.append(
        TalkCall(
            ID,
            0.0,
            *asked,
            answered_by="toy-2",
            answer='front {"niche": 1}',
            usage=Usage(1000, 234, 500, dollars=0.0123, seconds=1.5),
            outcome="ok",
        )
    )
    log.append(TalkCall("t77777777.1", 1.0, *asked, problem="it cannot be reached"))
    return folder


def test_the_calls_of_conversations_are_listed_with_their_cost(
    pelnas: Pelnas, talked: Path
) -> None:
    outcome = pelnas("trace", talked, "--conversations")
    assert outcome.code == 0
    lines = outcome.out.splitlines()
    assert lines[0] == (
        f"2 model calls in 2 conversations about {talked.name}, 1,234 tokens, $0.0123"
    )
    (first,) = [line for line in lines if ID in line]
    for part in ("ann", "openai:toy", "1,234", "$0.0123", "ok", "is it fast?"):
        assert part in first
    assert any("t77777777.1" in line and "failed" in line for line in lines)


def test_one_of_them_is_shown_in_full_and_cannot_act(pelnas: Pelnas, talked: Path) -> None:
    output = pelnas("trace", talked, "--call", ID).out
    assert "openai:toy, answered by toy-2" in output
    assert "1,000 tokens in, 234 out, 500 of those in were cached, $0.0123" in output
    assert "--- user ---\nis it ␛[31mfast?" in output
    assert '--- answer ---\nfront {"niche": 1}' in output
    assert "\x1b" not in output


def test_both_are_documents_as_well(pelnas: Pelnas, talked: Path) -> None:
    listed = pelnas("trace", talked, "--conversations", "--json").json()
    assert [call["id"] for call in listed["calls"]] == [ID, "t77777777.1"]
    one = pelnas("trace", talked, "--call", ID, "--json").json()
    assert (one["tokens"], one["words"]) == (1234, "is it fast?")


def test_nothing_was_said_and_what_excludes_each_other(pelnas: Pelnas, talked: Path) -> None:
    (talked / "conversations.jsonl").unlink()
    assert pelnas("trace", talked, "--conversations").out.startswith("0 model calls in 0 conv")
    assert pelnas("trace", talked, "--call", ID).code == 2
    both = pelnas("trace", talked, "--conversations", "--follow")
    assert (both.code, both.err.count("\n")) == (2, 1)
