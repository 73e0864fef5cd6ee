"""A language model that answers from a script, for tests, demonstrations and docs."""

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pydantic import BaseModel

from pelnas.agents.models.base import LanguageModel, Reply
from pelnas.calls import tokens
from pelnas.calls.call import Message
from pelnas.calls.usage import Usage
from pelnas.errors import ModelCallError

#: What answers a request: its messages and the JSON schema that the answer should fit.
Answerer = Callable[[Sequence[Message], dict[str, Any]], str]


class ScriptedModel(LanguageModel):
    """Answers from a list, in order, or by a function of the messages and the JSON schema.

    In a list, a pydantic value is answered as its JSON and an exception is raised.
    ``requests`` keeps what was asked. ModelCallError: the list has ended.
    """

    def __init__(
        self,
        answers: Answerer | Iterable[str | BaseModel | Exception],
        name: str = "scripted:answers",
    ) -> None:
        self.name = name
        self.priced = True
        self.requests: list[tuple[Message, ...]] = []
        self._answer = answers if callable(answers) else _from_list(answers)
        self._lock = threading.Lock()

    def ask(self, messages: Sequence[Message], schema: type[BaseModel]) -> Reply:
        with self._lock:
            self.requests.append(tuple(messages))
            text = self._answer(messages, schema.model_json_schema())
        return Reply(text, Usage(tokens.estimate(messages), tokens.count(text)), self.name)


def _from_list(answers: Iterable[str | BaseModel | Exception]) -> Answerer:
    left = iter(answers)

    def answer(_messages: Sequence[Message], _schema: dict[str, Any]) -> str:
        found = next(left, None)
        if found is None:
            raise ModelCallError("the script of answers has ended: give it one for each call")
        if isinstance(found, Exception):
            raise found
        return found if isinstance(found, str) else found.model_dump_json()

    return answer
