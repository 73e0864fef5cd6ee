"""What fails in a conversation, whatever it is, is one sentence in it and ends nothing else."""

import io
import sqlite3
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from pydantic import BaseModel

from pelnas import Search, SearchConfig
from pelnas.agents.models.base import LanguageModel, ModelStep, Reply
from pelnas.app.commands import chat as chat_command
from pelnas.app.commands.follow import follow
from pelnas.calls.call import Message
from pelnas.errors import BudgetExhausted, DirectiveError, StoreError
from pelnas.graph.chat.chat_models import OneModel
from pelnas.graph.chat.console import Talk
from pelnas.graph.chat.graph import build_chat
from pelnas.store import RunStore
from pelnas.store.conversations import TalkLog

KEY = "sk-abcdefgh12345678"


class WordlessError(Exception):
    """One that does not know its own text."""

    def __str__(self) -> str:
        raise ValueError("no text")


FAILURES = [
    *(RecursionError("too deep"), MemoryError(), OSError(28, "No space left"), KeyError("id")),
    *(
        ValueError(f"first line\nkey {KEY}"),
        TypeError("x" * 5_000),
        AssertionError(),
        WordlessError(),
    ),
    *(UnicodeEncodeError("utf-8", "\ud800", 0, 1, "lone"), StopIteration(), EOFError()),
    *(ImportError("no module"), sqlite3.OperationalError("database is locked"), TimeoutError()),
    *(BrokenPipeError(), StoreError("disk full"), BudgetExhausted("all spent")),
    *(DirectiveError("no such thing"), RuntimeError("Event loop")),
]
each_failure = pytest.mark.parametrize("failure", FAILURES, ids=lambda f: type(f).__name__)


class Failing(LanguageModel):
    """A model that calls tools, and fails."""

    name = "scripted:failing"
    calls_tools = True

    def __init__(self, failure: BaseException) -> None:
        self.failure = failure

    def ask(self, messages: Sequence[Message], schema: type[BaseModel]) -> Reply:
        raise self.failure

    def step(self, messages: Any, tools: Any) -> ModelStep:
        raise self.failure


@pytest.fixture(scope="module")
def begun(toy: Callable[..., SearchConfig], tmp_path_factory: pytest.TempPathFactory) -> Path:
    search = Search(toy(tmp_path_factory.mktemp("begun")))
    search.session.close()
    return search.folder


def raising(failure: BaseException) -> Callable[..., NoReturn]:
    def fail(*_: object, **__: object) -> NoReturn:
        raise failure

    return fail


def assert_one_sentence(said: Sequence[str]) -> None:
    (line,) = said
    assert line
    assert "\n" not in line
    assert len(line) < 800
    assert KEY not in line


@each_failure
def test_a_failure_behind_free_words_is_a_sentence_and_the_talk_goes_on(
    begun: Path, failure: Exception
) -> None:
    talk = Talk(begun.parent, begun.name, "ann", Failing(failure))
    assert_one_sentence([line for line in talk.say("what now, dear") if line])
    assert not talk.waiting
    assert talk.say("/status")
    assert talk.spent.calls >= 1 or isinstance(failure, BudgetExhausted)


@each_failure
def test_a_failure_of_the_machinery_is_a_sentence_in_every_door(
    begun: Path, failure: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk = Talk(begun.parent, begun.name, "ann")
    with monkeypatch.context() as patched:
        patched.setattr("pelnas.graph.chat.graph.understand", raising(failure))
        assert_one_sentence(talk.say("/status"))
        served = build_chat(begun.parent, InMemorySaver(), OneModel(None))
        asked: Any = {"messages": [HumanMessage("/status")], "run": begun.name}
        state = served.invoke(asked, {"configurable": {"thread_id": "1"}})
        assert_one_sentence([m.text for m in state["messages"] if isinstance(m, AIMessage)])
    with monkeypatch.context() as patched:
        patched.setattr(talk._graph, "invoke", raising(failure))
        assert_one_sentence(talk.say("/status"))
    with monkeypatch.context() as patched:
        patched.setattr(talk, "_look", raising(failure))
        assert len(talk.news()) <= 1
        assert talk.news() == []
    assert talk.say("/status")


@each_failure
def test_a_failure_while_an_order_is_given_is_a_sentence(
    begun: Path, failure: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk = Talk(begun.parent, begun.name, "ann")
    talk.say("/ban avg_pool_3x3")
    monkeypatch.setattr(
        "pelnas.graph.session.steering_client.SteeringClient.give", raising(failure)
    )
    assert_one_sentence(talk.say("yes"))
    assert not talk.waiting
    with RunStore.read(begun) as store:
        assert store.directives() == []


def test_a_failure_that_is_nobodys_request_is_written_down_with_its_place(
    begin: Callable[..., Path],
) -> None:
    folder = begin()
    talk = Talk(folder.parent, folder.name, "ann", Failing(KeyError("id")))
    talk.say("what now, dear")
    *_, kept = TalkLog(folder).calls()
    assert kept.problem.startswith("KeyError at test_boundary.py:")
    assert (kept.author, kept.words, kept.outcome) == ("ann", "what now, dear", "failed")


@pytest.mark.parametrize("ending", [KeyboardInterrupt(), SystemExit(3)], ids=repr)
def test_a_person_or_a_process_that_ends_is_heard(begun: Path, ending: BaseException) -> None:
    talk = Talk(begun.parent, begun.name, "ann", Failing(ending))
    with pytest.raises(type(ending)):
        talk.say("what now, dear")


@pytest.mark.parametrize(
    "failure", [KeyError("id"), RecursionError(), MemoryError(), BrokenPipeError()], ids=repr
)
def test_no_failure_of_the_conversation_ends_the_search_beside_it(
    toy: Callable[..., SearchConfig],
    tmp_path: Path,
    failure: Exception,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings = toy(tmp_path, rounds=1, per_niche=1)
    if isinstance(
        failure, KeyError
    ):  # the whole way once: the model fails, in an open conversation
        model = Failing(failure)
        monkeypatch.setattr(chat_command, "reader_of", lambda *_: model)
        monkeypatch.setattr(sys, "stdin", io.StringIO("what now, dear\n/quit\n"))
    else:
        monkeypatch.setattr(chat_command, "converse", raising(failure))
    search = Search(settings)
    follow(search, as_json=False, chat=True)
    captured = capsys.readouterr()
    with RunStore.read(search.folder) as store:
        assert store.status == "finished"
    assert "Traceback" not in captured.err + captured.out
    assert "ended: all rounds done" in captured.out
