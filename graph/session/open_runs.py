"""The open runs that a graph serves."""

import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from pelnas.config import SearchConfig, load_config
from pelnas.graph.session.session import Session
from pelnas.tools.runs import run_below

Change = dict[str, Any]
Node = Callable[[Any], Change]


class Sessions:
    """The open runs below one folder, by name; a run is opened when a node first asks for it."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._open: dict[str, Session] = {}
        self._lock = threading.Lock()

    def create(self, settings: Mapping[str, Any]) -> Session:
        """A new run below this folder, whatever output the settings name. InputError: none can be."""
        return self._begun(load_config(None, settings))

    def adopt(self, session: Session) -> Session:
        """Serve a session that is open already."""
        with self._lock:
            self._open[session.store.folder.name] = session
        return session

    def get(self, name: str) -> Session:
        """The run of this name. InputError: no such run below the folder, or it cannot go on."""
        with self._lock:
            if name not in self._open:
                self._open[name] = self._reopened(run_below(self._root, name))
            return self._open[name]

    def is_open(self, name: str) -> bool:
        """Whether a run is open here now."""
        with self._lock:
            return name in self._open

    def close(self, name: str) -> None:
        """Close a run that has ended; unknown names are ignored."""
        with self._lock:
            session = self._open.pop(name, None)
        if session is not None:
            session.close()

    def node(self, name: str, node: Node) -> Any:
        """A node as the graph runs it over these runs.

        LangGraph reads the bytecode of a plain function for graphs inside it, in each search
        anew; there are none, and through a partial one it does not look.
        """
        return partial(node)

    def _begun(self, config: SearchConfig) -> Session:
        session = Session.create(config.model_copy(update={"output": self._root}))
        session.tracer.run_begins()
        return self.adopt(session)

    def _reopened(self, folder: Path) -> Session:
        session = Session.open(folder)
        session.tracer.run_begins()
        return session
