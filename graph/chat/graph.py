"""The conversation as a second graph: any LangGraph chat client can talk to a run.

::

    listen -> confirm (waits for a yes or a no) -> give
       |
       +--> the answer, or a question back

A client sends ``messages`` and names a ``run`` below the runs folder, in the input,
in the configurable, or by the command ``/use NAME``; in the same places it may name a
``model`` among those that the server offers (``pelnas.graph.chat.chat_models``). An order is said
back in plain words, and given only after a yes: by resuming the interrupt, or as the
next message.
"""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Literal

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import interrupt

from pelnas.agents.assistant.commands import Question, Unclear, answer, help_text, understand
from pelnas.agents.assistant.interpreter import About, Interpreter
from pelnas.agents.assistant.spending import NO_LIMITS, Account, Accounted, Scene
from pelnas.budget import Spent
from pelnas.config import SearchConfig
from pelnas.directives import Directive, Order
from pelnas.errors import BudgetExhausted, DirectiveError, InputError, RunError
from pelnas.graph.chat import review
from pelnas.graph.chat.boundary import in_words, keep, surviving
from pelnas.graph.chat.chat_models import ModelSelector, OneModel
from pelnas.graph.chat.pending_orders import Given, news_of
from pelnas.graph.chat.review import Pending
from pelnas.graph.session.steering_client import Permit, SteeringClient
from pelnas.spaces import get_space
from pelnas.store import RunStore, list_runs
from pelnas.store.conversations import TalkLog
from pelnas.store.folder import in_use
from pelnas.tools.runs import run_below

ASK = "Yes or no?"
NOTHING_PENDING: dict[str, Any] = {"pending": None, "decision": ""}
Accounts = Callable[[Spent], Account]
#: Questions about the conversation itself, and their answers.
OWN = (
    ("/spent", "what this conversation has cost"),
    ("/runs", "the runs here"),
    ("/use NAME", "talk about another run"),
    ("/waiting", "orders that a program asked for and nobody has confirmed"),
    ("/confirm ID", "one of them said back, for your yes or no"),
)


class ChatInput(MessagesState, total=False):
    """What a client sends: messages, a run below the runs folder, and a model that is offered."""

    run: str
    model: str


class ChatState(ChatInput, total=False):
    """One conversation. ``decision``: ``yes``, ``no``, or '' while nobody has decided.

    ``spent``: what its models cost so far, as the fields of ``Spent``.
    """

    pending: Pending | None
    decision: str
    awaited: list[Given]
    spent: dict[str, Any]


