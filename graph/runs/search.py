"""A search as one object: start, stop and resume it from Python or the command line."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from langchain_core.runnables import RunnableConfig

from pelnas.agents.models.base import LanguageModel
from pelnas.config import Budget, SearchConfig
from pelnas.directives import Directive
from pelnas.errors import Stopped
from pelnas.graph.search.graph import build_graph
from pelnas.graph.session.open_runs import Sessions
from pelnas.graph.session.session import Session
from pelnas.inputs import bounds
from pelnas.processes import one_core
from pelnas.recording import Recording
from pelnas.report import FrontPoint, front_points
from pelnas.store import Event, RunStore

AT_ONCE = 64  # niches whose agents may work side by side: as many as there can be
STEPS_A_ROUND = 5  # supersteps of the graph: plan, design, evaluate, reflect, learn


@dataclass(frozen=True)
class Result:
    """How a search ended. ``front``: the answer, by latency. ``stopped``: it can be resumed."""

    folder: Path
    reason: str
    stopped: bool
    front: tuple[FrontPoint, ...]


class Search:
    """One search over one run's folder.

    ``Search(config).run()`` blocks until the search ends; ``stop`` from another
    thread or a signal handler ends it at the next piece of work, and
    ``Search.resume(folder).run()`` goes on where it was, also after a kill.
    """

    def __init__(
        self,
        config: SearchConfig,
        models: Mapping[str, LanguageModel] | None = None,
        recording: Recording | None = None,
    ) -> None:
        """``models``: language models of the caller's own, by the names that roles use.

        ``recording``: takes every score and cost from an earlier run (``pelnas.graph.runs.replay``).
        InputError: something the configuration names cannot be used; no folder is made then.
        """
        self._begin(Session.create(config, models, recording))

    def _begin(self, session: Session) -> None:
        self.session = session
        self.folder = session.store.folder

    @classmethod
    def of(cls, session: Session) -> Self:
        """The search over a session that is open."""
        search = cls.__new__(cls)
        search._begin(session)
        return search

    @classmethod
    def resume(
        cls,
        folder: Path,
        models: Mapping[str, LanguageModel] | None = None,
        *,
        rounds: int | None = None,
        budget: Budget | None = None,
        accept_address: bool = False,
        pool: str | None = None,
    ) -> Self:
        """The search of a run that was stopped or killed, or that its limits ended.

        ``rounds`` and the limits that ``budget`` names hold from now on, counted over the
        whole run, and are kept with it. RunError: in use, no run, or finished and these
        limits leave nothing to do.

        ``accept_address``: let models reach what the run names and nobody named on this machine
        (``pelnas.consent``). AddressError: it is not given, and there is such a place.

        ``pool``: where it scores from now until it stops, in place of the setting ``scoring.pool``.
        """
        session = Session.open(
            folder,
            models,
            rounds=rounds,
            budget=budget,
            accept_address=accept_address,
            pool=pool,
        )
        return cls.of(session)

    def schedule(self, directives: Sequence[Directive]) -> None:
        """Repeat the directives of an earlier run, each at the boundary where it took effect there.

        Ids stay the same; what was still pending is left out, and pauses are not waited for.
        To be called before ``run``, on a run to which nobody has given a directive.
        """
        store = self.session.store
        for directive in directives:
            order, effect = directive.order, directive.effect
            if effect is None:
                continue
            copy = store.append_directive(
                order,
                directive.author,
                directive.words,
                after=directive.number - 1,
                scheduled=effect,
            )
            if copy is not None and directive.status == "refused":
                store.mark_directive(copy, "refused", effect, directive.reason)

    def stop(self) -> None:
        """Ask for a clean stop; ``run`` then returns with ``stopped``."""
        self.session.stop()
        self.session.team.stop()

    def run(self, on_event: Callable[[Event], None] | None = None) -> Result:
        """Search until rounds or budget end, or until stopped; can be called once.

        ``on_event`` gets every event of the run as it happens, in the thread
        that caused it.
        """
        if on_event is not None:
            self.session.store.subscribe(on_event)
        sessions = Sessions(self.folder.parent)
        sessions.adopt(self.session)
        try:
            self._invoke(sessions)
        except Stopped:
            self.session.event("run-stopped")
            return self._result(stopped=True)
        finally:
            sessions.close(self.folder.name)
        return self._result(stopped=False)

    def _invoke(self, sessions: Sessions) -> None:
        """Without a checkpointer: where the run is follows from its store."""
        config: RunnableConfig = {
            "max_concurrency": AT_ONCE,  # else as few as there are processors, which all only wait
            "recursion_limit": 10
            + STEPS_A_ROUND * max(self.session.config.rounds, int(bounds.ROUNDS.high)),
        }
        self.session.tracer.run_begins()
        with one_core():
            build_graph(sessions).invoke({"run": self.folder.name}, config)

    def _result(self, *, stopped: bool) -> Result:
        with RunStore.read(self.folder) as store:
            return Result(self.folder, store.reason, stopped, tuple(front_points(store)))
