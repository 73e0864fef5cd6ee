"""One conversation in this process: lines in, lines out, over the same graph as is served."""

import secrets
from pathlib import Path

from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from pelnas.agents.account import NO_LIMITS, Account
from pelnas.agents.models import LanguageModel
from pelnas.budget import Spent
from pelnas.config import Budget
from pelnas.graph.chat import ChatInput, build_chat
from pelnas.graph.voices import OneVoice


class Talk:
    """A person's lines about the runs below a folder, beginning with one of them."""

    def __init__(
        self,
        output: Path,
        run: str,
        author: str,
        model: LanguageModel | None = None,
        limits: Budget = NO_LIMITS,
    ) -> None:
        """``model``: reads what is no command; without one that is asked back.

        ``limits``: what it may cost in this conversation.
        """
        self._graph = build_chat(output, InMemorySaver(), OneVoice(model), limits=limits)
        self._run = run
        name = secrets.token_hex(8)  # no other conversation's, in whatever process
        self._config: RunnableConfig = {"configurable": {"thread_id": name, "author": author}}
        self._heard = 0
        self._limits = limits
        self.waiting = False  # for a yes or a no
        self.spent = Spent()  # on models

    @property
    def cost(self) -> str:
        """What the conversation has cost, in a sentence; '' while no model was asked."""
        return str(Account(self._limits, self.spent)) if self.spent.calls else ""

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
        self.spent = Spent(**result.get("spent") or {})
        new = result["messages"][self._heard :]
        self._heard = len(result["messages"])
        return [str(message.text) for message in new if isinstance(message, AIMessage)]
