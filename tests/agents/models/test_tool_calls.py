"""Tool calls are read without trust, and a record says the same as the message it was made of."""

from typing import Any

import pytest
from langchain_core.messages import AIMessage, ToolCall

from pelnas.agents.models.tool_calls import (
    MESSAGE_LIMIT,
    PARALLEL_CALLS,
    Call,
    Move,
    as_understood,
    calls_of,
    recorded,
)


def message(*calls: tuple[str, dict[str, Any], str | None], text: str = "") -> AIMessage:
    return AIMessage(text, tool_calls=[ToolCall(name=n, args=a, id=i) for n, a, i in calls])


def test_calls_get_ids_of_their_own() -> None:
    found = calls_of(message(("a", {}, "one"), ("b", {}, "one"), ("c", {}, None)))
    assert [call.name for call in found] == ["a", "b", "c"]
    assert found[0].id == "one"
    assert len({call.id for call in found}) == 3


def test_a_message_in_good_order_goes_back_as_it_is() -> None:
    good = message(("a", {"x": 1}, "one"))
    assert as_understood(good, calls_of(good)) is good


def test_a_move_is_read_as_it_was_recorded() -> None:
    said = message(("a", {"x": "\u00e9"}, "one"), ("b", {}, "two"), text="Look.")
    move = Move.of(said)
    assert Move.from_json(move.to_json()) == move
    assert recorded([move.message]) == recorded([said])


def test_what_is_recorded_is_bounded() -> None:
    many = Move.of(message(*(("a", {"x": "y" * 9_000}, str(n)) for n in range(40))))
    assert len(many.calls) == PARALLEL_CALLS
    kept = [call for call in many.calls if not call.problem]
    assert (
        0 < len(kept) == MESSAGE_LIMIT // 9_009
    )  # characters of the arguments as Python writes them
    assert all(call.args == {} for call in many.calls if call.problem)


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"text": "a"}', '{"text": "a", "calls": [{"name": "b"}]}',
     '{"text": "a", "calls": [{"name": "b", "args": [], "id": "c"}]}'],
)  # fmt: skip
def test_an_altered_record_is_an_empty_move(text: str) -> None:
    assert Move.from_json(text) == Move("")


def test_an_altered_name_is_text() -> None:
    (call,) = Move.from_json('{"text": "", "calls": [{"name": 7, "args": {}, "id": 1}]}').calls
    assert call == Call("7", {}, "1")
