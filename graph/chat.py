"""The conversation as a second graph: any LangGraph chat client can talk to a run.

::

    listen -> confirm (waits for a yes or a no) -> give
       |
       +--> the answer, or a question back

A client sends ``messages`` and names a ``run`` below the runs folder, in the input,
in the configurable, or by the command ``/use NAME``. An order is said back in plain
words, and given only after a yes: by resuming the interrupt, or as the next message.
"""

from pathlib import Path
from typing import Any, Literal, TypedDict

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command, interrupt

from pelnas.agents.conversation import Question, Unclear, answer, help_text, understand
from pelnas.agents.intents import IntentReader
from pelnas.agents.models import LanguageModel
from pelnas.directives import Order, command
from pelnas.errors import InputError, RunError
from pelnas.graph.helm import Helm
from pelnas.graph.search import SERVED
from pelnas.spaces import get_space
from pelnas.store import RunStore, list_runs
from pelnas.store.folder import in_use
from pelnas.tools.runs import run_below

YES = ("yes", "y", "true")
NO = ("no", "n", "false")
ASK = "Yes or no?"


class ChatInput(MessagesState, total=False):
    """What a client sends: messages, and the name of a run below the runs folder."""

    run: str


class Pending(TypedDict):
    """An order that waits for a yes: for which run, as a command, said back, as it was typed."""

    run: str
    command: str
    question: str
    words: str


class ChatState(ChatInput, total=False):
    """One conversation. ``decision``: ``yes``, ``no``, or '' while nobody has decided."""

    pending: Pending | None
    decision: str


class Chat:
    """The nodes, over the runs below one folder. Every node takes the state and returns changes."""

    def __init__(self, output: Path, model: LanguageModel | None) -> None:
        self._output = output
        self._reader = IntentReader(model) if model else None

    def listen(self, state: ChatState, config: RunnableConfig) -> dict[str, Any]:
        """Understand the last message: answer it, ask back, or propose an order."""
        text = _last_words(state)
        if state.get("pending") and _decision(text):
            return {"decision": _decision(text)}
        nothing: dict[str, Any] = {"pending": None, "decision": ""}
        try:
            return nothing | self._heard(text, _run_name(state, config))
        except InputError as error:
            return nothing | _said(str(error))

    def confirm(self, state: ChatState) -> dict[str, Any]:
        """Wait for a yes or a no; anything else is asked again."""
        decided = interrupt(state["pending"])
        decision = _decision(decided)
        return {"decision": decision} | ({} if decision else _said(f"{ASK} Nothing is given yet."))

    def give(self, state: ChatState, config: RunnableConfig) -> dict[str, Any]:
        """Give the order after a yes; forget it after a no."""
        done: dict[str, Any] = {"pending": None, "decision": ""}
        pending = state.get("pending")
        if pending is None or state.get("decision") != "yes":
            return done | _said("Nothing was changed.")
        try:
            with Helm.open(run_below(self._output, pending["run"])) as helm:
                given = helm.give(pending["command"], _author(config), pending["words"])
                asks, running = helm.say(given.order), in_use(helm.store.folder)
        except InputError as error:
            return done | _said(str(error))
        when = "from the next piece of work on" if running else "when the run goes on"
        return done | _said(f"{given.id}: {asks} ({when})")

    def _heard(self, text: str, run: str) -> dict[str, Any]:
        verb, _, rest = text.strip().partition(" ")
        if verb == "/help":
            return _said(f"{help_text()}\nWhich run:\n  /runs, /use NAME")
        if verb == "/runs":
            return _said("\n".join(f"{r.name}: {r.status}" for r in list_runs(self._output)))
        if verb == "/use":
            folder = run_below(self._output, rest.strip())
            return {"run": folder.name} | _said(f"This is about {folder.name} now.")
        line = self._command(text, run)
        wish = line if isinstance(line, Unclear) else understand(line)
        if isinstance(wish, Unclear):
            return _said(wish.back)
        folder = self._folder(run)
        if isinstance(wish, Question):
            with RunStore.read(folder) as store:
                told = answer(store, wish)
            return {"run": folder.name} | _said(told if line == text else f"{line}\n{told}")
        return {"run": folder.name} | _proposed(folder, wish, text)

    def _command(self, text: str, run: str) -> str | Unclear:
        """A command as it is; free words as the model reads them, where there is one."""
        if self._reader is None or not text.strip() or text.lstrip().startswith("/"):
            return text
        with RunStore.read(self._folder(run)) as store:
            space = get_space(store.config.space)
        return self._reader.read(text, space)

    def _folder(self, run: str) -> Path:
        if not run:
            raise RunError(
                "expected the name of a run, found none: /runs lists them, /use NAME takes one"
            )
        return run_below(self._output, run)


def build_chat(
    output: Path,
    checkpointer: BaseCheckpointSaver[str] | None = None,
    model: LanguageModel | None = None,
) -> CompiledStateGraph[ChatState, Any, ChatInput, ChatState]:
    """The conversation over the runs below a folder, compiled.

    ``model``: reads what is no command; without one that is asked back.
    """
    nodes = Chat(output, model)
    builder = StateGraph(ChatState, input_schema=ChatInput)
    builder.add_node("listen", nodes.listen)
    builder.add_node("confirm", nodes.confirm)
    builder.add_node("give", nodes.give)
    builder.add_edge(START, "listen")
    builder.add_conditional_edges("listen", _after_listening, ["confirm", "give", END])
    builder.add_conditional_edges("confirm", _after_confirming, ["confirm", "give"])
    builder.add_edge("give", END)
    return builder.compile(checkpointer=checkpointer, name="chat")


class Talk:
    """One conversation in this process: lines in, lines out."""

    def __init__(
        self, output: Path, run: str, author: str, model: LanguageModel | None = None
    ) -> None:
        self._graph = build_chat(output, InMemorySaver(), model)
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


def _proposed(folder: Path, order: Order, words: str) -> dict[str, Any]:
    """An order in its official form and in plain words, waiting for a yes."""
    with Helm.open(folder) as helm:
        checked = helm.check(order)
        told = f"I understand: {helm.say(checked)}. {ASK}"
    pending = Pending(run=folder.name, command=command(checked), question=told, words=words)
    return {"pending": pending} | _said(told)


def _after_listening(state: ChatState) -> Literal["confirm", "give", "__end__"]:
    if state.get("decision"):
        return "give"
    return "confirm" if state.get("pending") else "__end__"


def _after_confirming(state: ChatState) -> Literal["confirm", "give"]:
    return "give" if state.get("decision") else "confirm"


def _decision(said: object) -> str:
    """``yes``, ``no``, or '' for anything else; a client may say it as text, bool or ``confirmed``."""
    if isinstance(said, dict):
        said = said.get("confirmed")
    word = str(said).strip().lower().rstrip(".!")
    return "yes" if word in YES else "no" if word in NO else ""


def _said(text: str) -> dict[str, list[AnyMessage]]:
    return {"messages": [AIMessage(text)]}


def _last_words(state: ChatState) -> str:
    """The text of the last message, if a person said it."""
    last = state["messages"][-1] if state.get("messages") else None
    return str(last.text) if isinstance(last, HumanMessage) else ""


def _run_name(state: ChatState, config: RunnableConfig) -> str:
    return str(state.get("run") or config.get("configurable", {}).get("run") or "")


def _author(config: RunnableConfig) -> str:
    return str(config.get("configurable", {}).get("author") or "chat")


graph = build_chat(SERVED)
