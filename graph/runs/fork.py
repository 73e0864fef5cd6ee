"""Forks: a new run that continues from a stored round of another one, under other settings.

Everything through that round is taken over: designs with their parents, calls, refusals, rules,
directives. Where an evaluation depends on a setting that differs (``Shared``), its half is left
behind and computed anew before the first round of the fork (``pelnas.graph.search.inherit``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pelnas.agents.models.base import LanguageModel
from pelnas.agents.team import check_turns, connect_all
from pelnas.config import SearchConfig, affecting, differences, with_settings
from pelnas.consent import Consent, clusters, named
from pelnas.devices import measured
from pelnas.directives import Directives
from pelnas.errors import ConfigError, PelnasError, RunError
from pelnas.graph.runs.search import Search
from pelnas.graph.search.inherit import take_back
from pelnas.graph.session.initialise import carried_rules, describe
from pelnas.graph.session.knowledge import CARRIED
from pelnas.graph.session.problem import SearchProblem, ground, niches_of, resolved
from pelnas.graph.session.session import Session
from pelnas.graph.session.trained_accuracies import carry_trainings, keep_labels, with_kept_labels
from pelnas.recording import Recording
from pelnas.store import Origin, RunStore
from pelnas.store.folder import DATABASE
from pelnas.traces.spans import RUN

KEPT = {"objectives": "the objectives", "limits": "the limits"}
NAME = "-fork"  # behind the name of the run, by whose end alone it is found as before


def fork(
    run: Path,
    round_: int | None = None,
    settings: Mapping[str, Any] | None = None,
    models: Mapping[str, LanguageModel] | None = None,
    *,
    accept_address: bool = False,
) -> Search:
    """A new run that goes on after a round of ``run``; its ``run()`` searches on.

    ``round_``: the last one taken over, counted from 0; ``None``: the last complete one.
    ``settings``: what differs, by dotted name (``pelnas.config.with_settings``). ``models``: as
    of ``Search``. ``accept_address``: as of ``Search.resume``. Settings that people changed by
    directives are settings of the fork, and all limits are for what it spends itself. The other
    run stays as it is; it may be under way.

    Made whole or not at all. RunError: no run, a damaged one, no such round, or nothing left to do.
    ConfigError and other InputErrors: settings that cannot be used, or that cut the space otherwise.
    """
    with RunStore.read(run) as source:
        source.check_records()
        at = _round(source, round_)
        config = _config(source, at, settings or {})
        if config.concurrency != source.config.concurrency:
            check_turns(config)
        consent = Consent(_given(settings or {}), accept=accept_address)
        consent.check(clusters(config))
        problem = SearchProblem.build(_labelled(source, config))
        _check_niches(source, problem)
        shared = Shared.of(source, config, problem)
        _check_left(source, config, at, shared)
        changed = differences(source.config, config)
        origin = Origin(source.name, at, changed, shared.scores, shared.costs)
        connected = connect_all(config, models, consent)
        rules = carried_rules(config, problem) if "rules_from" in changed else []

        def begin(store: RunStore) -> None:
            _take_over(store, source, origin, problem)
            carry_trainings(store, source)
            with store.together():
                known = {rule.id for rule in store.rules()}
                new = [rule for rule in rules if rule.id not in known]
                store.replace_rules(CARRIED, [*store.rules(through_round=CARRIED), *new])
                take_back(
                    store,
                    ground(problem.partition, problem.evaluator.device, config),
                    at,
                    same_unit=source.sources().unit == store.sources().unit,
                )

        store = RunStore.create(config, begin=begin)
        return Search.of(_opened(store, problem, connected, consent=consent))


def repeat(
    recording: Recording, config: SearchConfig, models: Mapping[str, LanguageModel]
) -> Search:
    """A recorded fork once more, from where it began: nothing is computed or measured."""
    source = recording.store
    origin = source.origin()
    assert origin is not None  # noqa: S101 - asked by whoever calls
    problem = SearchProblem.recorded(config, recording)
    whole = Origin(origin.run, origin.round, origin.settings, scores=True, costs=True)
    connected = connect_all(config, models)
    store = RunStore.create(config, begin=lambda store: _take_over(store, source, whole, problem))
    return Search.of(_opened(store, problem, connected, recording))


@dataclass(frozen=True)
class Shared:
    """Which halves of the evaluations hold in a fork, too."""

    scores: bool
    costs: bool

    @classmethod
    def of(cls, source: RunStore, config: SearchConfig, problem: SearchProblem) -> "Shared":
        """A half is shared where nothing that it depends on differs, nor where it comes from."""
        changed = set(differences(source.config, config))
        there, evaluator = source.sources(), problem.evaluator
        same_classes = there.classes == evaluator.shape.classes
        pinned = source.pinned_images()
        same_images = problem.images is None or (
            pinned is not None and pinned[1] == problem.images.digest
        )
        predictor = evaluator.predictor
        return cls(
            scores=same_classes
            and same_images
            and (there.unit, there.accuracy) == (predictor.unit, predictor.source)
            and changed.isdisjoint(_scored_by(config)),
            costs=same_classes
            and there.latency == evaluator.device.source
            and changed.isdisjoint(_measured_by(config)),
        )


def _scored_by(config: SearchConfig) -> Sequence[str]:
    """The settings that a score depends on."""
    if config.accuracy == "table":
        return "accuracy", *affecting("tables")
    return affecting("scores", "few-shot") if config.accuracy == "few-shot" else affecting("scores")


def _measured_by(config: SearchConfig) -> Sequence[str]:
    """The settings that a cost depends on."""
    return affecting("costs") if measured(config) else ("device", *affecting("tables"))


# -- what is asked for, checked ---------------------------------------------------


def _round(source: RunStore, wanted: int | None) -> int:
    done = source.complete_rounds()
    if not done:
        raise RunError(
            f"run {source.name} has no complete round yet: wait for its first, or resume it"
        )
    if wanted is None:
        return done[-1]
    if wanted not in done:
        raise RunError(
            f"there is no complete round {wanted} in run {source.name}: its rounds are"
            f" {done[0]} to {done[-1]}, counted from 0 as in `pelnas trace`"
        )
    return wanted


def _config(source: RunStore, at: int, settings: Mapping[str, Any]) -> SearchConfig:
    """The settings of the other run, as directives left them at that round, and then as asked for."""
    standing = Directives(source.directives(through_round=at))
    named = {
        "name": source.config.name.removesuffix(NAME) + NAME,
        "output": source.folder.parent,
    }
    config = resolved(with_settings(standing.applied(source.config), named | dict(settings)))
    changed = differences(source.config, config)
    for name in affecting("niches"):
        if name in changed:
            was, is_ = changed[name]
            raise ConfigError(
                f"a fork keeps {KEPT.get(name, 'the niches')} of its run, so setting {name!r} stays"
                f" {was!r}, found {is_!r}: leave it out, or start a new search with"
                f" --rules-from {source.name}"
            )
    return config


def _given(settings: Mapping[str, Any]) -> list[str]:
    """The places that the user of the fork names, whatever the other run does."""
    return named(with_settings(SearchConfig(), settings))


def _labelled(source: RunStore, config: SearchConfig) -> SearchConfig:
    """With the labels that the other run kept, unless others are asked for."""
    same = config.labels == source.config.labels
    return with_kept_labels(config, source.folder) if same else config


def _check_niches(source: RunStore, problem: SearchProblem) -> None:
    """By the predicates: equal labels may stand for other cuts."""
    there = niches_of(source.config, problem.space, source.sources().shape(source.config))
    if there != problem.partition.niches:
        raise ConfigError(
            f"a fork keeps the niches of its run, found {len(problem.partition.niches)} other ones under"
            " these settings (niches, seed and the classes of the images cut by FLOPs): leave these"
            f" settings as they are, or start a new search with --rules-from {source.name}"
        )


def _check_left(source: RunStore, config: SearchConfig, at: int, shared: Shared) -> None:
    if at + 1 >= config.rounds and shared.scores and shared.costs:
        raise RunError(
            f"run {source.name} has nothing left to do after round {at}, the last of its"
            f" {config.rounds}: fork an earlier one (--round), or give more in all, such as"
            f" --set rounds={2 * config.rounds}"
        )


# -- the new run --------------------------------------------------------------------


def _take_over(store: RunStore, source: RunStore, origin: Origin, problem: SearchProblem) -> None:
    """The rounds themselves, what the niches and sources are here, and where all of it comes from."""
    database = source.folder / DATABASE
    store.take_over(database, origin.round, scores=origin.scores, costs=origin.costs)
    keep_labels(store.folder, problem.labels)
    with store.together():
        describe(store, problem)
        store.set_origin(origin)
        store.event(
            "run-forked",
            span=RUN,
            **(asdict(origin) | {"round": None}),
            after=origin.round,
            spent=asdict(store.spent_before()),
            message=origin.in_words(),
        )


def _opened(
    store: RunStore,
    problem: SearchProblem,
    models: dict[str, LanguageModel],
    recording: Recording | None = None,
    consent: Consent | None = None,
) -> Session:
    try:
        return Session(store, problem, models, recording, consent)
    except PelnasError:
        store.close()
        raise
