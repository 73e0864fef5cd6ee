"""A language model that plays an agent of one prompt, with tools or without."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pelnas.agents.dialogue import Dialogue, OpenDialogue
from pelnas.agents.prompt_limit import Limit, fitted
from pelnas.agents.tool_loop import Answer, request_answer, tools_text
from pelnas.agents.toolbox import Toolbox
from pelnas.prompts import Prompt

B = TypeVar("B")


class ModelAgent:
    """``name``: the model, ``provider:model``; with tools it may look things up before it answers."""

    def __init__(
        self,
        name: str,
        prompt: Prompt,
        dialogue: OpenDialogue,
        with_tools: Prompt | None = None,
        limit: int | None = None,
    ) -> None:
        """``with_tools``: what its prompt says besides where it has tools; ``limit``: its tokens."""
        self.name = name
        self._limit = limit
        self._prompt = prompt
        self._dialogue = dialogue
        self._with_tools = with_tools

    def _ask(
        self,
        dialogue: Dialogue,
        brief: B,
        variables: Callable[[B], Mapping[str, str]],
        shorter: Callable[[B], B | None],
        answer: Answer[Any],
        tools: Toolbox | None,
    ) -> None:
        """Ask about as much of a brief as the limit allows.

        ``variables``: what the prompt is filled with; ``shorter``: see ``fitted``. Errors are
        those of ``fitted`` and ``request_answer``.
        """
        limit = Limit(self._limit, self.name, tools_text(tools, self._with_tools))
        _, said = fitted(brief, lambda b: self._prompt.render(variables(b)), shorter, limit)
        request_answer(dialogue, said, answer, tools, self._with_tools)
