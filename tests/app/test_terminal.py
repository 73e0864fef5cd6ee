"""``pelnas chat`` in a real terminal: news above the prompt, lines edited, names completed by Tab."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyte
import pytest
import warm

from pelnas import Search
from pelnas.directives import Boundary
from pelnas.graph.session.steering_client import SteeringClient
from pelnas.store import RunStore

COMMAND = str(Path(sys.executable).with_name("pelnas"))
PROMPTS = (">", "yes or no>")
ROWS, COLUMNS = 200, 160  # so that nothing scrolls away
UP, LEFT, TAB, END, CLEAR, INTERRUPT = "\x1b[A", "\x1b[D", "\t", "\x04", "\x15", "\x03"


@pytest.fixture
def begun(begin: Callable[..., Path]) -> Path:
    """The folder of a run that nobody works on."""
    return begin(name="begun", rounds=3, per_niche=2)


class Screen:
    """What a person sees in a terminal, and the keys that they press in it."""

    def __init__(self, child: "subprocess.Popen[bytes]", master: int) -> None:
        self.child = child
        self._master = master
        self._screen = pyte.Screen(COLUMNS, ROWS)
        self._screen.write_process_input = self.press  # where the cursor is, when it is asked
        self._stream = pyte.ByteStream(self._screen)
        self._changed = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    @property
    def lines(self) -> list[str]:
        """What is shown, without what is empty."""
        return [line.rstrip() for line in self._screen.display if line.strip()]

    def press(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def enter(self, line: str) -> None:
        self.press(line + "\r")

    def until(self, held: Callable[[list[str]], bool]) -> list[str]:
        """What is shown, once that is as it should be."""
        with self._changed:
            found = self._changed.wait_for(lambda: held(self.lines), timeout=60)
            shown = "\n".join(self.lines)
        assert found, f"not shown in a minute, but:\n{shown}"
        return self.lines

    def until_shown(self, text: str) -> list[str]:
        """What is shown, once some line holds a text and the last one is a prompt."""
        return self.until(
            lambda lines: any(text in line for line in lines) and lines[-1].startswith(PROMPTS)
        )

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._master, 65536)
            except OSError:  # the other end is gone
                return
            with self._changed:
                self._stream.feed(data)
                self._changed.notify_all()


@contextmanager
def screen(folder: Path, *command: str) -> Iterator[Screen]:
    """``pelnas chat``, or another command that talks about the run."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    begin, *options = command or ("chat", "--author", "ann")
    whole = [COMMAND, begin, folder.name, "--output", str(folder.parent), *options]
    environment = os.environ | {"TERM": "xterm"}
    ends = {"stdin": slave, "stdout": slave, "stderr": slave, "start_new_session": True}
    with warm.Warm(whole, env=environment, **ends) as child:
        os.close(slave)
        try:
            shown = Screen(child, master)
            shown.until(lambda lines: lines[-1:] == [">"])
            yield shown
        finally:
            child.kill()
            child.wait(60)
            os.close(master)


def decide(folder: Path, status: str, reason: str = "") -> None:
    """As a search does that has come to the newest directive."""
    with RunStore.open(folder) as store:
        directive = store.directives()[-1]
        with store.together():
            store.mark_directive(directive, status, Boundary(1, "design"), reason)  # type: ignore[arg-type]
            store.event("directive", span="run", directive=directive.id, status=status)


def give(shown: Screen, order: str, done: str) -> None:
    shown.enter(order)
    shown.until(lambda lines: lines[-1] == "yes or no>")
    shown.enter("yes")
    shown.until_shown(done)


def until_paused(folder: Path) -> None:
    for _ in range(600):
        with RunStore.read(folder) as store:
            if any(event.kind == "paused" for event in store.events_of("run")):
                return
        time.sleep(0.1)
    raise AssertionError("the search was not paused within a minute")


def place_of(lines: list[str], text: str) -> int:
    """The one line that holds a text."""
    (place,) = [i for i, line in enumerate(lines) if text in line]
    return place


def test_news_of_an_order_stand_above_the_prompt_and_are_told_once(begun: Path) -> None:
    with screen(begun) as shown:
        give(shown, "/ban avg_pool_3x3", "d1: design nothing with avg_pool_3x3")
        shown.press("/stat")  # half a line, which stays
        shown.until(lambda lines: lines[-1] == "> /stat")
        decide(begun, "active")
        lines = shown.until_shown("d1 took effect in round 2 at design")
        assert lines[-1] == "> /stat"
        assert place_of(lines, "d1 took effect") == len(lines) - 2
        shown.enter("us")
        lines = shown.until_shown("spent:")
        place_of(lines, "d1 took effect")  # not a second time, by the answer
        give(shown, "/rounds 9", "d2: ")
        decide(begun, "refused", "too late")
        lines = shown.until_shown("d2 was refused: too late")
        assert lines[-1] == ">"
        shown.press(END)
        assert shown.child.wait(timeout=60) == 0


