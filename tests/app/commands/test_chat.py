"""``pelnas chat`` through the real front door, also against a search in another process."""

import io
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import warm
from patience import limited

from pelnas.agents.assistant.intents import offered_for, parts_of
from pelnas.directives import Boundary
from pelnas.report.directives import directive_rows
from pelnas.spaces import get_space
from pelnas.store import RunStore

Pelnas = Callable[..., Any]
HeldSearch = Callable[[Path], AbstractContextManager[Any]]
COMMAND = str(Path(sys.executable).with_name("pelnas"))
LIMIT = 7.5


@pytest.fixture
def begun(begin: Callable[..., Path]) -> Path:
    """The folder of a run of twelve rounds that nobody works on yet."""
    return begin(name="begun", rounds=12, per_niche=2)


class Terminal:
    """``pelnas chat`` in a process of its own, line by line."""

    def __init__(self, child: "subprocess.Popen[str]") -> None:
        self._child = child
        self.heard = ""  # everything so far

    def say(self, line: str, until: str) -> str:
        """Everything it answers until a line that holds a text."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.write(line + "\n")
        self._child.stdin.flush()
        text = ""
        with limited(self._child):
            while until not in text:
                answer = self._child.stdout.readline()
                assert answer, f"the conversation ended after {text!r}"
                text += answer
        self.heard += text
        return text


@contextmanager
def terminal(folder: Path, *options: str, author: str = "ann") -> Iterator[Terminal]:
    run = [folder.name, "--output", str(folder.parent), "--author", author]
    command = [COMMAND, "chat", *run, *options]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with warm.Warm(command, **pipes) as child:
        try:
            yield Terminal(child)
            child.stdin.close()
            assert child.wait(timeout=60) == 0
        finally:
            child.kill()


def wait_until(folder: Path, held: Callable[[RunStore], bool]) -> None:
    for _ in range(1200):
        with RunStore.read(folder) as store:
            if held(store):
                return
        time.sleep(0.1)
    raise AssertionError("the search did not get there within two minutes")


def in_force(number: int) -> Callable[[RunStore], bool]:
    return lambda store: store.directives()[number - 1].status == "active"


#: What is asked for, as a command and in words that a very small model reads.
COMMANDS = ("/pause", "/ban avg_pool_3x3", "/limit latency<=7.5", "/why {}", "/resume")
WORDS = (
    "take a break, stop for a while",  # or end: the model chooses
    "no more pooling from now on",
    "7.5 ms is the maximum, look no further",  # or mostly below it: the model chooses
    "why did {} make it onto the front?",
    "continue, please",
)


def test_a_conversation_steers_a_search_in_another_process(
    pelnas: Pelnas, begun: Path, held_search: HeldSearch
) -> None:
    steered(pelnas, held_search, begun, COMMANDS)


@pytest.mark.alone
@pytest.mark.slow
def test_free_words_to_a_real_small_model_steer_it_as_well(
    pelnas: Pelnas, begun: Path, held_search: HeldSearch, smollm2: Path
) -> None:
    pytest.importorskip("xllamacpp", reason="the extra 'local' is not installed")
    space = get_space("tiny")
    left = [offered_for(words, parts_of(words, space)) for words in WORDS]
    assert sum(len(intents) > 1 for intents in left) >= 2, "the model has a choice"
    steered(pelnas, held_search, begun, WORDS, "--model", f"local:{smollm2}")


def steered(
    pelnas: Pelnas,
    held_search: HeldSearch,
    begun: Path,
    lines: tuple[str, ...],
    *options: str,
) -> None:
    """Pause, ban, limit, ask why and resume; the search in another process obeys.

    The search is held after the plan of its second round until the pause is given: it lands
    before the designers, and nothing else depends on who is faster.
    """
    pause, ban, limit, why, resume = lines
    stopped_at = ("steer", begun.name, "/pause", "--output", begun.parent)
    with held_search(begun) as search, terminal(begun, *options) as talk:
        search.until("round-planned")
        search.on()
        search.until("round-planned")
        talk.say(pause, "Yes or no?")
        assert "d1: pause" in talk.say("yes", "d1: ")
        search.let_go()
        wait_until(begun, in_force(1))
        reply = talk.say("/status", "spent:")
        assert reply.startswith("d1 took effect in round 2")
        assert ": paused by d1" in reply
        talk.say(ban, "Yes or no?")
        talk.say("yes", "d2: design nothing with avg_pool_3x3 (from the next")
        talk.say("make it nicer", "/help lists all commands")
        talk.say("the latency, please", "/help lists all commands")
        talk.say(limit, "Yes or no?")
        talk.say("yes", "d3: keep to latency at most 7.5 ms (from the next")
        with RunStore.read(begun) as store:
            some = store.evaluations()[0].id
        assert "(rank" in talk.say(why.format(some), "one changed operation")
        talk.say(resume, "Yes or no?")
        talk.say("yes", "d4: go on")
        search.finish()
        reply = talk.say("/directives", "d4: ")
        for id_ in ("d1", "d2", "d3", "d4"):
            assert talk.heard.count(f"{id_} took effect in round ") == 1
        assert "d2: design nothing with avg_pool_3x3, by ann" in reply
        assert "finished" in talk.say("/status", "finished")
    obeyed(begun)
    assert pelnas(*stopped_at).code == 2


def obeyed(folder: Path) -> None:
    """Nothing banned or beyond the limit was designed after the two directives."""
    space = get_space("tiny")
    with RunStore.read(folder) as store:
        assert [d.effect for d in store.directives()] == [Boundary(1, "design")] * 4
        after = [e for e in store.evaluations() if e.candidate.round >= 1]
        assert len(after) > 5
        assert not [e.id for e in after if "avg_pool_3x3" in e.candidate.architecture]
        assert not [e.id for e in after if e.latency_ms > LIMIT]
        rows = {row.id: row for row in directive_rows(store)}
        assert [rows[f"d{n}"].author for n in (1, 2, 3, 4)] == ["ann"] * 4
        assert rows["d2"].refused + rows["d2"].avoided > 0
        assert all(space.parse(e.candidate.architecture) for e in after)
    assert "avg_pool_3x3" in (folder / "report.html").read_text()


def test_two_people_at_once_see_each_others_directives_in_order(begun: Path) -> None:
    """Each in a process of its own: first across each other, then as fast as both can."""
    with terminal(begun, author="ann") as ann, terminal(begun, author="bob") as bob:
        ann.say("/ban skip_connect", "Yes or no?")
        bob.say("/require skip_connect", "Yes or no?")
        assert "d1: design nothing with skip_connect" in ann.say("yes", "d1: ")
        refused = bob.say("yes", "d1")
        assert "together with d1 (/ban skip_connect)" in refused
        assert "by ann; pending" in bob.say("/directives", "pending")

        def give(talk: Terminal, niche: int) -> None:
            for number in range(6):
                talk.say(f"/limit latency<={9 + number / 10} in niche {niche}", "Yes or no?")
                talk.say("yes", "keep to latency")

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(give, (ann, bob), (0, 1)))
        listed = [talk.say("/directives", "d13: ") for talk in (ann, bob)]
    assert listed[0] == listed[1]
    assert re.findall(r"^d\d+", listed[0], re.MULTILINE) == [f"d{n}" for n in range(1, 14)]
    with RunStore.read(begun) as store:
        given = store.directives()
    assert [d.number for d in given] == list(range(1, 14))
    for author in ("ann", "bob"):
        own = [d.words for d in given if d.author == author and d.number > 1]
        assert own == sorted(own)
        assert len(own) == 6


def typed(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in lines)))


def test_piped_lines_are_answered_in_order(
    pelnas: Pelnas, begun: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed(monkeypatch, "", "/rounds 3", "yes", "ban pooling", "/quit", "/stop", "yes")
    outcome = pelnas("chat", begun.name, "--output", begun.parent, "--author", "ann")
    assert outcome.code == 0
    assert outcome.out.splitlines() == [
        "I understand: end after 3 rounds in all. Yes or no?",
        "d1: end after 3 rounds in all (when the run goes on)",
        "'ban pooling' is no command: what do you want to know or change? /help lists all commands",
    ]


def test_a_model_that_calls_tools_is_named_with_its_server(
    pelnas: Pelnas, begun: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("langchain_openai", reason="the extra 'openai' is not installed")
    from pelnas.agents.testing.server import LoopbackServer, ToolCalls

    steps: Iterator[str | ToolCalls] = iter(
        [
            ToolCalls([("status", "{}"), ("niches", "{}")]),
            "Nothing is found yet.",
            ToolCalls([("steer", '{"command": "/rounds 4"}')]),
        ]
    )
    typed(monkeypatch, "how far is it?", "four rounds will do", "yes")
    with LoopbackServer(lambda *_: next(steps), tools="free") as server:
        model = ("--model", "openai:toy", "--base-url", server.url, "--author", "ann")
        outcome = pelnas("chat", begun.name, "--output", begun.parent, *model)
    assert outcome.code == 0
    assert outcome.out.splitlines() == [
        "in the words of openai:toy:",
        "| Nothing is found yet.",
        "from: /status; /niches",
        "I understand: end after 4 rounds in all. Yes or no?",
        "d1: end after 4 rounds in all (when the run goes on)",
    ]
    with RunStore.read(begun) as store:
        assert [d.words for d in store.directives()] == ["four rounds will do"]
    assert re.fullmatch(r"this conversation: 3 model calls, [0-9,]+ tokens, .*\n", outcome.err)
    assert "3 calls of unknown price" in outcome.err


def test_a_conversation_can_be_bounded(
    pelnas: Pelnas, begun: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("langchain_openai", reason="the extra 'openai' is not installed")
    from pelnas.agents.testing.server import LoopbackServer

    with LoopbackServer(lambda *_: "Nothing is found yet.", tools="free") as server:
        model = ("--model", "openai:toy", "--base-url", server.url, "--output", begun.parent)
        typed(monkeypatch, "how far is it?", "and now?", "/rounds 4", "no")
        outcome = pelnas("chat", begun.name, *model, "--max-tokens", "1")
        assert len(server.requests) == 1
        lines = outcome.out.splitlines()
        assert "commands work as ever" in lines[-3]
        assert lines[-3].endswith("--max-tokens")
        assert lines[-2:] == [
            "I understand: end after 4 rounds in all. Yes or no?",
            "Nothing was changed.",
        ]
        assert " tokens of at most 1, " in outcome.err
        unpriced = pelnas("chat", begun.name, *model, "--max-dollars", "0.5")
        assert unpriced.code == 2
        assert "no price is known for openai:toy" in unpriced.err
        assert pelnas("chat", begun.name, *model, "--max-tokens", "0").code == 2
        assert len(server.requests) == 1


def test_the_runs_own_model_talks_where_that_is_asked(
    pelnas: Pelnas, talkative_run: Path, begun: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed(monkeypatch, "make it nicer")
    outcome = pelnas("chat", begun.name, "--output", begun.parent, "--model", "run")
    assert "is no command" in outcome.out, "the run was designed by evolution"
    unknown = pelnas("chat", "last", "--output", talkative_run.parent, "--model", "run")
    assert unknown.code == 2
    assert "scripted:answers" in unknown.err


def test_an_end_of_input_is_no_yes(
    pelnas: Pelnas, begun: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed(monkeypatch, "/stop")
    outcome = pelnas("chat", begun.name, "--output", begun.parent)
    assert outcome.out.splitlines()[-1] == "Nothing was changed."
    with RunStore.read(begun) as store:
        assert store.directives() == []


def test_bytes_that_are_no_text_are_not_understood(begun: Path) -> None:
    command = [COMMAND, "chat", begun.name, "--output", str(begun.parent)]
    done = warm.run(
        command, input=b"\xff\xfe\x1b[31m\n", capture_output=True, check=False, timeout=120
    )
    assert done.returncode == 0
    assert b"is no command" in done.stdout
    assert b"\x1b" not in done.stdout


def test_a_run_that_is_not_there_ends_with_one_sentence(pelnas: Pelnas, begun: Path) -> None:
    outcome = pelnas("chat", "elsewhere", "--output", begun.parent)
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
