"""What a run takes from the user's knowledge base when it is made, and leaves there at its end.

What was retrieved is stored with the run: resumes, replays and forks read it there, never in the
base, which may have changed. No failure of a base ends a run: it is a warning, and the search goes
on without.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from pelnas.config import SearchConfig
from pelnas.errors import StoreError
from pelnas.graph.session.problem import WITHOUT_IMAGES, SearchProblem
from pelnas.knowledge.base import Base
from pelnas.knowledge.location import located
from pelnas.knowledge.place import Place, dataset_ranks, device_ranks, references
from pelnas.knowledge.prior import Prior
from pelnas.knowledge.transfer import Claim, claims
from pelnas.objectives import Objectives
from pelnas.report.knowledge import KNOWLEDGE, key_of, retrieved, rules_left
from pelnas.rules.rule import Rule
from pelnas.store import RunStore
from pelnas.traces.spans import RUN

CARRIED = -1  # the round under which rules of earlier runs are filed


@dataclass(frozen=True)
class Retrieved:
    """What a run begins with. ``data``: of the event that keeps it; ``None``: no base was asked."""

    claims: Sequence[Claim] = ()
    data: Mapping[str, Any] | None = field(default=None)

    @property
    def rules(self) -> list[Rule]:
        return [claim.rule for claim in self.claims]

    def keep(self, store: RunStore) -> None:
        """Store it; the rules are stored by whoever stores those of other origins."""
        if self.data is not None:
            store.event(KNOWLEDGE, span=RUN, **self.data)

    @classmethod
    def again(cls, recorded: RunStore) -> Self:
        """What a recorded run began with; its rules are among those that it carried."""
        found = retrieved(recorded)
        return cls(data=None if found is None else found.to_dict())


def retrieve(config: SearchConfig, problem: SearchProblem) -> Retrieved:
    """Claims of earlier runs that may hold for this one, and what tells its place from others."""
    where = located(config.knowledge)
    if where is None:
        return Retrieved()
    place = _place(config, problem)
    known: dict[str, Any] = {
        "device_ranks": list(place.device_ranks),
        "dataset_ranks": list(place.dataset_ranks),
    }
    try:
        found, runs = _claims(where, config, problem, place)
    except StoreError as error:
        return Retrieved(data=known | {"claims": {}, "runs": [], "warning": str(error)})
    weights = {claim.rule.id: round(claim.weight, 6) for claim in found}
    return Retrieved(found, known | {"claims": weights, "runs": runs, "warning": ""})


def _claims(
    where: str, config: SearchConfig, problem: SearchProblem, place: Place
) -> tuple[list[Claim], list[str]]:
    """The claims, and the places of the runs behind them. StoreError: the base cannot be used."""
    with Base(where) as base:
        near = base.near(place)
        entries = base.rules_of([each.run for each in near], place.space)
    niches = [niche.label for niche in problem.partition.niches]
    features, metrics = problem.partition.feature_names, Objectives.of(config.objectives).metrics
    found = claims(entries, near, place, niches, features, metrics)
    said = {entry.run for entry in entries}
    return found, [f"{each.device}, {each.dataset}" for each in near if each.run in said]


def _place(config: SearchConfig, problem: SearchProblem) -> Place:
    """The device by latencies of the reference networks, the data set by their proxies."""
    space, evaluator = problem.space, problem.evaluator
    texts = [space.format(each) for each in references(space)]
    looks = config.accuracy not in WITHOUT_IMAGES
    return Place(
        config.space,
        config.device,
        problem.dataset,
        device_ranks(list(evaluator.costs(texts))),
        dataset_ranks(list(evaluator.predict(texts))) if looks else (),
    )


def prior_of(store: RunStore, problem: SearchProblem) -> Prior | None:
    """What the claims that a run began with let expect; ``None`` where there are none of them."""
    found = retrieved(store)
    if found is None or not found.weights:
        return None
    config = store.config
    here = (config.space, config.device, problem.dataset)
    rules = store.rules(through_round=CARRIED)
    kept = [
        Claim(rule, found.weights[rule.id])
        for rule in rules
        if rule.id in found.weights
        and (rule.scope.space, rule.scope.device, rule.scope.dataset) == here
    ]
    return Prior(problem.partition, kept) if kept else None


def contribute(store: RunStore) -> str:
    """Leave the rules in force in the user's knowledge base; '' or why that was not possible."""
    found, where = retrieved(store), located(store.config.knowledge)
    if found is None or where is None:
        return ""
    config = store.config
    place = Place(
        config.space,
        config.device,
        store.sources().dataset,
        found.device_ranks,
        found.dataset_ranks,
    )
    try:
        with Base(where) as base:
            base.add(key_of(store), store.name, place, rules_left(store))
    except StoreError as error:
        return str(error)
    return ""
