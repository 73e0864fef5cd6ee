"""Lines that a person types in a terminal: edited, completed by Tab, with news above the prompt."""

from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.patch_stdout import patch_stdout
from prompt_toolkit.shortcuts import CompleteStyle

from pelnas.app.completion import completions
from pelnas.app.display.output import say
from pelnas.graph.chat.boundary import surviving

if TYPE_CHECKING:
    from pelnas.graph.chat.console import Talk

PAUSE = 0.5  # seconds between two looks at the run


class Terminal:
    """Reads lines, and meanwhile reports what happens to the run and to orders given here."""

    def __init__(self, talk: "Talk", output: Path) -> None:
        """``output``: the folder of all runs."""
        self._talk = talk
        self._session: PromptSession[str] = PromptSession(
            completer=_Completer(talk, output),
            complete_while_typing=False,
            complete_style=CompleteStyle.READLINE_LIKE,
            reserve_space_for_menu=0,
        )

    def line(self, prompt: str) -> str | None:
        """The next line; ``None`` at the end of the input. KeyboardInterrupt: Ctrl-C."""
        self._tell_news()
        typed = Event()
        watching = Thread(target=self._watch, args=(typed,), daemon=True)
        with patch_stdout():
            watching.start()
            try:
                return self._session.prompt(prompt)
            except EOFError:
                return None
            finally:
                typed.set()
                watching.join()  # an answer is worked on by nobody else

    def _watch(self, typed: Event) -> None:
        while not typed.wait(PAUSE):
            self._tell_news()

    def _tell_news(self) -> None:
        for line in self._talk.news():
            say(line)


class _Completer(Completer):
    def __init__(self, talk: "Talk", output: Path) -> None:
        self._talk = talk
        self._output = output

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterator[Completion]:
        before = document.text_before_cursor
        if self._talk.waiting:
            return
        length = len(before.rpartition(" ")[2])
        names = surviving(
            lambda: list(completions(before, self._output, self._talk.run)), lambda _: []
        )
        for name in names:
            yield Completion(name, start_position=-length)
