"""Conversations beside a run: whole lines from several processes, whatever is torn."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pelnas.calls.call import Message
from pelnas.calls.usage import Usage
from pelnas.errors import StoreError
from pelnas.store.conversations import TALKS, TalkCall, TalkLog

CALL = TalkCall(
    id="t1.1",
    time=12.5,
    author="ann",
    words="well?",
    model="openai:toy",
    messages=(Message("user", "well?"),),
    answer="yes",
    outcome="ok",
    usage=Usage(3, 1, unpriced=1),
)


def test_what_is_appended_is_read_back_in_order(tmp_path: Path) -> None:
    log = TalkLog(tmp_path)
    assert log.calls() == []
    second = replace(CALL, id="t2.1", messages=(Message("tool", "{}"),))
    for call in (CALL, second):
        log.append(call)
    assert log.calls() == [CALL, second]
    assert log.call("t2.1") == second
    assert log.call("t2.2") is None
    assert (CALL.talk, CALL.usage.tokens) == ("t1", 4)


@given(text=st.text())
def test_whatever_is_said_is_read_back(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    log = TalkLog(tmp_path_factory.mktemp("run"))
    call = replace(CALL, words=text, answer=text, messages=(Message("user", text),))
    log.append(call)
    log.append(CALL)
    assert log.calls() == [call, CALL]


def test_half_a_character_is_kept_as_a_question_mark(tmp_path: Path) -> None:
    log = TalkLog(tmp_path)
    log.append(replace(CALL, answer="\ud800"))
    assert [call.answer for call in log.calls()] == ["?"]


def test_a_line_that_a_kill_tore_loses_only_itself(tmp_path: Path) -> None:
    log = TalkLog(tmp_path)
    log.append(CALL)
    whole = (tmp_path / TALKS).read_bytes()
    (tmp_path / TALKS).write_bytes(whole + whole[: len(whole) // 2])
    assert log.calls() == [CALL]
    log.append(replace(CALL, id="t1.3"))
    assert [call.id for call in log.calls()] == ["t1.1", "t1.3"]


def test_several_write_at_once(tmp_path: Path) -> None:
    def write(talk: int) -> None:
        log = TalkLog(tmp_path)
        for number in range(20):
            log.append(replace(CALL, id=f"t{talk}.{number}", answer="x" * 20_000))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    found = [call.id for call in TalkLog(tmp_path).calls()]
    assert sorted(found) == sorted(f"t{talk}.{n}" for talk in range(4) for n in range(20))
    for talk in range(4):
        own = [id_ for id_ in found if id_.startswith(f"t{talk}.")]
        assert own == [f"t{talk}.{n}" for n in range(20)]


def test_a_folder_that_is_gone_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be written"):
        TalkLog(tmp_path / "gone").append(CALL)
