"""Designs, evaluations and rules as they were read before: whoever holds a run decodes each once.

The database stays the truth. Only the holder changes it, and says here which part of it; what a
rolled back transaction had changed is read again.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby

from pelnas.architecture import Candidate, Evaluation
from pelnas.rules.rule import Rule
from pelnas.store.database import Database

Place = tuple[int, int]  # round and niche


@dataclass(frozen=True, slots=True)
class LatestRules:
    """Every rule by its id, as the last round with rules left it, in the order of their birth."""

    round: int
    rules: Mapping[str, Rule]


class Decoded:
    """Records by their place. To be used while the database is kept alone."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.forget()

    def forget(self) -> None:
        """Everything may have changed."""
        self._rollbacks = self._database.rollbacks
        self._designs: dict[Place, tuple[Candidate, ...]] | None = None
        self._evaluations: dict[Place, tuple[Evaluation, ...]] = {}
        self._changed: set[Place] = set()
        self._rules: LatestRules | None = None

    def replaced(self, place: Place) -> None:
        """The designs of a place are others now, with what is known of them."""
        self._changed.add(place)
        self._evaluations.pop(place, None)

    def designs(
        self, read: Callable[[Place | None], Iterable[Candidate]]
    ) -> Mapping[Place, tuple[Candidate, ...]]:
        """All designs, places in order. ``read``: from the database, of one place or all."""
        self._follow()
        if self._designs is None:
            self._designs = _by_place(read(None))
        elif self._changed:
            for place in self._changed:
                self._designs[place] = tuple(read(place))
            self._designs = dict(sorted(self._designs.items()))
        self._changed = set()
        return self._designs

    def evaluations(
        self, place: Place, size: int, read: Callable[[Place], Iterable[Evaluation]]
    ) -> tuple[Evaluation, ...]:
        """What is evaluated of a place of so many designs; kept once that is all of them.

        A first record stays, so nothing that is whole changes but by other designs.
        """
        found = self._evaluations.get(place)
        if found is None:
            found = tuple(read(place))
            if len(found) == size:
                self._evaluations[place] = found
        return found

    def rules(self, read: Callable[[], tuple[int, Iterable[Rule]]]) -> LatestRules:
        """``read``: from the database, the last round that has rules and its rules."""
        self._follow()
        if self._rules is None:
            round_, found = read()
            self._rules = LatestRules(round_, {rule.id: rule for rule in found})
        return self._rules

    def replaced_rules(self, round_: int, rules: Iterable[Rule]) -> None:
        """A round's rules are others now; those of a later round than before come on top."""
        self._follow()
        known = self._rules
        if known is None or round_ <= known.round:
            self._rules = None
        else:
            latest = {**known.rules, **{rule.id: rule for rule in rules}}
            self._rules = LatestRules(round_, latest)

    def _follow(self) -> None:
        if self._rollbacks != self._database.rollbacks:
            self.forget()


def _by_place(candidates: Iterable[Candidate]) -> dict[Place, tuple[Candidate, ...]]:
    groups = groupby(candidates, lambda candidate: (candidate.round, candidate.niche))
    return {place: tuple(found) for place, found in groups}
