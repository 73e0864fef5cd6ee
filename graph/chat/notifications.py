"""What happens to a run between questions: reported once, at the prompt."""

from pelnas.store import Event, RunStore
from pelnas.store.folder import in_use

BEGINS = ("run-started", "run-resumed")
ENDS = ("run-finished", "run-stopped")
LOOKS = 4  # looks at the events for each at whether a process still works on the run


class Watch:
    """The search of one run, from now on."""

    def __init__(self, store: RunStore) -> None:
        """``store``: read only, and closed with the watch."""
        self._store = store
        self._alive = in_use(store.folder)
        self._seen = store.newest_event()
        self._ended = False
        self._looks = 0

    def look(self) -> tuple[list[str], set[str]]:
        """A sentence for each thing that happened since the last look; directives decided on."""
        # Asked first, so that the end which a process reports before it lets go is read below.
        died = self._has_let_go()
        events = self._store.events(after=self._seen)
        told = list(dict.fromkeys(filter(None, map(self._say, events))))
        if events:
            self._seen = events[-1].seq
        if died and not self._ended:
            told.append(
                f"nobody works on {self._store.name} any more: pelnas resume goes on with it"
            )
        return told, {str(event.data["directive"]) for event in events if event.kind == "directive"}

    def close(self) -> None:
        """Let the run go."""
        self._store.close()

    def _has_let_go(self) -> bool:
        """Whether a process worked on it at an earlier look, and none does now."""
        self._looks += 1
        if self._looks % LOOKS:
            return False
        before, self._alive = self._alive, in_use(self._store.folder)
        return before and not self._alive

    def _say(self, event: Event) -> str:
        name, data = self._store.name, event.data
        if event.kind in (*BEGINS, *ENDS):
            self._ended = event.kind in ENDS
        match event.kind:
            case "run-started" | "run-resumed":
                return f"a process works on {name} now"
            case "paused":
                return f"the search of {name} is paused by {data['directive']} ({data['author']})"
            case "unpaused":
                return f"the search of {name} goes on"
            case "run-finished":
                return f"the search of {name} has ended: {data['reason']}"
            case "run-stopped":
                return f"the search of {name} was stopped: pelnas resume goes on with it"
            case "error":
                return f"the search of {name} met an error: {data['problem']}"
        return ""
