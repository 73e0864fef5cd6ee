"""A conversation in this process: lines in, lines out, over the same graph that is served."""

import secrets
from contextlib import suppress
from functools import partial
from pathlib import Path

from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from pelnas.agents.assistant.spending import NO_LIMITS, Account
from pelnas.agents.models.base import LanguageModel
from pelnas.budget import Spent
from pelnas.config import Budget
from pelnas.errors import InputError
from pelnas.graph.chat.boundary import in_words, keep, surviving
from pelnas.graph.chat.chat_models import OneModel
from pelnas.graph.chat.graph import ChatInput, build_chat
from pelnas.graph.chat.notifications import Watch
from pelnas.graph.chat.pending_orders import Given, news_of
from pelnas.store import RunStore
from pelnas.tools.runs import run_below


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
        """``model``: reads what is no command; without one a question comes back.

        ``limits``: what it may cost in this conversation.
        """
        self._graph = build_chat(output, InMemorySaver(), OneModel(model), account=self._open)
        self._output = output
        name = secrets.token_hex(8)  # no other conversation's, in whatever process
        self._name, self._author = name, author
        self._unanswered: set[str] = set()  # failures already reported beside the answers
        self._told: list[Given] = []  # orders whose news was reported beside the answers
        settings = {"thread_id": name, "author": author, "told": self._told}
        self._config: RunnableConfig = {"configurable": settings}
        self._heard = 0
        self._awaited: list[Given] = []
        self._watches: dict[str, Watch] = {}
        self.run = run  # that is talked about
        self._limits = limits
        self._account = Account(limits)
        self.waiting = False  # for a yes or a no

    @property
    def spent(self) -> Spent:
        """What models have cost, also for a line whose answer was cut off."""
        return self._account.spent()

    @property
    def cost(self) -> str:
        """What the conversation has cost, in a sentence; '' while no model was asked."""
        return str(self._account) if self.spent.calls else ""

    def say(self, line: str) -> list[str]:
        """What is answered to a line; ``waiting`` says whether that is a yes or no question.

        Any failure becomes one sentence and is logged beside the run.
        """

        def failed(error: Exception) -> list[str]:
            self.waiting = False
            return [self._failed(line, error)]

        return surviving(lambda: self._say(line), failed)

    def _say(self, line: str) -> list[str]:
        if self.waiting:
            result = self._graph.invoke(Command(resume=line), self._config)
        else:
            said = ChatInput(messages=[HumanMessage(line)])
            if self.run:
                said["run"] = self.run
            result = self._graph.invoke(said, self._config)
        self.run = result.get("run") or ""  # the conversation may have turned to another
        self._awaited = [given for given in result.get("awaited") or [] if given not in self._told]
        self.waiting = "__interrupt__" in result
        new = result["messages"][self._heard :]
        self._heard = len(result["messages"])
        return [str(message.text) for message in new if isinstance(message, AIMessage)]

    def news(self) -> list[str]:
        """What happened since the last call: to the search that is talked about, to orders given here.

        What is reported here is not repeated with the next answer. For whoever waits at a
        prompt: not to be called while ``say`` is at work.
        """
        told = []
        for name in sorted({self.run, *(given["run"] for given in self._awaited)} - {""}):
            happened, lines = surviving(partial(self._look, name), self._unseen)
            told += [*lines, *(happened if name == self.run else [])]
        return told

    def _unseen(self, error: Exception) -> tuple[list[str], list[str]]:
        """News of a run that cannot be looked at: each reason once, since this is asked again soon.

        None where the run is gone; the next answer says so.
        """
        said = "" if isinstance(error, InputError) else self._failed("", error)
        if not said or said in self._unanswered:
            return [], []
        self._unanswered.add(said)
        return [], [said]

    def _failed(self, line: str, error: Exception) -> str:
        with suppress(InputError):
            folder = run_below(self._output, self.run)
            keep(folder, "t" + self._name[:8], self._author, line, error)
        return in_words(error)

    def close(self) -> None:
        """Let go of the runs that were watched; a second call does nothing."""
        while self._watches:
            self._watches.popitem()[1].close()

    def _open(self, before: Spent) -> Account:
        self._account = Account(self._limits, before)
        return self._account

    def _look(self, name: str) -> tuple[list[str], list[str]]:
        """What happened to a search, and what became of orders given here."""
        mine = [given for given in self._awaited if given["run"] == name]
        if name not in self._watches:  # it may have decided on some before anybody looked
            self._watches[name] = Watch(RunStore.read(run_below(self._output, name)))
            happened: list[str] = []
        else:
            happened, decided = self._watches[name].look()
            mine = [given for given in mine if given["id"] in decided]
        lines, waiting = news_of(self._output, mine)
        done = [given for given in mine if given not in waiting]
        self._told += done
        self._awaited = [given for given in self._awaited if given not in done]
        return happened, lines
