"""What a run stores before its first round: niches, sources, labels and inherited rules."""

from collections.abc import Sequence
from pathlib import Path

from pelnas.config import SearchConfig
from pelnas.directives import Directive, Order, check, parse
from pelnas.errors import ConfigError, DirectiveError
from pelnas.graph.session.knowledge import CARRIED, Retrieved
from pelnas.graph.session.problem import SearchProblem, ground, sources_of
from pelnas.graph.session.tracer import rule_changes
from pelnas.graph.session.trained_accuracies import keep_labels
from pelnas.recording import Recording
from pelnas.rules.rule import Rule, Scope, carry
from pelnas.store import RunStore, find_run
from pelnas.traces.spans import RUN

NOTHING = Retrieved()
PERSON = "person"  # the author of what people ask for


def asked_limits(config: SearchConfig, problem: SearchProblem) -> list[Order]:
    """The limits of a configuration as directives that hold from the first round on.

    ConfigError: one is no limit, cannot be known here, or leaves no network together with others.
    """
    on = ground(problem.partition, problem.evaluator.device, config)
    given: list[Directive] = []
    for number, text in enumerate(config.limits, start=1):
        try:
            order = check(parse(f"/limit {text}"), given, lambda: on)
        except DirectiveError as error:
            raise ConfigError(f"limit {text!r}: {error}") from None
        given.append(Directive(number, order, PERSON, "", 0.0, "active"))
    return [directive.order for directive in given]


def furnish(
    store: RunStore,
    problem: SearchProblem,
    carried: Sequence[Rule],
    limits: Sequence[Order] = (),
    retrieved: Retrieved = NOTHING,
) -> None:
    """What a run knows before its first round; all or nothing, should it be killed here."""
    keep_labels(store.folder, problem.labels)
    with store.together():
        describe(store, problem)
        named = {rule.id for rule in carried}
        rules = [*carried, *(rule for rule in retrieved.rules if rule.id not in named)]
        store.replace_rules(CARRIED, rules)
        retrieved.keep(store)
        for kind, data in rule_changes((), rules):
            store.event(kind, span=RUN, **data)
        for order in limits:
            store.append_directive(order, PERSON, order.command)


def describe(store: RunStore, problem: SearchProblem) -> None:
    """What the niches of a run are called, and where its numbers come from."""
    store.set_niches([niche.label for niche in problem.partition.niches])
    store.set_sources(sources_of(problem))
    if problem.images is not None:  # training will want the same ones
        store.pin_images(problem.images.name, problem.images.digest)


def began_with(recording: Recording) -> list[Rule]:
    """The rules that a recorded run began with."""
    return recording.store.rules(through_round=CARRIED)


def carried_rules(config: SearchConfig, problem: SearchProblem) -> list[Rule]:
    """The rules of earlier runs that a configuration names, each once."""
    scope = Scope(config.space, config.device, problem.dataset, None)
    labels = [niche.label for niche in problem.partition.niches]
    earlier = [find_run(config.output, str(path)) for path in config.rules_from]
    found = {rule.id: rule for path in earlier for rule in _carried(path, scope, labels)}
    return list(found.values())


def _carried(folder: Path, scope: Scope, niches: list[str]) -> list[Rule]:
    """The rules in force of an earlier run; where it cut the space otherwise, for every niche."""
    with RunStore.read(folder) as earlier:
        same = earlier.niches() == niches
        return [
            carry(rule, scope, same_niches=same)
            for rule in earlier.rules()
            if rule.status == "in-force" and rule.scope.space == scope.space
        ]
