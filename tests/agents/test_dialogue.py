"""One exchange with a model: sent back once, recorded always, repeated for nothing."""

import time
from collections.abc import Sequence
from typing import Any

import pytest
from pydantic import BaseModel, Field

from pelnas.agents.dialogue import ANSWER_LIMIT, SHOWN_BACK, Dialogue
from pelnas.agents.testing.scripted import ScriptedModel
from pelnas.calls.call import CallRecord, Message
from pelnas.calls.usage import Usage
from pelnas.errors import AnswerError, BudgetExhausted, ModelCallError


class Plan(BaseModel):
    words: list[str] = Field(max_length=2)


GOOD = Plan(words=["a", "b"])


class Book:
    """A ledger in memory."""

    def __init__(self) -> None:
        self.calls: dict[str, CallRecord] = {}
        self.begun: list[str] = []

    def recall(self, call_id: str, request: str) -> CallRecord | None:
        call = self.calls.get(call_id)
        return call if call is not None and call.request == request else None

    def begin_call(self, call: CallRecord) -> None:
        self.begun.append(call.id)

    def record_call(self, call: CallRecord) -> None:
        self.calls[call.id] = call


class Purse:
    """A meter with so many calls."""

    def __init__(self, calls: int = 100) -> None:
        self.left = calls
        self.open = 0
        self.tokens = 0

    def before_call(self) -> None:
        if not self.left:
            raise BudgetExhausted("no calls are left")
        self.left -= 1
        self.open += 1

    def after_call(self, usage: Usage) -> None:
        self.open -= 1
        self.tokens += usage.tokens


def dialogue(
    model: ScriptedModel, book: Book | None = None, purse: Purse | None = None
) -> Dialogue:
    return Dialogue(model, book or Book(), purse or Purse(), agent="designer", round=3, niche=2)


def test_a_good_answer_is_returned_with_its_call_and_recorded() -> None:
    book, purse = Book(), Purse()
    answer, call = dialogue(ScriptedModel([GOOD]), book, purse).ask("be brief", "two words", Plan)
    assert answer == GOOD
    record = book.calls[call]
    assert (record.id, record.outcome, record.problem) == ("r3.designer.n2.a0", "ok", "")
    assert [m.content for m in record.messages] == ["be brief", "two words"]
    assert (record.schema, record.model, record.answer) == (
        "Plan",
        "scripted:answers",
        GOOD.model_dump_json(),
    )
    assert record.usage.tokens_in > 0
    assert purse.tokens == record.tokens
    assert purse.open == 0


def test_a_broken_answer_goes_back_once_with_what_was_wrong() -> None:
    book = Book()
    model = ScriptedModel(['{"words": ["a", "b", "c"]}', GOOD])
    answer, call = dialogue(model, book).ask("s", "u", Plan)
    assert answer == GOOD
    assert call == "r3.designer.n2.a1"
    first, second = book.calls.values()
    assert (first.outcome, second.outcome) == ("invalid", "ok")
    assert first.problem.startswith("words: list should have at most 2 items")
    roles = [message.role for message in model.requests[1]]
    assert roles == ["system", "user", "assistant", "user"]
    assert model.requests[1][2].content == first.answer
    assert first.problem in model.requests[1][3].content
    assert "\n" not in model.requests[1][3].content
    assert len(model.requests[1][3].content) < len(first.problem) + 200


def test_a_second_broken_answer_is_an_error_and_no_third_is_asked_for() -> None:
    book = Book()
    model = ScriptedModel(["no", '{"words": 3}', GOOD])
    with pytest.raises(AnswerError, match=r"designer .* Plan twice \(r3.designer.n2.a1\): words"):
        dialogue(model, book).ask("s", "u", Plan)
    assert [call.outcome for call in book.calls.values()] == ["invalid", "invalid"]
    assert len(model.requests) == 2