def test_a_search_is_talked_to_where_it_was_started(begun: Path) -> None:
    with SteeringClient.open(begun) as client:
        client.give("/pause", "ann")  # so that it does not end before anything is typed
    with screen(begun, "resume", "--chat") as shown:
        until_paused(begun)
        give(shown, "/ban avg_pool_3x3", "d2: design nothing with avg_pool_3x3")
        give(shown, "/resume", "d3: ")
        shown.until_shown("d2 took effect in round 1")
        shown.until_shown("all rounds done")
        shown.enter("/quit")
        assert shown.child.wait(timeout=60) == 0
        shown.until(lambda lines: any("report.html" in line for line in lines))
        assert any("networks on the front of" in line for line in shown.lines)
    with RunStore.read(begun) as store:
        made = [each.architecture for each in store.candidates()]
    assert made
    assert not [cell for cell in made if "avg_pool_3x3" in cell]


def test_leaving_the_conversation_leaves_the_search_in_view(begun: Path) -> None:
    with SteeringClient.open(begun) as client:
        client.give("/pause", "ann")
    with screen(begun, "resume", "--chat") as shown:
        until_paused(begun)
        shown.enter("/quit")
        shown.until(lambda lines: any(line.startswith("best so far") for line in lines))
        with SteeringClient.open(begun) as client:
            client.give("/resume", "bob")
        assert shown.child.wait(timeout=60) == 0


def test_an_interrupt_in_the_conversation_stops_the_search(begun: Path) -> None:
    with SteeringClient.open(begun) as client:
        client.give("/pause", "ann")
    with screen(begun, "resume", "--chat") as shown:
        until_paused(begun)
        shown.press(INTERRUPT)
        assert shown.child.wait(timeout=60) == 130
        shown.until(lambda lines: any("go on with: pelnas resume" in line for line in lines))
    assert Search.resume(begun).session.store.status == "running"


def test_what_becomes_of_the_search_is_told(begun: Path) -> None:
    happened: list[tuple[str, dict[str, str], str]] = [
        ("run-resumed", {}, "a process works on"),
        ("paused", {"directive": "d1", "author": "bob"}, "is paused by d1 (bob)"),
        ("unpaused", {}, "goes on"),
        ("error", {"problem": "it \x1b[31mis full"}, "met an error: it ␛[31mis full"),
        ("run-stopped", {}, "was stopped"),
    ]
    with screen(begun) as shown, RunStore.open(begun) as store:
        for kind, data, expected in happened:
            store.event(kind, span="run", **data)
            lines = shown.until_shown(expected)
            assert begun.name in lines[-2]
            assert lines[-1] == ">"


def test_lines_are_edited_and_earlier_ones_come_back(begun: Path) -> None:
    with screen(begun) as shown:
        shown.enter("/tatus" + LEFT * 5 + "s")
        shown.until_shown("spent:")
        shown.enter(UP)
        shown.until(lambda lines: sum("spent:" in line for line in lines) == 2)
        assert sum(line == "> /status" for line in shown.lines) == 2
        shown.enter("/quit")
        assert shown.child.wait(timeout=60) == 0


def test_tab_completes_commands_and_names(begun: Path) -> None:
    with screen(begun) as shown:
        for typed, becomes in (
            ("/dir", "/directives"),
            ("/ban avg", "/ban avg_pool_3x3"),
            ("/use 2", f"/use {begun.name}"),
            ("/why fast", "/why fastest"),
        ):
            shown.press(typed + TAB)
            shown.until(lambda lines, wanted=f"> {becomes}": lines[-1] == wanted)  # type: ignore[misc]
            shown.press(CLEAR)
            shown.until(lambda lines: lines[-1] == ">")


def test_a_search_in_another_process_is_followed_from_the_prompt(begun: Path) -> None:
    search = [COMMAND, "resume", begun.name, "--output", str(begun.parent)]
    with screen(begun) as shown:
        give(shown, "/ban avg_pool_3x3", "d1: ")
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        warm.run(search, check=True, **quiet)
        lines = shown.until_shown("has ended: all rounds done")
        order = [place_of(lines, line) for line in ("d1 took effect in round 1", "has ended")]
        assert order == sorted(order)
        shown.press("\x03")
        assert shown.child.wait(timeout=60) == 130


def completed(folder: Path) -> Callable[[str], list[str]]:
    from pelnas.app.completion import completions

    return lambda line: completions(line, folder.parent, folder.name)


def test_what_may_be_completed(talkative_run: Path) -> None:
    offered = completed(talkative_run)
    with RunStore.read(talkative_run) as store:
        candidates, call = store.candidates(), store.calls()[0]
    assert {"/why", "/ban", "/spent", "/use", "/help", "/quit"} <= set(offered("/"))
    assert offered("/wh") == ["/why"]
    assert set(offered("/why ")) == {"best", "fastest", *(c.id for c in candidates)}
    assert offered(f"/compare {candidates[0].id} {candidates[-1].id}")[0] == candidates[-1].id
    assert offered(f"why is {candidates[-1].id}")[0] == candidates[-1].id
    assert call.id in offered("/call r0")
    assert "avg_pool_3x3" in offered("/require a")
    assert offered("/status ") == []
    assert completed(talkative_run.parent / "gone")("/why r") == []
