"""Natural language, as a model reads it: by tool calling, else by a choice among intents.

What neither can read is answered with a question, with the grammar of commands as the way that is
always open.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from langchain_core.messages import BaseMessage

from pelnas.agents.assistant.commands import Question, Unclear, understand
from pelnas.agents.assistant.intents import IntentReader
from pelnas.agents.assistant.tool_calling import ToolCaller
from pelnas.agents.models.base import LanguageModel
from pelnas.directives import Order
from pelnas.errors import AnswerError, ModelCallError, ToolsRefusedError
from pelnas.spaces import SearchSpace


@dataclass(frozen=True, slots=True)
class About:
    """What is talked about: a run, its space, the conversation so far, and how it is asked.

    ``ask`` answers a question, ``check`` gives an order its official form; both raise
    InputError.
    """

    run: str
    space: SearchSpace
    before: Sequence[BaseMessage]
    ask: Callable[[Question], str]
    check: Callable[[Order], Order]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a sentence comes to: ``said`` to the person, and an ``order`` that waits for a yes."""

    said: str
    order: Order | None = None


class Interpreter:
    """Reads natural language by a model; remembers which models take no tools. For several threads."""

    def __init__(self) -> None:
        self._without_tools: set[str] = set()

    def read(self, words: str, model: LanguageModel, about: About) -> Reading:
        """What the words come to. InputError: the run cannot be asked or steered like that."""
        note = ""
        if model.calls_tools and model.name not in self._without_tools:
            caller = ToolCaller(model, about.ask, about.check)
            try:
                turn = caller.turn(words, about.before, about.space, about.run)
                return Reading(turn.tell(), turn.order)
            except ToolsRefusedError as error:
                self._without_tools.add(model.name)
                note = f"{error}: it chose among intents instead"
            except (ModelCallError, AnswerError) as error:
                note = f"{error}: it was asked to choose among intents instead"
        return self._choose(words, model, about, note)

    def _choose(self, words: str, model: LanguageModel, about: About, note: str) -> Reading:
        line = IntentReader(model).read(words, about.space)
        wish = line if isinstance(line, Unclear) else understand(line)
        if isinstance(wish, Unclear):
            return Reading("\n".join(filter(None, (note, wish.back))))
        if isinstance(wish, Question):
            return Reading("\n".join(filter(None, (note, str(line), about.ask(wish)))))
        return Reading(note, about.check(wish))