def test_a_check_of_ones_own_sends_back_too_and_learns_the_call() -> None:
    seen = []

    def check(plan: Plan, call: str) -> str:
        seen.append(call)
        return "" if "z" in plan.words else "there is no z"

    model = ScriptedModel([GOOD, Plan(words=["z"])])
    answer, _ = dialogue(model).ask("s", "u", Plan, check)
    assert answer.words == ["z"]
    assert seen == ["r3.designer.n2.a0", "r3.designer.n2.a1"]
    assert "there is no z" in model.requests[1][3].content


def test_a_repeated_step_sends_nothing_and_ends_as_it_did() -> None:
    book = Book()
    dialogue(ScriptedModel(["no", GOOD]), book).ask("s", "u", Plan)
    before = dict(book.calls)
    purse = Purse(0)
    answer, call = dialogue(ScriptedModel([]), book, purse).ask("s", "u", Plan)
    assert (answer, call) == (GOOD, "r3.designer.n2.a1")
    assert book.calls == before


def test_a_recorded_outcome_stands_also_where_the_check_would_now_refuse() -> None:
    book = Book()
    dialogue(ScriptedModel([GOOD]), book).ask("s", "u", Plan)
    answer, _ = dialogue(ScriptedModel([]), book).ask("s", "u", Plan, lambda *_: "known by now")
    assert answer == GOOD


def test_another_question_under_the_same_id_is_asked_anew() -> None:
    book = Book()
    dialogue(ScriptedModel([GOOD]), book).ask("s", "u", Plan)
    other = Plan(words=["c"])
    answer, _ = dialogue(ScriptedModel([other]), book).ask("s", "another", Plan)
    assert answer == other


def test_a_failed_call_is_recorded_raised_and_tried_again_later() -> None:
    book, purse = Book(), Purse()
    failing = ScriptedModel([ModelCallError("the provider is out")])
    with pytest.raises(ModelCallError, match="is out"):
        dialogue(failing, book, purse).ask("s", "u", Plan)
    record = book.calls["r3.designer.n2.a0"]
    assert (record.outcome, record.problem, record.tokens) == ("failed", "the provider is out", 0)
    assert purse.open == 0
    answer, call = dialogue(ScriptedModel([GOOD]), book, purse).ask("s", "u", Plan)
    assert (answer, book.calls[call].outcome) == (GOOD, "ok")


def test_a_failed_call_is_recorded_with_the_time_it_took() -> None:
    def fail(_messages: Sequence[Message], _schema: dict[str, Any]) -> str:
        time.sleep(0.02)
        raise ModelCallError("the provider is out")

    book = Book()
    with pytest.raises(ModelCallError):
        dialogue(ScriptedModel(fail), book).ask("s", "u", Plan)
    assert book.calls["r3.designer.n2.a0"].usage.seconds >= 0.02


def test_the_budget_is_asked_before_the_sending_back_too() -> None:
    model = ScriptedModel(["no", GOOD])
    with pytest.raises(BudgetExhausted):
        dialogue(model, purse=Purse(1)).ask("s", "u", Plan)
    assert len(model.requests) == 1


def test_an_interrupt_leaves_no_reservation_open() -> None:
    purse = Purse()

    def interrupted(*_: object) -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        dialogue(ScriptedModel(interrupted), purse=purse).ask("s", "u", Plan)
    assert purse.open == 0


def test_attempts_are_counted_through_all_questions_of_a_dialogue() -> None:
    book = Book()
    talk = dialogue(ScriptedModel(["no", GOOD, GOOD]), book)
    talk.ask("s", "u", Plan)
    _, call = talk.ask("s", "and now?", Plan)
    assert call == "r3.designer.n2.a2"


def test_an_endless_answer_is_cut_before_it_is_read_and_sent_back() -> None:
    book = Book()
    model = ScriptedModel(['{"words": ["' + "x" * 1_000_000, GOOD])
    dialogue(model, book).ask("s", "u", Plan)
    assert len(book.calls["r3.designer.n2.a0"].answer) == ANSWER_LIMIT
    assert book.calls["r3.designer.n2.a0"].problem == "the JSON ends too early: answer shorter"
    assert len(model.requests[1][2].content) == SHOWN_BACK
