"""Everything a search works with, built from its configuration: the context of the nodes."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Self

from pelnas.agents.models.base import LanguageModel
from pelnas.agents.team import Team, assemble, check_turns, connect_all
from pelnas.architecture import Architecture, Cost
from pelnas.archive import Archive
from pelnas.calls.call import CallRecord
from pelnas.config import ROLES, Budget, SearchConfig, with_settings
from pelnas.consent import Consent, clusters, named, reached
from pelnas.devices import measured
from pelnas.directives import Boundary, Directives
from pelnas.directives.gate import Gate
from pelnas.errors import BudgetExhausted, PelnasError
from pelnas.graph.session.directive_queue import DirectiveQueue
from pelnas.graph.session.evaluated import Evaluated
from pelnas.graph.session.extend import Extension
from pelnas.graph.session.initialise import asked_limits, began_with, carried_rules, furnish
from pelnas.graph.session.knowledge import Retrieved, contribute, prior_of, retrieve
from pelnas.graph.session.position import Position, position
from pelnas.graph.session.prices import at_kept_prices
from pelnas.graph.session.problem import SearchProblem, ground, resolved
from pelnas.graph.session.replay_meter import meter_of
from pelnas.graph.session.tracer import SearchStopped, Tracer
from pelnas.graph.session.trained_accuracies import with_kept_labels
from pelnas.objectives import Objectives
from pelnas.partition import ENUMERABLE
from pelnas.recording import CUT, Recording
from pelnas.rules.evidence import Evidence
from pelnas.rules.knowledge_base import KnowledgeBase
from pelnas.rules.rule import Rule, Scope
from pelnas.rules.verdicts import measure_all
from pelnas.store import RunStore
from pelnas.surrogate import Surrogate
from pelnas.traces.spans import RUN

MEASURED_A_DESIGN = 8  # architectures that may be measured for one design under a limit of cost


class Session:
    """One open run: its store, knowledge, budget and agents. Safe to use from several threads."""

    def __init__(
        self,
        store: RunStore,
        problem: SearchProblem,
        models: dict[str, LanguageModel],
        recording: Recording | None = None,
        consent: Consent | None = None,
    ) -> None:
        """``consent``: to what models reach that are connected later on."""
        self.store = store
        self.consent = consent or Consent()
        self.config = store.config
        self.problem = problem
        self.tracer = Tracer(store)
        self.meter = meter_of(store, recording)
        self._recording = recording
        self._models = at_kept_prices(store, self.config, models)
        self.team: Team = assemble(self.config, self._models, self, self.meter)
        # Parts that a benchmark replaces, as it does agents of the team.
        self.measure_rules: Callable[[Sequence[Rule], Evidence], list[Rule]] = measure_all
        self.contribute: Callable[[RunStore], str] = contribute
        self.prior = prior_of(store, problem)
        self.write_report: Callable[[RunStore], None] | None = None  # None: all files
        self.ending = ""  # why the search is about to end: the report follows
        self._stop = threading.Event()
        self._done_once = set[str]()
        self._once = threading.Lock()
        self._measuring = threading.Lock()
        self._evaluated = self._held()
        self._allowed: tuple[Directives, dict[int, frozenset[str]]] = (Directives(), {})
        self._ground = ground(problem.partition, problem.evaluator.device, self.config)
        self.queue = DirectiveQueue(store, self._ground, self, self._stop)
        self.queue.restore()
        # At the end: where something above is refused, nobody would close it.
        self.knowledge = KnowledgeBase.anew(store.folder / "knowledge")
        self.knowledge.restore(store.rules())

    @classmethod
    def create(
        cls,
        config: SearchConfig,
        models: Mapping[str, LanguageModel] | None = None,
        recording: Recording | None = None,
    ) -> Self:
        """A new run. InputError: something the configuration names cannot be used; no run is made.

        ``recording``: of an earlier run, which then stands for devices, predictors
        and the rules it began with.
        """
        config = resolved(config)
        check_turns(config)
        consent = Consent() if recording is not None else Consent(named(config))
        problem = (
            SearchProblem.build(config)
            if recording is None
            else SearchProblem.recorded(config, recording)
        )
        connected = connect_all(config, models, consent)
        limits = asked_limits(config, problem)
        if recording is None:
            carried, retrieved = carried_rules(config, problem), retrieve(config, problem)
        else:
            carried, retrieved = began_with(recording), Retrieved.again(recording.store)
        store = RunStore.create(config)
        try:
            furnish(store, problem, carried, limits, retrieved)
            return cls(store, problem, connected, recording, consent)
        except PelnasError:
            store.close()
            raise

    @classmethod
    def open(
        cls,
        folder: Path,
        models: Mapping[str, LanguageModel] | None = None,
        *,
        rounds: int | None = None,
        budget: Budget | None = None,
        accept_address: bool = False,
        pool: str | None = None,
    ) -> Self:
        """An existing run, to go on with; ``rounds`` and what ``budget`` limits hold from now on.

        ``pool``: where it scores this time, in place of ``scoring.pool``.

        RunError: in use, no run, or finished and these limits leave nothing to do.
        AddressError: it names a place that nobody named on this machine, without ``accept_address``.
        """
        own = {} if pool is None else {"scoring.pool": pool}
        consent = Consent(clusters(with_settings(SearchConfig(), own)), accept=accept_address)
        store = RunStore.open(folder)
        try:
            extension = Extension.of(store, rounds, budget or Budget())
            for config in (store.config, extension.config):  # before anything is reached
                consent.check(reached(config, _models(config, models or {})))
            place = with_settings(store.config, own) if own else store.config
            consent.check(clusters(place))
            problem = SearchProblem.build(with_kept_labels(place, folder))
            if not store.niches():  # killed while it was made
                limits = asked_limits(store.config, problem)
                carried = carried_rules(store.config, problem)
                furnish(store, problem, carried, limits, retrieve(store.config, problem))
            connected = connect_all(store.config, models, consent)
            session = cls(store, problem, connected, consent=consent)
            session._extend(extension)
            return session
        except PelnasError:
            store.close()
            raise

    def _extend(self, extension: Extension) -> None:
        """Keep larger limits with the run. ModelError: one cannot be kept, and nothing is changed."""
        try:
            limits = {"budget": extension.config.budget}
            connect_all(self.config.model_copy(update=limits), self._models)
        except PelnasError:
            self.close()
            raise
        extension.give(self.store)

    # -- what nodes ask -------------------------------------------------------

    def position(self) -> Position:
        """The step that comes next, by the run's own records."""
        return position(self.store, self._opens if self.config.overlap else None)

    def _opens(self, round_: int) -> bool:
        """Whether a round begins before the one before it is evaluated: nothing ends the search there.

        In a replay as in the run that it repeats, whose limits may have been other ones by then.
        """
        if self._recording is not None:
            return self._recording.opened_ahead(round_)
        if round_ >= self.config.rounds or self.directives.stop is not None:
            return False
        return not self.meter.exhausted() and self.allowance(round_, 1) > 0

    def newest(self, round_: int) -> int:
        """The last round whose evaluations agents of this one see."""
        is_ahead = self.config.overlap and self.position().ahead
        return round_ - 1 - is_ahead

    def allowance(self, round_: int, wanted: int) -> int:
        """How many of the designs wanted of a round may still be scored, beside those that wait for it."""
        *_, waiting = self.store.progress(round_ - 1)
        return max(0, self.meter.allow_evaluations(wanted + waiting) - waiting)

    def archive(self, before: int | None = None) -> Archive:
        """All evaluations so far; those that break a directive in force are excluded from the front.

        ``before``: of rounds before this one alone, see ``Evaluated.archive``.
        """
        return self._evaluated.archive(self.directives, before)

    def let_go(self) -> None:
        """Give back the memory of what designers asked; who asks again has it made again."""
        self._evaluated = self._held()

    def _held(self) -> Evaluated:
        objectives = Objectives.of(self.config.objectives)
        return Evaluated(self.store, self.problem.partition, objectives)

    def evidence(self) -> Evidence:
        """Every feasible evaluation as rules see it."""
        return self._evaluated.evidence()

    def surrogate(self, before: int) -> Surrogate | None:
        """What the evaluations before a round let expect of other networks; ``None``: not wanted."""
        wanted = self.config.surrogate
        if wanted == "large":  # or where a front is a surface, with more places to fill
            large = self.problem.space.size > ENUMERABLE or len(self.config.objectives) > 1
            wanted = "always" if large else "never"
        return self._evaluated.surrogate(before) if wanted == "always" else None

    def scope(self, niche: int | None) -> Scope:
        """Where a rule of this niche holds."""
        return Scope(self.config.space, self.config.device, self.problem.dataset, niche)

    # -- ledger of the dialogues ----------------------------------------------

    def recall(self, call_id: str, request: str) -> CallRecord | None:
        """The recorded answer of an interrupted execution of the same step."""
        return self.store.recall(call_id, request)

    def begin_call(self, call: CallRecord) -> None:
        """Notify subscribers that a request is under way."""
        self.tracer.call_begins(call)

    def record_call(self, call: CallRecord) -> None:
        """Store a call and notify subscribers, both or neither."""
        with self.store.together():
            self.store.record_call(call)
            self.tracer.call_ends(call)

    def event(self, kind: str, **data: Any) -> None:
        """Append to the run's event stream, at the place where this thread works."""
        self.tracer.event(kind, **data)

    # -- directives -----------------------------------------------------------

    @property
    def directives(self) -> Directives:
        """Those in force for the piece of work under way."""
        return self.queue.in_force

    def obey(self, directives: Directives) -> None:
        """Take over rounds, budgets and models. ModelError: one cannot be used; nothing changed."""
        config = directives.applied(self.store.config)
        changed = any(config.chain_of(role) != self.config.chain_of(role) for role in ROLES)
        changed = changed or config.designer_share != self.config.designer_share
        if changed or config.budget.dollars != self.config.budget.dollars:
            self._models = at_kept_prices(self.store, config, self._connected(config))
            self.team = assemble(config, self._models, self, self.meter)
        if config.rounds != self.config.rounds:
            self.store.event("rounds-changed", span=RUN, rounds=config.rounds)
        if config.budget != self.config.budget:
            self.store.event("budget-changed", span=RUN, **config.budget.model_dump())
        self.config = config
        self.meter.change(config.budget)

    def _connected(self, config: SearchConfig) -> dict[str, LanguageModel]:
        return connect_all(config, self._models, self.consent)

    def gate(self, niche: int, designs: int) -> Gate:
        """What the directives in force let into a niche for a step of so many designs."""
        # By its name: a replay, which looks every cost up, makes do with as many as its original.
        allowance = MEASURED_A_DESIGN * designs if measured(self.config) else None
        return Gate(self.directives, self.problem.partition, niche, self.cost, allowance)

    def allowed(self, niche: int) -> frozenset[str]:
        """The members of a niche that directives let in by operations, parameters and FLOPs.

        For spaces that can be listed. Costs do not count here, so that nothing is measured
        that nobody wants to design.
        """
        directives, known = self._allowed
        if directives is not self.directives:
            directives, known = self._allowed = (self.directives, {})
        if niche not in known:
            gate, space = self.gate(niche, 0), self.problem.space
            members = self.problem.partition.members[niche]
            known[niche] = frozenset(space.format(m) for m in members if gate.by_formula(m) is None)
        return known[niche]

    def costs(self, texts: Sequence[str]) -> Iterator[Cost]:
        """The cost of each in order; what was measured for a directive is not measured again.

        BudgetExhausted: in a replay, where time was up in the run that it repeats.
        """
        known = {text: self.store.measured(text) for text in texts}
        fresh = self.problem.evaluator.costs([text for text in texts if known[text] is None])
        for text in texts:
            if self._recording is not None and self._recording.cut_before(text):
                raise BudgetExhausted(CUT)
            yield known[text] or next(fresh)

    def cost(self, architecture: Architecture) -> Cost:
        """Measured once and kept; never two concurrently, so that nothing disturbs a measurement."""
        text = self.problem.space.format(architecture)
        with self._measuring:
            known = self.store.measured(text)
            if known is None:
                known = next(self.problem.evaluator.costs([text]))
                self.store.record_measured(text, known)
            return known

    def measuring(self) -> AbstractContextManager[Any]:
        """Held by whoever evaluates while others may: two at once would disturb each other."""
        return self._measuring

    def is_first(self, work: str) -> bool:
        """Whether a piece of work has not been asked about before in this process."""
        with self._once:
            is_new = work not in self._done_once
            self._done_once.add(work)
            return is_new

    # -- time -----------------------------------------------------------------

    def stop(self) -> None:
        """Ask for a clean stop: the next step that looks raises SearchStopped."""
        self._stop.set()

    def abandon(self) -> None:
        """Stop without waiting for what is being scored or asked; it is done again later."""
        self.stop()
        self.team.stop()
        self.problem.evaluator.close()

    def check_stop(self) -> None:
        """Honour ``stop`` within a piece of work. SearchStopped: somebody asked for it."""
        self._go_on()

    def step(self, round_: int, node: str) -> None:
        """Called by nodes between pieces of work: books the time spent, honours ``stop``.

        Directives that have arrived take effect here; while paused, it waits here.
        """
        self.meter.tick()
        self._go_on()
        self.queue.step(Boundary(round_, node))
        self._evaluated.tell(self.directives, evaluated=node == "learn")
        self._go_on()

    def forget_time(self) -> None:
        """The time since the last step was spent paused."""
        self.meter.forget()

    def _go_on(self) -> None:
        if self._stop.is_set():
            raise SearchStopped("the search was asked to stop: go on with 'pelnas resume'")

    def close(self) -> None:
        """Release everything; a second call does nothing."""
        self.problem.evaluator.close()
        self.team.close()
        self.knowledge.close()
        self.tracer.close()
        self.store.close()


def _models(config: SearchConfig, given: Mapping[str, LanguageModel]) -> list[str]:
    """The models of all roles that nobody has connected yet."""
    return [name for role in ROLES for name in config.chain_of(role) if name not in given]