class Chat:
    """The nodes, over the runs below one folder. Every node takes the state and returns changes."""

    def __init__(
        self, output: Path, models: ModelSelector, permit: Permit | None, account: Accounts
    ) -> None:
        self._output = output
        self._models = models
        self._permit = permit
        self._account = account
        self._interpreter = Interpreter()

    def listen(self, state: ChatState, config: RunnableConfig) -> dict[str, Any]:
        """Understand the last message: answer it, ask back, or propose an order.

        First reports which orders given here have taken effect meanwhile.
        """
        return surviving(
            lambda: self._listen(state, config),
            lambda error: NOTHING_PENDING | self._failed(error, state, config),
        )

    def _listen(self, state: ChatState, config: RunnableConfig) -> dict[str, Any]:
        text = _last_words(state)
        if state.get("pending") and review.decision(text):
            return {"decision": review.decision(text)}
        changes: dict[str, Any] = dict(NOTHING_PENDING)
        told, changes["awaited"] = news_of(self._output, _untold(state, config))
        account = self._account(Spent(**(state.get("spent") or {})))
        changes |= surviving(
            lambda: self._heard(text, state, config, account),
            lambda error: self._failed(error, state, config),
        )
        changes["spent"] = asdict(account.spent())
        return changes | {"messages": [*map(AIMessage, told), *changes["messages"]]}

    def confirm(self, state: ChatState) -> dict[str, Any]:
        """Wait for a yes or a no; anything else is asked again."""
        pending = state.get("pending") or Pending()
        decided = interrupt(review.request(pending) if pending else {})
        command = review.edited(decided, pending)
        if command is not None:
            return surviving(
                lambda: self._edited(pending, command),
                lambda error: _said(f"{in_words(error)} {ASK} Nothing is given yet."),
            )
        decision = review.decision(decided)
        return {"decision": decision} | ({} if decision else _said(f"{ASK} Nothing is given yet."))

    def _edited(self, pending: Pending, command: str) -> dict[str, Any]:
        """The order as a person corrected it, which is a yes to it. InputError: it is none."""
        wish = understand(command)
        if not isinstance(wish, Order):
            told = wish.back if isinstance(wish, Unclear) else f"{wish.verb} is a question"
            raise DirectiveError(told)
        proposed = self._proposed(run_below(self._output, pending["run"]), wish, command)
        return {"pending": proposed["pending"], "decision": "yes"}

    def give(self, state: ChatState, config: RunnableConfig) -> dict[str, Any]:
        """Give the order after a yes; forget it after a no."""
        return NOTHING_PENDING | surviving(
            lambda: self._give(state, config), lambda error: self._failed(error, state, config)
        )

    def _give(self, state: ChatState, config: RunnableConfig) -> dict[str, Any]:
        pending = state.get("pending")
        if pending is None or state.get("decision") != "yes":
            self._decline(pending, config)
            return _said("Nothing was changed.")
        with self._client(run_below(self._output, pending["run"])) as steering:
            given = _given(steering, pending, _author(config))
            asks, running = steering.say(given.order), in_use(steering.store.folder)
        when = "from the next piece of work on" if running else "when the run goes on"
        awaited = [*(state.get("awaited") or []), Given(run=pending["run"], id=given.id)]
        return {"awaited": awaited} | _said(f"{given.id}: {asks} ({when})")

    def _decline(self, pending: Pending | None, config: RunnableConfig) -> None:
        """After a no: what a program asked for waits no longer."""
        if pending is not None and pending.get("waiting"):
            with self._client(run_below(self._output, pending["run"])) as steering:
                steering.decline(pending["waiting"], _author(config))

    def _failed(self, error: Exception, state: ChatState, config: RunnableConfig) -> dict[str, Any]:
        """The sentence for a failure; one that no request caused is logged."""
        if not isinstance(error, InputError | BudgetExhausted):
            with suppress(InputError):  # without a run there is no place for it
                folder = self._folder(_named("run", state, config))
                keep(folder, _talk(config), _author(config), _last_words(state), error)
        return _said(in_words(error))

    def _heard(
        self, text: str, state: ChatState, config: RunnableConfig, account: Account
    ) -> dict[str, Any]:
        verb, _, rest = text.strip().partition(" ")
        if verb == "/help":
            return _said(help_text(OWN))
        if verb == "/spent":
            return _said(str(account))
        if verb == "/runs":
            return _said("\n".join(f"{r.name}: {r.status}" for r in list_runs(self._output)))
        if verb == "/use":
            folder = run_below(self._output, rest.strip())
            return {"run": folder.name} | _said(f"This is about {folder.name} now.")
        run = _named("run", state, config)
        if text.strip() and not text.lstrip().startswith("/"):
            model = self._models.of(_named("model", state, config), lambda: self._config(run))
            if model is not None:
                folder, scene = self._folder(run), Scene(_talk(config), _author(config), text)
                heard = Accounted(model, account, scene, TalkLog(folder).append)
                return self._interpreted(text, folder, state["messages"][:-1], heard)
        if verb in ("/waiting", "/confirm"):
            return self._awaiting(self._folder(run), verb, rest.strip())
        wish = understand(text)
        if isinstance(wish, Unclear):
            return _said(wish.back)
        folder = self._folder(run)
        if isinstance(wish, Question):
            return {"run": folder.name} | _said(_answered(folder, wish))
        return {"run": folder.name} | self._proposed(folder, wish, text)

    def _interpreted(
        self, text: str, folder: Path, before: Sequence[AnyMessage], model: Accounted
    ) -> dict[str, Any]:
        """Natural language: an answer, a question back, or an order that waits like a typed one."""
        with RunStore.read(folder) as store:
            space = get_space(store.config.space)
        about = About(
            folder.name,
            space,
            before,
            lambda question: _answered(folder, question),
            lambda order: self._checked(folder, order),
        )
        reading = self._interpreter.read(text, model, about)
        unkept = f"this is not written down: {model.unkept}" if model.unkept else ""
        said = "\n".join(filter(None, (unkept, reading.said)))
        if reading.order is None:
            return {"run": folder.name} | _said(said)
        return {"run": folder.name} | self._proposed(folder, reading.order, text, said)

    def _awaiting(self, folder: Path, verb: str, id_: str) -> dict[str, Any]:
        """The orders of programs that wait, or one of them said back."""
        with self._client(folder) as steering:
            if verb == "/waiting":
                lines = [
                    f"{o.id}: {steering.say(o.order)} (asked for by {o.author})"
                    for o in steering.store.waiting()
                ]
                return {"run": folder.name} | _said("\n".join(lines) or "Nothing waits for a yes.")
            order = steering.waits(id_)
        proposed = self._proposed(folder, order.order, order.words)
        proposed["pending"]["waiting"] = order.id
        return {"run": folder.name} | proposed

    def _checked(self, folder: Path, order: Order) -> Order:
        with self._client(folder) as steering:
            return steering.check(order)

    def _proposed(self, folder: Path, order: Order, words: str, before: str = "") -> dict[str, Any]:
        """An order in its official form and in plain words, waiting for a yes."""
        with self._client(folder) as steering:
            checked = steering.check(order)
            told = f"I understand: {steering.say(checked)}. {ASK}"
        pending = Pending(run=folder.name, command=checked.command, question=told, words=words)
        return {"pending": pending} | _said("\n".join(filter(None, (before, told))))

    def _client(self, folder: Path) -> SteeringClient:
        return SteeringClient.open(folder, self._permit)

    def _config(self, run: str) -> SearchConfig:
        with RunStore.read(self._folder(run)) as store:
            return store.config

    def _folder(self, run: str) -> Path:
        if not run:
            raise RunError(
                "expected the name of a run, found none: /runs lists them, /use NAME takes one"
            )
        return run_below(self._output, run)


