"""What a conversation costs: told, bounded, and written down beside the run that it is about."""

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver

from pelnas.agents.models.base import LanguageModel, ModelStep, RetryPolicy
from pelnas.agents.models.connection import connect
from pelnas.agents.models.wrappers import Priced, Wrapped
from pelnas.agents.testing.scripted import ScriptedModel
from pelnas.agents.testing.server import LoopbackServer, ToolCalls
from pelnas.calls.call import Message
from pelnas.calls.prices import Rates
from pelnas.config import Budget
from pelnas.graph.chat.chat_models import OneModel
from pelnas.graph.chat.console import Talk
from pelnas.graph.chat.graph import build_chat
from pelnas.recording import export
from pelnas.store import RunStore
from pelnas.store.conversations import TALKS, TalkLog

pytest.importorskip("langchain_openai", reason="the extra 'openai' is not installed")
KEY = "planted-4f1d9c2b7a"
QUICK = RetryPolicy(timeout=20.0, attempts=1, total=20.0, first_wait=0.01)
RATES = Rates("openai:toy", 1000.0, 10_000.0, 100.0, "a test", "2026-07-31")
Step = str | ToolCalls


@pytest.fixture
def begun(begin: Callable[..., Path]) -> Path:
    """The folder of a run that nobody works on."""
    return begin()


def serving(*steps: Step, **settings: Any) -> LoopbackServer:
    left: Iterator[Step] = iter(steps)
    return LoopbackServer(lambda *_: next(left), **({"tools": "free"} | settings))


def asking(server: LoopbackServer) -> LanguageModel:
    return Priced(connect("openai:toy", base_url=server.url, retry=QUICK), RATES)


def look_up(name: str, **given: Any) -> ToolCalls:
    return ToolCalls([(name, json.dumps(given))])


def test_a_conversation_tells_what_it_has_cost(begun: Path) -> None:
    with serving(look_up("status"), "Nothing yet.", "Still nothing.") as server:
        talk = Talk(begun.parent, begun.name, "ann", asking(server))
        assert talk.say("/spent") == ["this conversation: 0 model calls, 0 tokens, $0.00"]
        assert talk.cost == ""
        talk.say("how far is it?")
        talk.say("and now?")
        (reply,) = talk.say("/spent")
        assert len(server.requests) == 3
    calls = TalkLog(begun).calls()
    tokens, dollars = sum(c.usage.tokens for c in calls), sum(c.usage.dollars for c in calls)
    assert reply == f"this conversation: 3 model calls, {tokens:,} tokens, ${dollars:.2f}"
    assert talk.cost == reply
    assert dollars == pytest.approx(
        sum(c.usage.tokens_in / 1e3 + c.usage.tokens_out / 1e2 for c in calls)
    )


def test_beyond_its_limit_commands_work_and_free_words_get_one_sentence(begun: Path) -> None:
    with serving("One.", "Two.") as server:
        limits = Budget(dollars=0.0001)
        talk = Talk(begun.parent, begun.name, "ann", asking(server), limits)
        assert "One." in talk.say("how far is it?")[0]
        (refused,) = talk.say("and now?")
        assert len(server.requests) == 1
    assert refused.startswith("this conversation has spent ")
    assert refused.endswith("with a larger --max-dollars")
    assert "\n" not in refused
    assert begun.name in talk.say("/status")[0]
    assert talk.say("/ban avg_pool_3x3")[0].endswith("Yes or no?")
    assert talk.say("yes")[0].startswith("d1: ")


def test_a_limit_that_is_reached_within_a_turn_ends_it(begun: Path) -> None:
    with serving(look_up("status"), "Never said.") as server:
        talk = Talk(begun.parent, begun.name, "ann", asking(server), Budget(tokens=1))
        (refused,) = talk.say("how far is it?")
        assert refused.endswith("with a larger --max-tokens")
        assert len(server.requests) == 1
    assert talk.spent.calls == 1


def test_words_that_leave_one_meaning_cost_nothing_and_work_on(begun: Path) -> None:
    model = ScriptedModel(['{"intent": "focus"}'] * 2)
    talk = Talk(begun.parent, begun.name, "ann", model, Budget(tokens=1))
    assert talk.say("concentrate on networks below 4 ms")[0].startswith("this conversation has")
    assert len(model.requests) == 1
    assert talk.say("how is it going?")[0].startswith("/status\n")


