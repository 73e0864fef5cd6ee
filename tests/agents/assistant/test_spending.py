"""What a conversation asks of models is counted, bounded and written down, without keys."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from pydantic import BaseModel

from pelnas.agents.assistant.spending import Account, Accounted, Scene
from pelnas.agents.models.base import LanguageModel, RetryPolicy
from pelnas.agents.models.connection import connect
from pelnas.agents.models.wrappers import Priced
from pelnas.agents.testing.server import Fault, LoopbackServer, ToolCalls
from pelnas.budget import Spent
from pelnas.calls.call import Message
from pelnas.calls.prices import Rates
from pelnas.calls.usage import Usage
from pelnas.config import Budget
from pelnas.errors import BudgetExhausted, ModelCallError, StoreError
from pelnas.store.conversations import TalkCall

pytest.importorskip("langchain_openai", reason="the extra 'openai' is not installed")
KEY = "planted-4f1d9c2b7a"
QUICK = RetryPolicy(timeout=20.0, attempts=1, total=20.0, first_wait=0.01)
ASKED = [Message("system", "be brief"), Message("user", "a word?")]
RATES = Rates("openai:toy", 1000.0, 10_000.0, 100.0, "a test", "2026-07-31")


class Answer(BaseModel):
    word: str


@tool
def look(place: str) -> str:
    """Look somewhere."""
    return place


@pytest.fixture
def kept() -> list[TalkCall]:
    return []


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


def serving(*answers: str | ToolCalls, **settings: Any) -> LoopbackServer:
    left: Iterator[str | ToolCalls] = iter(answers)
    return LoopbackServer(lambda *_: next(left), **({"tools": "free"} | settings))


def on_account(
    server: LoopbackServer, account: Account, kept: list[TalkCall], words: str = "well?"
) -> Accounted:
    model: LanguageModel = connect("openai:toy", base_url=server.url, retry=QUICK)
    return Accounted(Priced(model, RATES), account, Scene("t1", "ann", words), kept.append)


def test_a_step_with_tools_costs_what_its_tokens_cost() -> None:
    with serving(ToolCalls([("look", '{"place": "here"}')])) as server:
        model = Priced(connect("openai:toy", base_url=server.url, retry=QUICK), RATES)
        step = model.step([HumanMessage("where?")], [look])
    usage = step.reply.usage
    assert usage.tokens_in > 0
    assert usage.tokens_out > 0
    assert usage.dollars == pytest.approx(
        (1000 * usage.tokens_in + 10_000 * usage.tokens_out) / 1e6
    )
    assert usage.seconds > 0
    assert step.reply.model == "toy"


def test_every_request_is_counted_and_written_down(kept: list[TalkCall]) -> None:
    account = Account()
    with serving(ToolCalls([("look", '{"place": "here"}')], "Wait."), '{"word": "yes"}') as server:
        model = on_account(server, account, kept)
        step = model.step([SystemMessage("be brief"), HumanMessage("where?")], [look])
        reply = model.ask(ASKED, Answer)
    first, second = kept
    assert [call.id for call in kept] == ["t1.1", "t1.2"]
    assert (first.author, first.words, first.model) == ("ann", "well?", "openai:toy")
    assert first.messages == (Message("system", "be brief"), Message("user", "where?"))
    assert first.answer == 'Wait.\nlook {"place": "here"}'
    assert second.messages == tuple(ASKED)
    assert second.answer == '{"word": "yes"}'
    costs = [step.reply, reply]
    assert [call.usage for call in kept] == [cost.usage for cost in costs]
    spent = account.spent()
    assert (spent.calls, spent.tokens) == (2, sum(cost.usage.tokens for cost in costs))
    assert spent.dollars == pytest.approx(sum(cost.usage.dollars for cost in costs))


def test_what_is_weighed_is_one_call_with_all_its_ends(kept: list[TalkCall], smollm2: Path) -> None:
    pytest.importorskip("xllamacpp", reason="the extra 'local' is not installed")
    account = Account()
    model = connect(f"local:{smollm2}")
    heard = Accounted(model, account, Scene("t1", "ann", "well?"), kept.append)
    assert heard.tells_logprobs
    weighed = heard.option_logprobs(
        "Grass is", [" green. The sky is", " blue, no,"], [" blue", " green"]
    )
    model.close()
    (call,) = kept
    assert [message.content for message in call.messages] == [
        "Grass is",
        " green. The sky is",
        " blue, no,",
    ]
    assert call.answer == weighed.reply.text == '[" blue", " green"]'
    assert account.spent() == Spent(calls=1, tokens=weighed.reply.usage.tokens)


def test_what_tools_answered_and_were_asked_is_part_of_the_next_request(
    kept: list[TalkCall],
) -> None:
    with serving(ToolCalls([("look", '{"place": "here"}')]), "Done.") as server:
        model = on_account(server, Account(), kept)
        asked = model.step([HumanMessage("where?")], [look]).message
        found = ToolMessage("there", tool_call_id="call-1", name="look")
        model.step([HumanMessage("where?"), asked, found], [look])
    assert kept[1].messages == (
        Message("user", "where?"),
        Message("assistant", 'look {"place": "here"}'),
        Message("tool", "there"),
    )


def test_a_failed_call_counts_and_costs_nothing(kept: list[TalkCall]) -> None:
    account = Account()
    with serving(faults=[Fault(500)]) as server:
        model = on_account(server, account, kept)
        with pytest.raises(ModelCallError):
            model.step([HumanMessage("where?")], [look])
    assert account.spent() == Spent(calls=1)
    assert (kept[0].outcome, kept[0].usage.tokens, kept[0].usage.price) == ("failed", 0, 0.0)
    assert "HTTP 500" in kept[0].problem


@pytest.mark.parametrize(
    ("limits", "option"),
    [(Budget(tokens=1), "--max-tokens"), (Budget(dollars=0.0001), "--max-dollars")],
)
def test_nothing_is_asked_beyond_a_limit(kept: list[TalkCall], limits: Budget, option: str) -> None:
    account = Account(limits)
    with serving("one", "two") as server:
        model = on_account(server, account, kept)
        model.step([HumanMessage("first?")], [look])
        with pytest.raises(BudgetExhausted) as refused:
            model.step([HumanMessage("second?")], [look])
        again = on_account(server, Account(limits, account.spent()), kept)
        with pytest.raises(BudgetExhausted):
            again.step([HumanMessage("third?")], [look])
        assert len(server.requests) == len(kept) == 1
    assert str(refused.value).endswith(f"with a larger {option}")
    assert "commands work as ever" in str(refused.value)


def test_what_cannot_be_written_down_ends_nothing() -> None:
    def refuse(_: TalkCall) -> None:
        raise StoreError("the disk is full")

    with serving("one") as server:
        model = connect("openai:toy", base_url=server.url, retry=QUICK)
        heard = Accounted(model, Account(), Scene("t1", "ann", "well?"), refuse)
        assert heard.step([HumanMessage("first?")], [look]).reply.text == "one"
    assert heard.unkept == "the disk is full"


def test_keys_are_written_down_nowhere(kept: list[TalkCall]) -> None:
    asked = json.dumps({"place": f"{KEY} Bearer abcdef"})
    with serving(ToolCalls([("look", asked)], f"It is {KEY}."), "Done.") as server:
        model = on_account(server, Account(), kept, f"{KEY}, and sk-another-0123456789")
        step = model.step([HumanMessage(f"is {KEY} safe?")], [look])
        found = ToolMessage(f"{KEY} is nowhere", tool_call_id="call-1", name="look")
        model.step([HumanMessage("and?"), step.message, found], [look])
    assert len(kept) == 2
    text = repr(kept)
    assert "***" in text
    assert KEY not in text
    assert "abcdef" not in text
    assert "sk-another" not in text


def test_an_account_tells_what_is_known_and_what_is_not() -> None:
    account = Account(Budget(dollars=0.5, tokens=9000))
    assert str(account) == (
        "this conversation: 0 model calls, 0 tokens of at most 9,000, $0.00 of at most $0.5000"
    )
    account.before_call()
    account.after_call(Usage(1234, unpriced=1))
    assert str(Account(before=account.spent())) == (
        "this conversation: 1 model call, 1,234 tokens, 1 call of unknown price"
    )
