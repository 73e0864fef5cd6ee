"""A person as model: questions and answers as files, waits that end, answers found again."""

import json
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from patience import until
from pydantic import BaseModel

from pelnas import Search, SearchConfig
from pelnas.agents.models.connection import connect
from pelnas.agents.models.human import HandModel
from pelnas.agents.models.json_answer import read_answer
from pelnas.calls.call import Message
from pelnas.config import Budget
from pelnas.errors import BudgetExhausted, ModelError, Stopped
from pelnas.graph.runs.replay import replay
from pelnas.recording import open_recording
from pelnas.spaces import get_space
from pelnas.store import RunStore

ASKED = [Message("system", "You are brief."), Message("user", "A word?")]
SPACE = get_space("tiny")


class Word(BaseModel):
    word: str


def waiting(folder: Path) -> Iterator[Path]:
    """Questions without an answer."""
    for file in folder.glob("*.md"):
        answer = file.with_name(f"{file.stem}.answer.md")
        if not file.name.endswith(".answer.md") and not answer.exists():
            yield file


class Person:
    """Answers questions in a thread of its own until let go."""

    def __init__(self, folder: Path, answer: str) -> None:
        self._folder, self._answer = folder, answer
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._work)

    def _work(self) -> None:
        while not self._done.wait(0.02):
            for file in waiting(self._folder):
                file.with_name(f"{file.stem}.answer.md").write_text(self._answer)

    def __enter__(self) -> "Person":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join(60)


def settings(tmp_path: Path, tables: Path, **changes: Any) -> SearchConfig:
    values: dict[str, Any] = {
        "space": "tiny",
        "device": "toy",
        "dataset": "toy10",
        "data": tables,
        "accuracy": "table",
        "rounds": 1,
        "per_niche": 1,
        "output": tmp_path / "runs",
    }
    return SearchConfig.model_validate(values | changes)


def hand(folder: Path) -> HandModel:
    return HandModel(folder, look_every=0.05)


def test_a_question_says_all_that_is_needed_and_its_answer_is_read(tmp_path: Path) -> None:
    with Person(tmp_path, '\ufeffOf course:\n```json\n{"word": "yes"}\n```\n'):
        reply = hand(tmp_path).ask(ASKED, Word)
    (question,) = (f for f in tmp_path.glob("*.md") if not f.name.endswith(".answer.md"))
    text = question.read_text()
    assert "You are brief." in text
    assert "A word?" in text
    assert f"{question.stem}.answer.md" in text
    form = re.search(r"```json\n(.*?)```", text, re.DOTALL)
    assert form is not None
    assert json.loads(form[1]) == Word.model_json_schema()
    assert read_answer(reply.text, Word) == (Word(word="yes"), "")
    assert (reply.usage.price, reply.rung) == (0.0, "by hand")


def test_an_equal_question_is_answered_once_and_another_one_anew(tmp_path: Path) -> None:
    with Person(tmp_path, '{"word": "yes"}'):
        hand(tmp_path).ask(ASKED, Word)
    again = hand(tmp_path).ask(ASKED, Word)  # nobody answers any more
    assert again.text == '{"word": "yes"}'
    model = hand(tmp_path)
    model.stop()
    with pytest.raises(Stopped, match="asked to stop while it waited"):
        model.ask([*ASKED, Message("user", "Another?")], Word)
    assert len(list(waiting(tmp_path))) == 1


def test_an_empty_file_is_no_answer_yet(tmp_path: Path) -> None:
    model, found = hand(tmp_path), []
    thread = threading.Thread(target=lambda: found.append(model.ask(ASKED, Word)))
    thread.start()
    until(lambda: list(waiting(tmp_path)))
    (question,) = waiting(tmp_path)
    answer = question.with_name(f"{question.stem}.answer.md")
    answer.touch()
    thread.join(0.3)
    assert thread.is_alive()
    answer.write_text("{}")
    thread.join(60)
    assert found[0].text == "{}"


def test_a_name_becomes_a_model_and_a_bad_folder_is_told(tmp_path: Path) -> None:
    model = connect(f"hand:{tmp_path / 'new'}")
    assert (model.name, model.priced) == (f"hand:{tmp_path / 'new'}", True)
    (tmp_path / "file").touch()
    with pytest.raises(ModelError, match="expected a folder for questions"):
        connect(f"hand:{tmp_path / 'file'}")


def test_a_limit_of_time_ends_the_wait(tmp_path: Path) -> None:
    model, left = hand(tmp_path), [None, 0.2, 0.0]
    model.set_deadline(lambda: left.pop(0))
    with pytest.raises(BudgetExhausted, match="minutes was spent while the search waited for"):
        model.ask(ASKED, Word)
    assert left == []
    assert len(list(waiting(tmp_path))) == 1


@pytest.mark.parametrize("concurrency", [None, 1])
def test_a_search_whose_minutes_end_while_it_waits_ends_with_its_report(
    tmp_path: Path, tiny_tables: Path, concurrency: int | None
) -> None:
    """Nobody answers. What was designed without a person is reported, and nothing more asked."""
    questions = tmp_path / "questions"
    config = settings(
        tmp_path,
        tiny_tables,
        rounds=2,
        reflection_model=f"hand:{questions}",
        concurrency=concurrency,
        budget={"minutes": 600},
    )
    search, ended = Search(config), threading.Event()

    def spend_when_asked() -> None:
        while not list(waiting(questions)):
            if ended.wait(0.05):
                return
        search.session.meter.change(Budget(minutes=1e-6))

    thread = threading.Thread(target=spend_when_asked)
    thread.start()
    result = search.run()
    ended.set()
    thread.join(60)
    assert not result.stopped
    assert "budget of minutes is spent" in result.reason
    with RunStore.read(result.folder) as store:
        assert store.status == "finished"
        assert len(store.evaluations()) == len(store.candidates()) == 3
        assert store.calls() == []
        messages = [event.data["message"] for event in store.events() if event.kind == "budget"]
        assert store.spent().calls == 0
    assert any("while the search waited" in message for message in messages)
    assert (result.folder / "front.json").is_file()
    with open_recording(result.folder) as recording:
        found = replay(recording, tmp_path / "again")
    assert (found.same_front, found.same_rules) == (True, True)


def test_a_search_that_is_stopped_while_it_waits_finds_its_answers_when_resumed(
    tmp_path: Path, tiny_tables: Path
) -> None:
    questions = tmp_path / "questions"
    search = Search(settings(tmp_path, tiny_tables, designer_model=f"hand:{questions}"))
    waited = threading.Event()

    def stop_when_asked() -> None:
        while len(list(waiting(questions))) < 3:
            if waited.wait(0.05):
                return
        search.stop()

    thread = threading.Thread(target=stop_when_asked)
    thread.start()
    result = search.run()
    waited.set()
    thread.join(60)
    assert result.stopped
    asked = sorted(os.listdir(questions))
    assert len(asked) == 3
    cell = SPACE.format(SPACE.at(0))
    design = {"architecture": cell, "operation": "sample", "rationale": "by hand"}
    with Person(questions, json.dumps({"designs": [design]})):
        done = Search.resume(result.folder).run()
    assert done.reason == "all rounds done"
    assert set(asked) <= set(os.listdir(questions))
    with RunStore.read(result.folder) as store:
        authors = {candidate.design.author for candidate in store.candidates()}
        assert store.spent().dollars == store.spent().unpriced == 0
        assert all(call.outcome != "failed" for call in store.calls())
    assert f"hand:{questions}" in authors