def test_what_was_told_and_answered_can_be_read_afterwards(begun: Path) -> None:
    with serving(look_up("niches"), "It is early.") as server:
        Talk(begun.parent, begun.name, "ann", asking(server)).say("what did we find?")
        sent = server.requests[1]["messages"]
    first, second = TalkLog(begun).calls()
    assert (first.author, first.words) == ("ann", "what did we find?")
    assert first.answer == "niches {}"
    assert second.answer == "It is early."
    assert [m.role for m in second.messages] == ["system", "user", "assistant", "tool"]
    assert [second.messages[i].content for i in (0, 1, 3)] == [
        sent[i]["content"] for i in (0, 1, 3)
    ]
    assert first.id.rpartition(".")[2] == "1"
    assert first.talk == second.talk


def test_the_run_and_its_recording_know_nothing_of_it(begun: Path, tmp_path: Path) -> None:
    def everything() -> tuple[object, ...]:
        with RunStore.read(begun) as store:
            return store.calls(), store.spent(), store.events(), store.directives()

    before = everything()
    export(begun, tmp_path / "before.zip")
    with serving(look_up("status"), "Nothing yet.") as server:
        Talk(begun.parent, begun.name, "ann", asking(server)).say("how far is it?")
    assert everything() == before
    export(begun, tmp_path / "after.zip")
    assert len(TalkLog(begun).calls()) == 2
    assert (tmp_path / "after.zip").stat().st_size == (tmp_path / "before.zip").stat().st_size


def test_several_conversations_at_once_keep_their_own_accounts(begun: Path) -> None:
    def answer(messages: Sequence[Message], _: dict[str, Any]) -> Step:
        return f"You said {messages[-1].content[-20:]}"

    with LoopbackServer(answer, tools="free") as server:
        talks = [Talk(begun.parent, begun.name, name, asking(server)) for name in "abc"]

        def hold(talk: Talk) -> None:
            for number in range(4):
                talk.say(f"what about {number}?")

        with ThreadPoolExecutor(3) as pool:
            list(pool.map(hold, talks))
    assert [talk.spent.calls for talk in talks] == [4, 4, 4]
    calls = TalkLog(begun).calls()
    assert len({call.id for call in calls}) == 12
    authors = [
        {call.author for call in calls if call.talk == talk} for talk in {c.talk for c in calls}
    ]
    assert sorted(map(sorted, authors)) == [["a"], ["b"], ["c"]]


def test_a_served_conversation_keeps_its_account_in_its_thread(begun: Path) -> None:
    with serving("One.", "Two.", "Three.") as server:
        chat = build_chat(begun.parent, InMemorySaver(), OneModel(asking(server)))
        for thread, words in (("1", "first?"), ("2", "second?"), ("1", "third?")):
            config: Any = {"configurable": {"thread_id": thread, "run": begun.name}}
            forged: Any = {"messages": [HumanMessage(words)], "spent": {"calls": 99}}
            chat.invoke(forged, config)
        spent = [
            chat.get_state({"configurable": {"thread_id": thread}}).values["spent"]["calls"]
            for thread in "12"
        ]
    assert spent == [2, 1]
    assert [call.id.rpartition(".")[2] for call in TalkLog(begun).calls()] == ["1", "1", "2"]


class Cut(Wrapped):
    """A model whose person presses Ctrl-C during the second request."""

    asked = 0

    def step(self, messages: Any, tools: Any) -> ModelStep:
        self.asked += 1
        if self.asked == 2:
            raise KeyboardInterrupt
        return super().step(messages, tools)


def test_what_an_answer_had_cost_that_was_cut_off_is_told(begun: Path) -> None:
    with serving(look_up("status")) as server:
        talk = Talk(begun.parent, begun.name, "ann", Cut(asking(server)))
        with pytest.raises(KeyboardInterrupt):
            talk.say("how far is it?")
    paid, cut = TalkLog(begun).calls()
    assert (cut.outcome, cut.usage.tokens) == ("failed", 0)
    assert (talk.spent.calls, talk.spent.tokens) == (2, paid.usage.tokens)
    assert talk.cost.startswith("this conversation: 2 model calls")


def test_where_nothing_can_be_written_the_conversation_goes_on_and_says_so(begun: Path) -> None:
    (begun / TALKS).mkdir()  # in the way of the file, also for one who may write anywhere
    with serving("One.") as server:
        (reply,) = Talk(begun.parent, begun.name, "ann", asking(server)).say("how far is it?")
    assert reply.startswith("this is not written down: ")
    assert "| One." in reply


def test_a_key_reaches_no_file_of_a_conversation(
    begun: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serving(look_up("explain", architecture=KEY), f"It is {KEY}.", key=KEY) as server:
        talk = Talk(begun.parent, begun.name, "ann", asking(server))
        talk.say(f"is {KEY} a network?")
        assert KEY in json.dumps(server.requests[1])
    assert len(TalkLog(begun).calls()) == 2
    files = [path for path in begun.rglob("*") if path.is_file()]
    assert [path.name for path in files if KEY.encode() in path.read_bytes()] == []
