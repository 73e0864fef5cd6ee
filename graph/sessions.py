"""The open runs that a graph serves."""

import threading
from pathlib import Path

from pelnas.config import SearchConfig
from pelnas.errors import RunError
from pelnas.graph.session import Session


class Sessions:
    """The open runs below one folder, by name; a run is opened when a node first asks for it."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._open: dict[str, Session] = {}
        self._lock = threading.Lock()

    def create(self, config: SearchConfig) -> Session:
        """A new run below this folder, whatever output the configuration names."""
        session = Session.create(config.model_copy(update={"output": self._root}))
        session.teller.run_begins()
        return self.adopt(session)

    def adopt(self, session: Session) -> Session:
        """Serve a session that is open already."""
        with self._lock:
            self._open[session.store.folder.name] = session
        return session

    def get(self, name: str) -> Session:
        """The run of this name. RunError: no such run below the folder."""
        with self._lock:
            if name not in self._open:
                if Path(name).name != name:
                    raise RunError(f"expected the name of a run, found {name[:80]!r}: give a name")
                self._open[name] = Session.open(self._root / name)
                self._open[name].teller.run_begins()
            return self._open[name]

    def close(self, name: str) -> None:
        """Close a run that has ended; unknown names are ignored."""
        with self._lock:
            session = self._open.pop(name, None)
        if session is not None:
            session.close()
