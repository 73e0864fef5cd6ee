"""Models side by side: the same searches under the same budget, judged on one scale.

Where a folder of tables holds test accuracies, fronts are judged by those, and the
hypervolume is a share of that of the true front. Elsewhere they are judged by their
own scores and latencies, normalised by the ranges over all runs. Higher is better.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

import numpy as np

from pelnas.agents.team import connect_all
from pelnas.bench.search import Truth, need_latency_alone
from pelnas.config import ROLES, SearchConfig
from pelnas.consent import Consent, named
from pelnas.errors import ConfigError
from pelnas.graph.runs.search import Result, Search
from pelnas.pareto import Box, hypervolume, minimised
from pelnas.report.agent_stats import AgentStats, agent_stats
from pelnas.report.front import front_points
from pelnas.store import RunStore

BASELINES = ("builtin:evolver", "builtin:random")
CHECKPOINTS = 60  # points of a curve
COUNTED = (
    "front", "evaluations", "calls", "failed_calls", "dollars", "seconds", "invalid", "duplicate",
    "out_of_niche", "filled", "rules",
)  # fmt: skip
Place = tuple[float, float]  # latency in ms, score


@dataclass(frozen=True, slots=True)
class Moment:
    """What had been spent when a candidate was evaluated. ``seconds``: since the run began."""

    architecture: str
    place: Place
    calls: int
    dollars: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Trial:
    """One finished run of one model; rates are shares of its designs, ``None`` without any.

    ``invalid``: no networks of the space; ``filled``: designs that evolution made in the
    model's place. ``dollars``: ``None`` where the price of a call is unknown.
    """

    model: str
    seed: int
    run: str
    front: int
    evaluations: int
    calls: int
    failed_calls: int
    dollars: float | None
    seconds: float
    invalid: float | None
    duplicate: float | None
    out_of_niche: float | None
    filled: int
    rules: int
    moments: tuple[Moment, ...]


def searches(config: SearchConfig, models: Sequence[str]) -> list[SearchConfig]:
    """The search of ``config`` with each model in every role, and with each baseline."""
    names = list(dict.fromkeys((*models, *BASELINES)))
    alone: dict[str, Any] = {f"{role}_model": None for role in ROLES}
    return [config.model_copy(update={**alone, "model": name}) for name in names]


def compare(
    config: SearchConfig,
    models: Sequence[str],
    seeds: Sequence[int],
    run: Callable[[Search], Result] = Search.run,
) -> Iterator[Trial]:
    """Run the search of ``config`` with each model in every role, for each seed, and the baselines.

    ``run``: takes a search to its end. ModelError: one of the models cannot be used; reported
    before the first search begins. ConfigError: other objectives than latency.
    """
    need_latency_alone(config)
    configs = searches(config, models)
    with ExitStack() as stack:
        for one in configs:
            for model in connect_all(one, consent=Consent(named(one))).values():
                stack.callback(model.close)
        for one in configs:
            for seed in seeds:
                yield _trial(one.model_copy(update={"seed": seed}), run)


def _trial(config: SearchConfig, run: Callable[[Search], Result]) -> Trial:
    result = run(Search(config))
    with RunStore.read(result.folder) as store:
        spent, rates = store.spent(), agent_stats(store)
        return Trial(
            model=config.model,
            seed=config.seed,
            run=store.name,
            front=len(front_points(store)),
            evaluations=spent.evaluations,
            calls=spent.calls,
            failed_calls=sum(rate.failed for rate in rates),
            dollars=None if spent.unpriced else spent.dollars,
            seconds=spent.seconds,
            **_shares([r for r in rates if r.agent == "designer" and r.author == config.model]),
            filled=sum(rate.filled for rate in rates),
            rules=sum(rule.status == "in-force" for rule in store.rules()),
            moments=tuple(_moments(store)),
        )


def _shares(rates: Sequence[AgentStats]) -> dict[str, float | None]:
    """Refused designs over all that the model proposed."""
    proposed = sum(rate.proposals for rate in rates)
    refused = {
        "invalid": sum(rate.malformed for rate in rates),
        "duplicate": sum(rate.duplicate for rate in rates),
        "out_of_niche": sum(rate.out_of_niche for rate in rates),
    }
    return {kind: count / proposed if proposed else None for kind, count in refused.items()}


def _moments(store: RunStore) -> Iterator[Moment]:
    """Feasible evaluations in the order in which they happened."""
    known = {e.id: e for e in store.evaluations() if e.cost.feasible}
    calls, dollars = 0, 0.0
    for event in store.events():
        if event.kind == "call":
            calls += 1
            dollars += event.data["dollars"] or 0.0
        elif event.kind == "evaluated" and event.data["candidate"] in known:
            found = known[event.data["candidate"]]
            place = (found.latency_ms, found.score)
            seconds = event.time - store.started
            yield Moment(found.candidate.architecture, place, calls, dollars, seconds)


@dataclass(frozen=True)
class Scale:
    """What all runs are judged by. ``whole``: the hypervolume that counts as 1.

    ``truth``: latency and test accuracy by architecture; empty: each run's own values.
    """

    box: Box
    whole: float
    truth: Mapping[str, Place]

    @classmethod
    def of_truth(cls, truth: Truth) -> "Scale":
        """Judged by a benchmark table."""
        points = minimised(truth.latency, truth.accuracy)
        box = points.min(axis=0), points.max(axis=0)
        pairs = zip(truth.latency.tolist(), truth.accuracy.tolist(), strict=True)
        whole = hypervolume(points, box)
        return cls(box, whole, dict(zip(truth.texts, pairs, strict=True)))

    @classmethod
    def of_trials(cls, trials: Sequence[Trial]) -> "Scale":
        """Judged by the ranges over all runs. ConfigError: nothing was evaluated at all."""
        places = np.array([moment.place for trial in trials for moment in trial.moments])
        if not len(places):
            raise ConfigError("no run evaluated anything to be compared by: give a larger budget")
        points = minimised(*places.T)
        return cls((points.min(axis=0), points.max(axis=0)), 1.0, {})

    def volume(self, moments: Sequence[Moment]) -> float:
        """The normalised hypervolume of what was found in these moments."""
        places = [self.truth.get(moment.architecture, moment.place) for moment in moments]
        points = minimised([p[0] for p in places], [p[1] for p in places])
        return hypervolume(points, self.box) / self.whole

    def curve(self, trial: Trial) -> list[dict[str, float]]:
        """How the hypervolume grew over everything that was spent."""
        count = len(trial.moments)
        steps = np.unique(np.linspace(1, count, min(count, CHECKPOINTS)).astype(int))
        return [
            {
                "evaluations": int(step),
                "calls": trial.moments[step - 1].calls,
                "dollars": trial.moments[step - 1].dollars,
                "seconds": trial.moments[step - 1].seconds,
                "hypervolume": self.volume(trial.moments[:step]),
            }
            for step in steps
        ]


def scale_of(config: SearchConfig, trials: Sequence[Trial]) -> Scale:
    """The scale for the runs of a configuration: truth where its tables are there."""
    if config.data is None or not config.dataset or config.device == "host":
        return Scale.of_trials(trials)
    return Scale.of_truth(Truth.load(config.data, config.dataset, config.device))


def rows(trials: Sequence[Trial], scale: Scale) -> list[dict[str, Any]]:
    """One row for each model: means over its runs; the best mean hypervolume first."""
    names = dict.fromkeys(trial.model for trial in trials)
    found = [_row(name, [t for t in trials if t.model == name], scale) for name in names]
    return sorted(found, key=lambda row: -row["hypervolume"])


def _row(name: str, own: Sequence[Trial], scale: Scale) -> dict[str, Any]:
    volumes = [scale.volume(trial.moments) for trial in own]
    return {
        "model": name,
        "runs": len(own),
        "hypervolume": fmean(volumes),
        "lowest": min(volumes),
        **{field: _mean([getattr(trial, field) for trial in own]) for field in COUNTED},
    }


def _mean(values: Sequence[float | None]) -> float | None:
    """``None`` where one is unknown."""
    known = [value for value in values if value is not None]
    return fmean(known) if known and len(known) == len(values) else None


def to_dict(trial: Trial, scale: Scale) -> dict[str, Any]:
    """A run as plain values, with its curve in place of its moments."""
    plain = {key: value for key, value in asdict(trial).items() if key != "moments"}
    return plain | {"hypervolume": scale.volume(trial.moments), "curve": scale.curve(trial)}
