"""The open runs of a LangGraph server; each belongs to the thread that created it."""

import asyncio
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import copy_context
from dataclasses import asdict
from pathlib import Path
from typing import Any

from langchain_core.runnables import RunnableLambda
from langgraph.config import get_config, get_stream_writer
from langgraph.types import StreamWriter

from pelnas.errors import InputError
from pelnas.graph.serve.leases import Leases
from pelnas.graph.serve.policy import Policy
from pelnas.graph.session.open_runs import Change, Node, Sessions
from pelnas.graph.session.session import Session
from pelnas.graph.session.tracer import SearchStopped
from pelnas.store import Event, RunStore
from pelnas.tools.runs import run_below
from pelnas.traces.spans import RUN

IDLE = 10.0  # seconds after which a served run that nobody works on is let go
SERVED = "served"  # the kind of the event that says for which thread a run was made


class ServedSessions(Sessions):
    """The same for clients, who choose what the terms of the server allow.

    A run belongs to the thread that it was made for, whatever the state of another one says. It
    is open while a node works on it, and let go when its search is cancelled or fails.
    """

    def __init__(self, root: Path, policy: Policy, idle: float = IDLE) -> None:
        super().__init__(root)
        self._policy = policy
        self._leases = Leases(self._let_go, idle)
        self._made_for: dict[str, str] = {}
        self._streams: dict[str, list[StreamWriter]] = {}  # of the nodes that work on a run

    def create(self, settings: Mapping[str, Any]) -> Session:
        """A new run. InputError: what a client may not choose, or what no search takes."""
        session = self._begun(self._policy.settings(settings, self._root))
        session.store.event(SERVED, span=RUN, thread=_thread())
        self._stream(session)
        return session

    def get(self, name: str) -> Session:
        """The run of this name. ValueError: it belongs to another thread; else as its base."""
        self._belongs(name, _thread())
        session = super().get(name)
        self._leases.touch(name)
        if self._leases.ending(name):  # cancelled before it was open
            session.abandon()
        return session

    def node(self, name: str, node: Node) -> Any:
        """The node as a worker of its run, which can be cancelled.

        ValueError: LangGraph's server passes on the message of built-in errors only.
        """

        def work(state: Any) -> Change:
            return self._worked(node, state, threading.Event())

        async def awork(state: Any) -> Change:
            cancelled = threading.Event()
            work = asyncio.get_running_loop().run_in_executor(
                None, copy_context().run, self._worked, node, state, cancelled
            )
            try:
                return await asyncio.shield(work)
            except asyncio.CancelledError:  # of who waits: the thread itself works on
                cancelled.set()
                work.add_done_callback(lambda done: done.cancelled() or done.exception())
                self._stop(_named(state))
                raise

        return RunnableLambda(work, awork, name=name)

    def _worked(self, node: Node, state: Any, cancelled: threading.Event) -> Change:
        """What a node makes of a state, while its run is held open for it."""
        try:
            if cancelled.is_set():  # before this thread came to it
                raise SearchStopped("the search was cancelled: it goes on where it was")
            run = _named(state)
            if not run:
                return self._prepared(node, state, cancelled)
            self._belongs(run, _thread())
            self._leases.enter(run)
            try:
                if cancelled.is_set():  # while it waited for earlier workers
                    raise SearchStopped("the search was cancelled: it goes on where it was")
                with self._streaming(run):
                    return node(state)
            except BaseException:
                self._stop(run)
                raise
            finally:
                self._leases.leave(run)
        except InputError as error:
            raise ValueError(str(error)) from error

    def _prepared(self, node: Node, state: Any, cancelled: threading.Event) -> Change:
        """What the first node makes of the settings of a new run, which becomes the thread's."""
        changes = node(state)
        run = str(changes["run"])
        self._leases.enter(run)
        try:
            if cancelled.is_set():
                self._stop(run)
        finally:
            self._leases.leave(run)
        return changes

    def _belongs(self, run: str, thread: str) -> None:
        """ValueError: a run is not for this thread to go on with; the server answers with 4xx then."""
        if run not in self._made_for:
            told = self._threads_of(run)
            self._made_for[run] = told[0] if told else ""
        if self._made_for[run] != thread:
            raise ValueError(
                f"run {run[:80]} was not made for this thread: post settings to begin one of its own"
            )

    def _threads_of(self, run: str) -> list[str]:
        try:
            with RunStore.read(run_below(self._root, run)) as store:
                told = store.events_of(RUN)
        except InputError as error:
            raise ValueError(str(error)) from error
        return [str(e.data.get("thread")) for e in told if e.kind == SERVED]

    def _stop(self, run: str) -> None:
        """Ask the workers of a run to end, and let it go after the last of them."""
        self._leases.end(run)
        session = self._open.get(run)  # not under the lock: it may be held for a run that opens
        if session is not None:
            session.abandon()

    def _stream(self, session: Session) -> None:
        """Have every event of a run told to its clients, who stream ``custom``, once."""
        run = session.store.name

        def tell(event: Event) -> None:
            for write in self._streams.get(run, [])[-1:]:  # all are of one thread: any will do
                with suppress(
                    RuntimeError
                ):  # the client's stream has ended: no matter for a search
                    write(asdict(event) | {"data": dict(event.data)})

        session.store.subscribe(tell)

    @contextmanager
    def _streaming(self, run: str) -> Iterator[None]:
        streams = self._streams.setdefault(run, [])
        writer = get_stream_writer()
        streams.append(writer)
        try:
            yield
        finally:
            streams.remove(writer)

    def _let_go(self, run: str) -> None:
        """Close it; where it has not finished, its search was cancelled, between two nodes maybe."""
        with self._lock:
            session = self._open.get(run)
        if session is not None and session.store.status != "finished":
            session.tracer.event("run-stopped")
        self.close(run)

    def _reopened(self, folder: Path) -> Session:
        with RunStore.read(folder) as store:
            self._policy.admit(store.config)
        session = super()._reopened(folder)
        self._stream(session)
        return session


def _named(state: Any) -> str:
    return str(state.get("run") or "")


def _thread() -> str:
    """The thread in which a graph runs here; '' for a graph in this process that has none."""
    try:
        return str(get_config().get("configurable", {}).get("thread_id") or "")
    except RuntimeError:  # outside of any graph
        return ""
