"""Models side by side: the same searches under the same budget, judged on one scale.

Where a folder of tables holds test accuracies, fronts are judged by those, and the
hypervolume is a share of that of the true front. Elsewhere they are judged by their
own scores and costs, normalised by the ranges over all runs. Higher is better.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from pelnas.agents.team import connect_all
from pelnas.config import ROLES, SearchConfig
from pelnas.consent import Consent, named
from pelnas.devices import DEVICES
from pelnas.errors import ConfigError, DeviceError, StoreError
from pelnas.graph.runs.search import Result, Search
from pelnas.objectives import Objectives
from pelnas.pareto import Box, Floats, hypervolume, minimised
from pelnas.pool import Pool, Work
from pelnas.pool.base import Array
from pelnas.report.agent_stats import AgentStats, agent_stats
from pelnas.report.front import front_points
from pelnas.store import RunStore
from pelnas.tables import cost_columns, true_accuracy

BASELINES = ("builtin:evolver", "builtin:random")
CHECKPOINTS = 60  # points of a curve
COUNTED = (
    "front", "evaluations", "calls", "failed_calls", "dollars", "seconds", "invalid", "duplicate",
    "out_of_niche", "filled", "rules",
)  # fmt: skip
Place = tuple[float, ...]  # the costs of the objectives, then the score


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
    """The search of ``config`` with each model in every role, and with each baseline.

    Those of one seed begin with the same networks, which count.
    """
    names = list(dict.fromkeys((*models, *BASELINES)))
    alone: dict[str, Any] = {f"{role}_model": None for role in ROLES}
    shared = {**alone, "first_round": "drawn"}
    return [config.model_copy(update={**shared, "model": name}) for name in names]


def compare(
    config: SearchConfig,
    models: Sequence[str],
    seeds: Sequence[int],
    run: Callable[[Search], Result] = Search.run,
) -> Iterator[Trial]:
    """Run the search of ``config`` with each model in every role, for each seed, and the baselines.

    ``run``: takes a search to its end. ModelError: one of the models cannot be used; reported
    before the first search begins.
    """
    configs = searches(config, models)
    with ExitStack() as stack:
        for one in configs:
            for model in connect_all(one, consent=Consent(named(one))).values():
                stack.callback(model.close)
        for one in configs:
            for seed in seeds:
                yield _trial(one.model_copy(update={"seed": seed}), run)


def compare_apart(
    config: SearchConfig,
    models: Sequence[str],
    seeds: Sequence[int],
    pool: Pool,
    stop: Callable[[], bool],
) -> Iterator[Trial]:
    """The same searches by the workers of a pool, each as it ends, one a core.

    Every worker writes into ``config.output``, which has to be at the same place for all of them, as
    have the files that the settings name. A search whose worker is lost begins again, as
    another run. Stopped: ``stop`` said so; runs that have ended stay. Errors: as of ``compare``.
    """
    configs = searches(config, models)
    for one in configs:
        for model in connect_all(one, consent=Consent(named(one))).values():
            model.close()
    tasks = [[one.model, seed] for one in configs for seed in seeds]
    # JSON leaves out an address that may hold a key, which a search needs to reach its model.
    own = config.here().model_dump(mode="json") | {"base_url": config.base_url}
    own["output"] = str(config.output.absolute())
    work = Work("pelnas.bench.compare:searching", {"config": own, "models": list(models)})
    with closing(pool.workers(work, 0)) as workers:
        for ended in workers.done(tasks, stop):
            yield _of_answer(ended.value(), config.output)


def searching(settings: Mapping[str, Any], _: Mapping[str, Array]) -> Callable[[list[Any]], Any]:
    """What a worker does: a task is a model and a seed, its answer a finished run."""
    config = SearchConfig.model_validate(settings["config"])
    if not config.scoring.workers:  # searches run side by side: each scores in its own process
        scoring = config.scoring.model_copy(update={"workers": 1})
        config = config.model_copy(update={"scoring": scoring})
    by_model = {one.model: one for one in searches(config, settings["models"])}

    def search(task: list[Any]) -> dict[str, Any]:
        model, seed = task
        return asdict(_trial(by_model[model].model_copy(update={"seed": seed}), Search.run))

    return search


def _of_answer(answer: dict[str, Any], runs: Path) -> Trial:
    """A finished run of a worker. StoreError: it is not among the runs here."""
    if not (runs / answer["run"]).is_dir():
        raise StoreError(
            f"expected run {answer['run']} in {runs}, found that a worker wrote it elsewhere: give"
            " all workers the folder of runs at the same place (--output), such as a shared disk"
        )
    moments = tuple(
        Moment(**{**moment, "place": tuple(moment["place"])}) for moment in answer["moments"]
    )
    return Trial(**{**answer, "moments": moments})


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
    objectives = Objectives.of(store.config.objectives)
    places = {
        e.id: (*(cost.of(e) for cost in objectives.costs), e.score)
        for e in store.evaluations()
        if e.cost.feasible
    }
    architectures = {c.id: c.architecture for c in store.candidates()}
    calls, dollars = 0, 0.0
    for event in store.events():
        if event.kind == "call":
            calls += 1
            dollars += event.data["dollars"] or 0.0
        elif event.kind == "evaluated" and event.data["candidate"] in places:
            candidate = event.data["candidate"]
            seconds = event.time - store.started
            yield Moment(architectures[candidate], places[candidate], calls, dollars, seconds)


@dataclass(frozen=True)
class Scale:
    """What all runs are judged by. ``whole``: the hypervolume that counts as 1.

    ``truth``: costs and test accuracy by architecture; empty: each run's own values.
    """

    box: Box
    whole: float
    truth: Mapping[str, Place]

    @classmethod
    def of_truth(cls, truth: Mapping[str, Place]) -> "Scale":
        """Judged by benchmark tables."""
        points = _points(truth.values())
        box = points.min(axis=0), points.max(axis=0)
        return cls(box, hypervolume(points, box), truth)

    @classmethod
    def of_trials(cls, trials: Sequence[Trial]) -> "Scale":
        """Judged by the ranges over all runs. ConfigError: nothing was evaluated at all."""
        places = [moment.place for trial in trials for moment in trial.moments]
        if not places:
            raise ConfigError("no run evaluated anything to be compared by: give a larger budget")
        points = _points(places)
        return cls((points.min(axis=0), points.max(axis=0)), 1.0, {})

    def volume(self, moments: Sequence[Moment]) -> float:
        """The normalised hypervolume of what was found in these moments."""
        places = [self.truth.get(moment.architecture, moment.place) for moment in moments]
        return hypervolume(_points(places), self.box) / self.whole

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
    in_tables = {"latency", "energy"}.issuperset(config.objectives)
    if config.data is None or not config.dataset or config.device in DEVICES or not in_tables:
        return Scale.of_trials(trials)
    return Scale.of_truth(_true_places(config.data, config))


def _true_places(data: Path, config: SearchConfig) -> dict[str, Place]:
    """Of what the device can run. DataError, DatasetError, DeviceError: what the folder lacks."""
    accuracy = true_accuracy(data, config.dataset)
    columns = cost_columns(data, config.dataset, config.device)
    costs = [columns[name].read() for name in config.objectives if name in columns]
    if len(costs) < len(config.objectives):
        raise DeviceError(
            f"expected tables of {' and '.join(config.objectives)} for {config.device}, found"
            f" {' and '.join(columns)}: name other objectives"
        )
    places = {
        text: (*(cost.get(text, -1.0) for cost in costs), accuracy[text]) for text in accuracy
    }
    return {text: place for text, place in places.items() if min(place) >= 0}


def _points(places: Collection[Place]) -> Floats:
    return minimised(*np.array(list(places)).T)


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
