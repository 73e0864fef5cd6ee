"""A human in the loop as a language model: questions and answers are files in a folder.

Whoever answers may be a person or any chat product without an interface for
programs: what the file says is put into it, what it says is saved beside the file.
"""

import json
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import BaseModel

from pelnas.agents.models.base import LanguageModel, Reply
from pelnas.calls import tokens
from pelnas.calls.call import Message, request_hash
from pelnas.calls.usage import Usage
from pelnas.errors import BudgetExhausted, ModelError, Stopped
from pelnas.inputs.paths import expanded
from pelnas.store import write_atomically
from pelnas.store.folder import PRIVATE_FOLDER

LOOK_EVERY = 0.5  # seconds between two looks for an answer
LONGEST = 1_000_000  # bytes of an answer that are read
DIGITS = 20  # of the hash of a request, in the names of its files


class HandModel(LanguageModel):
    """``hand:FOLDER``: writes ``HASH.md`` and waits for ``HASH.answer.md`` beside it.

    The hash is the request's (``pelnas.calls.call.request_hash``), so that a search that was
    stopped finds answers given meanwhile, and an equal question is answered once.
    ``look_every``: seconds between two looks. ModelError: the folder cannot be made.
    """

    def __init__(self, folder: str | Path, *, look_every: float = LOOK_EVERY) -> None:
        self.name = f"hand:{folder}"
        self.priced = True
        self.folder = expanded(Path(folder))
        self._look_every = look_every
        self._stop = threading.Event()
        self._minutes_left: Callable[[], float | None] = lambda: None
        try:
            self.folder.mkdir(PRIVATE_FOLDER, parents=True, exist_ok=True)
        except OSError as error:
            raise ModelError(
                f"expected a folder for questions and answers at {self.folder}, found"
                f" {error.strerror or error}: name another one"
            ) from None

    def ask(self, messages: Sequence[Message], schema: type[BaseModel]) -> Reply:
        """The answer when somebody has written it.

        Stopped: ``stop`` was called before. BudgetExhausted: the search's limit of time was
        reached before. StoreError: the question cannot be written.
        """
        started = time.perf_counter()
        name = request_hash(self.name, messages, schema.model_json_schema())[:DIGITS]
        answer = self.folder / f"{name}.answer.md"
        self._put(self.folder / f"{name}.md", question(messages, schema, answer.name))
        text = self._wait_for(answer)
        seconds = time.perf_counter() - started
        usage = Usage(tokens.estimate(messages), tokens.count(text), seconds=seconds)
        return Reply(text, usage, self.name, rung="by hand")

    def set_deadline(self, minutes_left: Callable[[], float | None]) -> None:
        self._minutes_left = minutes_left

    def stop(self) -> None:
        self._stop.set()

    def close(self) -> None:
        self._stop.set()

    def _put(self, file: Path, text: str) -> None:
        """Write a question, unless it stands there already."""
        if not file.is_file():
            write_atomically(file, text.encode("utf-8", "replace"))

    def _wait_for(self, file: Path) -> str:
        """The text of a file that has not changed between two looks, so that it is whole."""
        before = None
        while True:
            seen = _state(file)
            if seen is not None and seen == before:
                text = _read(file)
                if text:
                    return text
            before = seen
            if self._stop.wait(self._look_every):
                raise Stopped(
                    f"the search was asked to stop while it waited for {file}:"
                    " write the answer and go on with 'pelnas resume'"
                )
            if self._minutes_left() == 0:
                raise BudgetExhausted(
                    f"the budget of minutes was spent while the search waited for {file}:"
                    " give a larger one, and answer"
                )


def question(messages: Sequence[Message], schema: type[BaseModel], answer: str) -> str:
    """A question as Markdown: what to do, the messages as sent, the form of the answer."""
    form = json.dumps(schema.model_json_schema(), indent=2, ensure_ascii=False)
    parts = [
        f"A search waits for your answer to this. Save it as `{answer}` beside this file:"
        " one JSON object of the form at the end; words around it do no harm.",
        *(f"## {message.role}\n\n{message.content.strip()}" for message in messages),
        f"## The form of the answer, as a JSON schema\n\n```json\n{form}\n```",
    ]
    return "\n\n".join(parts) + "\n"


def _state(file: Path) -> tuple[int, int] | None:
    """Size and time of a file that has something in it."""
    try:
        found = file.stat()
    except OSError:
        return None
    return (found.st_size, found.st_mtime_ns) if found.st_size and file.is_file() else None


def _read(file: Path) -> str:
    """What was saved, with whatever mark an editor put in front; '' while it cannot be read."""
    try:
        with file.open("rb") as opened:
            return opened.read(LONGEST).decode("utf-8-sig", "replace").strip()
    except OSError:
        return ""
