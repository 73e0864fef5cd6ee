"""One conversation in this process: lines in, lines out, over the same graph as is served."""

from pathlib import Path

from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from pelnas.agents.models import LanguageModel
from pelnas.graph.chat import ChatInput, build_chat
from pelnas.graph.voices import OneVoice


class Talk:
    """A person's lines about the runs below a folder, beginning with one of them."""

    def __init__(
        self, output: Path, run: str, author: str, model: LanguageModel | None = None
    ) -> None:
        """``model``: reads what is no command; without one that is asked back."""
        self._graph = build_chat(output, InMemorySaver(), OneVoice(model))
        self._run = run
        self._config: RunnableConfig = {"configurable": {"thread_id": "talk", "author": author}}
        self._heard = 0
        self.waiting = False  # for a yes or a no

    def say(self, line: str) -> list[str]:
        """What is answered to a line; ``waiting`` says whether that is a yes or no question."""
        if self.waiting:
            result = self._graph.invoke(Command(resume=line), self._config)
        else:
            said = ChatInput(messages=[HumanMessage(line)])
            if self._run:
                said["run"] = self._run
            result = self._graph.invoke(said, self._config)
            self._run = ""  # told once: the conversation may turn to another
        self.waiting = "__interrupt__" in result
        new = result["messages"][self._heard :]
        self._heard = len(result["messages"])
        return [str(message.text) for message in new if isinstance(message, AIMessage)]
