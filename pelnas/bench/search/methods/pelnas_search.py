"""The search of this package, whole and with one part off.

It runs as anybody runs it, with the agents of the configured model and a run's folder that
stays; only the report of the run is left out. Its first round is its own: as many networks as
the first population of the baselines, spread over its niches.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pelnas.agents.models.base import LanguageModel
from pelnas.agents.planner import NichePlan, PlanAnswer, PlanBrief, Planner
from pelnas.agents.reflection import ReflectBrief, Reflection, Reflector
from pelnas.architecture import Design
from pelnas.bench.search.problem import Spent, Trial
from pelnas.bench.search.renamed import Names, Renamed
from pelnas.config import DEFAULT_MODEL, SearchConfig
from pelnas.consent import Consent, named
from pelnas.errors import ConfigError
from pelnas.knowledge.location import OFF
from pelnas.report.agent_stats import agent_stats
from pelnas.rules.evidence import Evidence
from pelnas.rules.rule import Rule
from pelnas.spaces import get_space
from pelnas.store import RunStore

if TYPE_CHECKING:
    from pelnas.graph.session.session import Session

SPARE = 2  # rounds for each that the budget needs, where niches run out of networks
SETTLED = 1.0  # the effect, Cliff's delta, of a rule whose author claims none


@dataclass(frozen=True)
class Variant:
    """``settings``: in place of the configured ones; ``change``: made to the session before it runs.

    ``models``: in place of those that the configuration names, by these names.
    """

    settings: Callable[[SearchConfig], Mapping[str, Any]] = field(default=lambda _: {})
    models: Callable[[SearchConfig], Mapping[str, LanguageModel]] = field(default=lambda _: {})
    counted: bool = False  # whether what its designers' model did is counted
    change: "Callable[[Session], None]" = field(default=lambda _: None)

    def __call__(self, trial: Trial) -> None:
        """Search, and evaluate for the trial what was evaluated, in the same order."""
        from pelnas.graph.runs.search import Search
        from pelnas.graph.session.problem import sources_of
        from pelnas.report import write_front

        config = self._configured(trial)
        search = Search(config, self.models(config))
        session = search.session
        session.problem.evaluator.predictor.close()
        session.problem.evaluator.predictor = trial.problem.guide
        session.store.set_sources(sources_of(session.problem))
        session.write_report = write_front
        self.change(session)
        trial.run = search.run().folder.name
        with RunStore.read(search.folder) as store:
            evaluations = store.evaluations()
            spent = _spent(store)
            counts = designer_counts(store) if self.counted else {}
        parse = trial.space.parse
        texts = [e.candidate.architecture for e in evaluations]
        trial.authors = [_author(e.candidate.design) for e in evaluations]
        trial.counts = counts
        trial.spent = [spent[e.id] for e in evaluations]
        trial.evaluate([parse(text) for text in texts])

    def _configured(self, trial: Trial) -> SearchConfig:
        config = trial.problem.config
        round_ = config.per_niche * len(trial.problem.partition.niches)
        limit = config.budget.model_copy(update={"evaluations": trial.budget})
        settings: dict[str, Any] = {
            "seed": trial.seed,
            "knowledge": OFF,  # searches that are compared learn nothing from each other
            "budget": limit,
            "rounds": SPARE * -(-trial.budget // round_),
        }
        return config.model_copy(update=settings | dict(self.settings(config)))


def _author(design: Design) -> str:
    return f"{design.author}, {design.method}"


def _spent(store: RunStore) -> dict[str, Spent]:
    """What had been spent when each candidate was evaluated, by its id."""
    calls, dollars, found = 0, 0.0, {}
    for event in store.events():
        if event.kind == "call":
            calls += 1
            dollars += event.data["dollars"] or 0.0
        elif event.kind == "evaluated":
            seconds = event.time - store.started
            found[event.data["candidate"]] = Spent(calls, dollars, seconds)
    return found


class EqualPlanner(Planner):
    """Equal shares for all niches."""

    name = "bench:equal-shares"

    def plan(self, brief: PlanBrief) -> PlanAnswer:
        return PlanAnswer(niches=[NichePlan(niche=s.index, designs=1) for s in brief.niches])


class NoReflector(Reflector):
    """Proposes no rules."""

    name = "bench:no-rules"

    def reflect(self, brief: ReflectBrief) -> Reflection:
        return Reflection(())


def believed(rules: Sequence[Rule], _: Evidence) -> list[Rule]:
    """Every rule in force with the effect that its author claims, whatever the evidence says."""
    return [
        replace(rule, status="in-force", measured=abs(rule.claimed) or SETTLED, error=0.0)
        for rule in rules
    ]


def _one_niche(config: SearchConfig) -> Mapping[str, Any]:
    """The same number of designs in a round, from one niche."""
    return {"partition": "flops", "niches": 1, "per_niche": config.per_niche * config.niches}


def _equal_shares(session: "Session") -> None:
    session.team = replace(session.team, planners=(EqualPlanner(),))


def _no_reflection(session: "Session") -> None:
    session.team = replace(session.team, reflectors=(NoReflector(),))


def _unverified(session: "Session") -> None:
    session.measure_rules = believed


#: What is off, by the name of the part.
PARTS: Mapping[str, Variant] = {
    "partition": Variant(settings=_one_niche),
    "knowledge": Variant(settings=lambda _: {"rules": 0}),
    "verification": Variant(change=_unverified),
    "allocation": Variant(change=_equal_shares),
    "surrogate": Variant(settings=lambda _: {"surrogate": "never"}),
    "reflection": Variant(change=_no_reflection),
}


def _of_elsewhere(config: SearchConfig) -> Mapping[str, Any]:
    """A base of what was learned at all other places; ``config.knowledge``: the folder of all bases."""
    return {"knowledge": str(Path(config.knowledge, base_name(config.dataset, config.device)))}


def base_name(dataset: str, device: str) -> str:
    """The folder of the base that the searches of a cell read: of all cells but it."""
    return f"without-{dataset}-{device}"


def _contributes_nothing(session: "Session") -> None:
    session.contribute = lambda _: ""


def _under_other_names(config: SearchConfig) -> Mapping[str, LanguageModel]:
    """The configured models, each asked by other names of operations and positions."""
    from pelnas.agents.team import connect_all

    connected = connect_all(config, consent=Consent(named(config)))
    if not connected:
        raise ConfigError(
            "expected a language model whose knowledge of tables is tested, found the built-in"
            " agents, which read no names: give --model"
        )
    names = Names.of(get_space(config.space), config.seed)
    return {name: Renamed(model, names) for name, model in connected.items()}


WHOLE = Variant()
RENAMED = Variant(models=_under_other_names)
INFORMED = Variant(settings=_of_elsewhere, change=_contributes_nothing)
SHARES = (0.3, 1.0)  # of the designs, in comparisons of models


def _designing(share: float) -> Variant:
    """The configured model as designer alone, from a first population that others share."""
    return Variant(
        settings=lambda config: {
            "model": DEFAULT_MODEL,
            "designer_model": config.model,
            "designer_share": share,
            "first_round": "drawn",
        },
        counted=True,
    )


#: The searches of a comparison of models, by share.
AT_SHARE: Mapping[float, Variant] = {share: _designing(share) for share in SHARES}


def designer_counts(store: RunStore) -> dict[str, float]:
    """What the designers' model of a run did and took.

    ``proposals``: designs; of these ``malformed``, ``out_of_niche`` and ``duplicate`` were refused and
    ``accepted`` are evaluated. ``calls``: with the probe; ``seconds``, ``tokens_in`` and
    ``tokens_out``: of all calls. ``tool_calls``: of designers. ``edits``: 1 where it was asked
    for changes of networks. ``first``: networks of the first round.
    """
    model = store.config.model_of("designer")
    calls = [call for call in store.calls() if call.model == model]
    stats = [s for s in agent_stats(store) if (s.agent, s.author) == ("designer", model)]
    kinds = ("proposals", "accepted", "malformed", "out_of_niche", "duplicate")
    tools = (e for e in store.events() if e.kind == "tool-begun" and ".design.n" in e.span)
    return {
        **{kind: float(sum(getattr(one, kind) for one in stats)) for kind in kinds},
        "calls": float(len(calls)),
        "failed": float(sum(call.outcome == "failed" for call in calls)),
        "tokens_in": float(sum(call.usage.tokens_in for call in calls)),
        "tokens_out": float(sum(call.usage.tokens_out for call in calls)),
        "seconds": sum(call.usage.seconds for call in calls),
        "tool_calls": float(sum(1 for _ in tools)),
        "edits": float(any(call.schema == "Edits" for call in calls)),
        "first": float(len(store.candidates(round_=0))),
    }
