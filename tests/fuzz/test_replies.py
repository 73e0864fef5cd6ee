"""Malformed replies by the hundred: no traceback, no budget without end, and a run that goes on."""

import json
import math
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from fuzz.replies import KEY, odd_replies, odd_reply
from langchain_core.messages import HumanMessage, SystemMessage
from pydantic import BaseModel

from pelnas import Search, SearchConfig
from pelnas.agents.models.base import LanguageModel, Reply, RetryPolicy
from pelnas.agents.models.connection import connect
from pelnas.agents.models.reply_checks import MOST_TOKENS
from pelnas.agents.testing.server import Fault, LoopbackServer
from pelnas.calls.call import Message
from pelnas.config import Budget
from pelnas.errors import ModelCallError
from pelnas.store import RunStore

QUICK = RetryPolicy(timeout=20.0, attempts=2, total=0.3, first_wait=0.001)
ASKED = [Message("system", "be brief"), Message("user", "a word?")]


class Answer(BaseModel):
    word: str


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


def answer(_messages: Sequence[Message], schema: dict[str, Any]) -> str:
    """A sound answer to any of a search's questions, and to the one here."""
    found = {"niches": [{"niche": 1, "designs": 2, "focus": "gaps"}], "rules": [], "designs": []}
    known = [name for name in found if name in schema.get("properties", {})]
    return json.dumps({name: found[name] for name in known} or {"word": "yes"})


def _check(reply: Reply) -> None:
    """What a ledger, a budget and a reader may rely on."""
    for expected in (reply.usage.tokens_in, reply.usage.tokens_out):
        assert isinstance(expected, int)
        assert 0 <= expected <= 3 * MOST_TOKENS  # three rungs of the ladder may have been paid
    assert reply.usage.tokens > 0
    for part in (reply.usage.tokens_cached, reply.usage.tokens_reasoning):
        assert part is None or 0 <= part <= reply.usage.tokens
    assert 0 <= reply.usage.seconds < math.inf
    for text in (reply.text, reply.model):
        text.encode()
        assert KEY not in text
        assert KEY not in _unescaped(text)


def _unescaped(text: str) -> str:
    try:
        return json.dumps(json.loads(text))
    except (ValueError, RecursionError):
        return ""


def _ask(model: LanguageModel, move: bool) -> None:
    try:
        if move:
            moved = model.step([SystemMessage("be brief"), HumanMessage("a word?")], [])
            assert KEY not in str(moved.message)
            _check(moved.reply)
        else:
            _check(model.ask(ASKED, Answer))
    except ModelCallError as error:
        _check_sentence(str(error))


def _check_sentence(sentence: str) -> None:
    assert KEY not in sentence
    assert sentence.isprintable()


def _all(seed: int, count: int) -> None:
    faults = odd_replies(seed, count)
    with LoopbackServer(answer, faults=faults, tools="free") as server:
        model = connect("openai:odd", base_url=server.url, retry=QUICK)
        while len(server.requests) < count:
            _ask(model, move=len(server.requests) % 4 == 0)


def test_a_malformed_reply_is_an_answer_or_one_sentence() -> None:
    _all(seed=1, count=100)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 12))
def test_thousands_of_malformed_replies_are_answers_or_sentences(seed: int) -> None:
    _all(seed, count=500)


def _some(seed: int) -> Iterator[Fault | None]:
    """Malformed replies among sound ones, without end."""
    rng = random.Random(seed)
    while True:
        yield odd_reply(rng) if rng.random() < 0.7 else None


def _searched(seed: int, folder: Path, toy: Callable[..., SearchConfig]) -> int:
    """A search among malformed replies, resumed; how many it met."""
    tokens, name = 30_000, "openai:odd"
    with LoopbackServer(answer, faults=_some(seed)) as server:
        model = connect(name, base_url=server.url, retry=QUICK)
        budget = Budget(tokens=tokens, calls=400)
        config = toy(folder, rounds=2, per_niche=2, model=name, seed=seed, budget=budget)
        run = Search(config, {name: model}).run()
        assert not run.stopped
        again = Search.resume(run.folder, {name: model}, rounds=3, budget=Budget(tokens=2 * tokens))
        assert not again.run().stopped
    with RunStore.read(run.folder) as store:
        calls = store.calls()
        assert calls
        assert store.spent().tokens > 0
        assert all(call.usage.tokens_in >= 0 and call.usage.tokens_out >= 0 for call in calls)
        assert {e.id for e in store.evaluations()} == {c.id for c in store.candidates()}
    files = [path for path in run.folder.rglob("*") if path.is_file()]
    assert [path.name for path in files if KEY.encode() in path.read_bytes()] == []
    return len(server.requests)


def test_a_search_among_malformed_replies_ends_and_goes_on(
    tmp_path: Path, toy: Callable[..., SearchConfig]
) -> None:
    assert _searched(1, tmp_path, toy) > 20


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 12))
def test_searches_among_malformed_replies_end_and_go_on(
    seed: int, tmp_path: Path, toy: Callable[..., SearchConfig]
) -> None:
    assert _searched(seed, tmp_path, toy) > 20


@pytest.mark.parametrize("value", [-350, 2**63])
def test_a_budget_of_tokens_ends_a_search_whatever_is_told(
    value: Any, tmp_path: Path, toy: Callable[..., SearchConfig]
) -> None:
    usage = {"prompt_tokens": value, "completion_tokens": value, "total_tokens": value}

    def lie() -> Iterator[Fault]:
        while True:
            message = {"role": "assistant", "content": '{"designs": [], "niches": [], "rules": []}'}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            yield Fault(body=json.dumps({"choices": [choice], "usage": usage}).encode())

    name = "openai:odd"
    with LoopbackServer(answer, faults=lie()) as server:
        model = connect(name, base_url=server.url, retry=QUICK)
        config = toy(tmp_path, rounds=30, per_niche=1, model=name, budget=Budget(tokens=2_500))
        run = Search(config, {name: model}).run()
    assert "budget of tokens is spent" in run.reason
    assert len(server.requests) < 40
