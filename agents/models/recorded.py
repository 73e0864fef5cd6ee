"""A language model that answers from a recording, for exact offline replays."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from pelnas.agents.models.base import TAKES_NO_TOOLS, LanguageModel, ModelStep, Reply
from pelnas.calls.call import Message, request_hash
from pelnas.errors import ModelCallError, ToolsRefusedError
from pelnas.recording import Recording

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage
    from langchain_core.tools import BaseTool


class RecordedModel(LanguageModel):
    """Answers what the model of this name answered in the recording, and fails where it failed."""

    def __init__(self, name: str, recording: Recording) -> None:
        self.name = name
        self.priced = True  # as far as the recording was
        self.calls_tools = recording.calls_tools(name)
        self._recording = recording

    def ask(self, messages: Sequence[Message], schema: type[BaseModel]) -> Reply:
        """The recorded answer. ReplayError: this was never asked, with the difference."""
        return self._reply(messages, schema.model_json_schema())

    def step(self, messages: "Sequence[BaseMessage]", tools: "Sequence[BaseTool]") -> ModelStep:
        """The recorded calls of tools. ReplayError: as of ``ask``."""
        from pelnas.agents.models.tool_calls import Move, recorded, request_form

        reply = self._reply(recorded(messages), request_form(tools))
        return ModelStep(Move.from_json(reply.text).message, reply, reply.text)

    def _reply(self, messages: Sequence[Message], form: dict[str, Any]) -> Reply:
        call = self._recording.answer(request_hash(self.name, messages, form), messages)
        if call.outcome == "failed":
            refused = TAKES_NO_TOOLS in call.problem
            raise (ToolsRefusedError if refused else ModelCallError)(call.problem)
        return Reply(call.answer, call.usage, call.answered_by)
