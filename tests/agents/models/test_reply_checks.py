"""What a server tells of its replies is believed where it can be true, and nowhere else."""

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pelnas.agents.models import reply_checks
from pelnas.agents.models.base import Reply
from pelnas.calls.call import Message
from pelnas.calls.usage import Usage

ASKED = [Message("user", "a word?")]
KEY = "planted-4f1d9c2b7a"
ODD = (2**63, 2**64, -1, -0.5, math.nan, math.inf, "20", [1], {"a": 1}, True, None, 10**30)


@pytest.mark.parametrize("value", ODD, ids=repr)
def test_what_is_no_count_is_not_believed(value: Any) -> None:
    assert reply_checks.count(value) is None


@pytest.mark.parametrize(("value", "counted"), [(0, 0), (7, 7), (100.25, 101), (3.0, 3)])
def test_a_count_is_a_whole_number(value: float, counted: int) -> None:
    assert reply_checks.count(value) == counted


@pytest.mark.parametrize("value", ODD, ids=repr)
def test_every_field_of_a_reply_can_be_stored_and_counted(value: Any) -> None:
    reply = Reply("two words", Usage(*[value] * 7), value, value)
    found = reply_checks.received(reply, ASKED)
    assert 0 < found.usage.tokens_in <= reply_checks.MOST_TOKENS
    assert 0 < found.usage.tokens_out <= reply_checks.MOST_TOKENS
    assert 0 <= found.usage.seconds < math.inf
    assert 0 <= found.usage.dollars < math.inf
    assert found.usage.tokens_cached is None
    assert found.usage.tokens_reasoning is None
    assert isinstance(found.model, str)


def test_half_a_character_is_not_kept() -> None:
    reply = Reply("\ud800", Usage(1, 1), "mo\udfffdel\n\x00")
    found = reply_checks.received(reply, ASKED)
    assert (found.text, found.model) == ("?", "mo?del \x00")
    found.model.encode()


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=20), st.integers(0, 3), st.randoms(use_true_random=False))
def test_an_escaped_key_is_hidden_however_deep_it_lies(around: str, deep: int, rng: Any) -> None:
    mixed = "".join(f"\\u{ord(c):04x}" if rng.random() < 0.4 else c for c in KEY)
    text = around + '"' + mixed + '"'
    for _ in range(deep):
        text = json.dumps(text, ensure_ascii=rng.random() < 0.5)
    hidden = reply_checks.hide(text, [KEY])
    for _ in range(deep):
        hidden = json.loads(hidden)
    assert KEY not in hidden
    assert mixed not in hidden
    assert "***" in hidden


def test_only_the_usage_of_a_reply_is_judged() -> None:
    reply = {
        "usage": {"prompt_tokens": -1, "total_tokens": 7, "details": {"cached_tokens": "3"}},
        "choices": [{"finish_reason": ["stop"], "message": {"content": "x", "refusal": 5}}],
        "model": ["gpt"],
        "input": {"max_tokens": -5},
    }
    found = reply_checks.tidy(reply, lambda text: text)
    assert found["usage"] == {"total_tokens": 7, "details": {}}
    assert found["choices"] == [{"finish_reason": None, "message": {"content": "x"}}]
    assert found["model"] is None
    assert found["input"] == {"max_tokens": -5}


def test_json_nested_without_end_is_no_reply() -> None:
    endless: Any = []
    for _ in range(500):
        endless = [endless]
    with pytest.raises(reply_checks.ReplyError, match="levels"):
        reply_checks.tidy({"choices": endless}, lambda text: text)
