"""A language model that answers from a recording, for exact offline replays."""

from collections.abc import Sequence

from pydantic import BaseModel

from pelnas.agents.models.base import LanguageModel, Reply
from pelnas.calls.call import Message, request_hash
from pelnas.errors import ModelCallError
from pelnas.recording import Recording


class RecordedModel(LanguageModel):
    """Answers what the model of this name answered in the recording, and fails where it failed."""

    def __init__(self, name: str, recording: Recording) -> None:
        self.name = name
        self.priced = True  # as far as the recording was
        self._recording = recording

    def ask(self, messages: Sequence[Message], schema: type[BaseModel]) -> Reply:
        """The recorded answer. ReplayError: this was never asked, with the difference."""
        request = request_hash(self.name, messages, schema.model_json_schema())
        call = self._recording.answer(request, messages)
        if call.outcome == "failed":
            raise ModelCallError(call.problem)
        return Reply(call.answer, call.usage, call.answered_by)