def build_chat(
    output: Path,
    checkpointer: BaseCheckpointSaver[str] | None = None,
    models: ModelSelector | None = None,
    permit: Permit | None = None,
    account: Accounts = partial(Account, NO_LIMITS),  # noqa: B008 - it holds nothing
) -> CompiledStateGraph[ChatState, Any, ChatInput, ChatState]:
    """The conversation over the runs below a folder, compiled.

    ``models``: who reads what is no command; without any a question comes back. ``permit``:
    which orders may be given here; without it, all. ``account``: opens the account of a
    conversation whose models have cost so much.
    """
    nodes = Chat(output, models or OneModel(None), permit, account)
    builder = StateGraph(ChatState, input_schema=ChatInput)
    for node in (nodes.listen, nodes.confirm, nodes.give):
        # A plain function LangGraph would search for graphs inside it, at every compilation.
        builder.add_node(node.__name__, partial(node))
    builder.add_edge(START, "listen")
    builder.add_conditional_edges("listen", _after_listening, ["confirm", "give", END])
    builder.add_conditional_edges("confirm", _after_confirming, ["confirm", "give"])
    builder.add_edge("give", END)
    return builder.compile(checkpointer=checkpointer, name="chat")


def _given(steering: SteeringClient, pending: Pending, author: str) -> Directive:
    """The order of a conversation, or the one of a program that it confirms."""
    if pending.get("waiting"):
        return steering.confirm(pending["waiting"], author)
    return steering.give(pending["command"], author, pending["words"])


def _answered(folder: Path, question: Question) -> str:
    with RunStore.read(folder) as store:
        return answer(store, question)


def _after_listening(state: ChatState) -> Literal["confirm", "give", "__end__"]:
    if state.get("decision"):
        return "give"
    return "confirm" if state.get("pending") else "__end__"


def _after_confirming(state: ChatState) -> Literal["confirm", "give"]:
    return "give" if state.get("decision") else "confirm"


def _said(text: str) -> dict[str, list[AnyMessage]]:
    return {"messages": [AIMessage(text)]}


def _last_words(state: ChatState) -> str:
    """The text of the last message, if a person said it."""
    last = state["messages"][-1] if state.get("messages") else None
    return str(last.text) if isinstance(last, HumanMessage) else ""


def _named(what: Literal["run", "model"], state: ChatState, config: RunnableConfig) -> str:
    """What a client names in the input, else in the configurable, else ''."""
    return str(state.get(what) or config.get("configurable", {}).get(what) or "")


def _untold(state: ChatState, config: RunnableConfig) -> list[Given]:
    """What is awaited, except what the client has reported itself (``told``, as ``Given``)."""
    told = config.get("configurable", {}).get("told")
    known = told if isinstance(told, list) else []
    return [given for given in state.get("awaited") or [] if given not in known]


def _talk(config: RunnableConfig) -> str:
    """A short name for this conversation: a client may have named its thread anything."""
    thread = str(config.get("configurable", {}).get("thread_id") or "")
    return "t" + hashlib.sha256(thread.encode("utf-8", "replace")).hexdigest()[:8]


def _author(config: RunnableConfig) -> str:
    return str(config.get("configurable", {}).get("author") or "chat")
