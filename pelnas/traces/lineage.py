"""Where a candidate comes from, and where a rule led."""

from dataclasses import asdict, dataclass
from typing import Any

from pelnas.architecture import Candidate, Evaluation
from pelnas.calls.call import CallRecord
from pelnas.calls.usage import flat
from pelnas.errors import RunError
from pelnas.report import front_points
from pelnas.rules.rule import Rule
from pelnas.store import RunStore


@dataclass(frozen=True, slots=True)
class Relative:
    """A candidate in a story, with its evaluation where it has one.

    ``generation``: 1 for a parent, 2 for a parent's parent, at its nearest; 0 where it does not matter.
    """

    candidate: Candidate
    evaluation: Evaluation | None
    on_front: bool
    generation: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        design, evaluation = self.candidate.design, self.evaluation
        return {
            "id": self.candidate.id,
            "generation": self.generation,
            "round": self.candidate.round,
            "niche": self.candidate.niche,
            "architecture": design.architecture,
            "author": design.author,
            "method": design.method,
            "parents": list(design.parents),
            "rationale": design.rationale,
            "call": design.call,
            "score": None if evaluation is None else evaluation.score,
            "latency_ms": None if evaluation is None else evaluation.cost.latency_ms,
            "feasible": None if evaluation is None else evaluation.cost.feasible,
            "on_front": self.on_front,
        }


@dataclass(frozen=True, slots=True)
class SeenRule:
    """A rule as a designer saw it, and as it stands now."""

    then: Rule
    now: Rule

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "id": self.now.id,
            "text": self.now.text,
            "then": self.then.status,
            "now": self.now.status,
            "measured_then": self.then.measured,
            "measured_now": self.now.measured,
        }


@dataclass(frozen=True, slots=True)
class CandidateStory:
    """A candidate back to its roots.

    ``call``: the model call that it was born in, with its prompt; ``None`` where
    no language model designed it. ``ancestors``: nearest first, each once.
    ``rules``: those that its designer saw.
    """

    subject: Relative
    call: CallRecord | None
    ancestors: tuple[Relative, ...]
    rules: tuple[SeenRule, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, with the whole prompt and answer."""
        return {
            "candidate": self.subject.to_dict(),
            "call": None if self.call is None else flat(self.call),
            "ancestors": [ancestor.to_dict() for ancestor in self.ancestors],
            "rules": [rule.to_dict() for rule in self.rules],
        }


@dataclass(frozen=True, slots=True)
class Proposal:
    """Who proposed a rule, when, and in which call; ``call`` is ``None`` without a model."""

    round: int
    niche: int
    author: str
    call: str | None


@dataclass(frozen=True, slots=True)
class RuleStory:
    """A rule from its proposal on.

    ``history``: (round, version), oldest first; round -1 is an earlier run's.
    ``shaped``: the candidates whose designers saw it, in the order they were designed.
    """

    rule: Rule
    proposals: tuple[Proposal, ...]
    history: tuple[tuple[int, Rule], ...]
    shaped: tuple[Relative, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "rule": self.rule.to_dict(),
            "proposals": [asdict(proposal) for proposal in self.proposals],
            "history": [{"round": round_} | rule.to_dict() for round_, rule in self.history],
            "shaped": [relative.to_dict() for relative in self.shaped],
        }


def story_of_candidate(store: RunStore, candidate_id: str) -> CandidateStory:
    """Everything that led to a candidate. RunError: the run has none of this id."""
    family = _Family(store)
    if candidate_id not in family.candidates:
        raise RunError(
            f"run {store.name} has no candidate {candidate_id[:40]!r}:"
            " ids look like r3n2c5 and stand in front.json"
        )
    subject = family.relative(candidate_id)
    design = subject.candidate.design
    before = {rule.id: rule for rule in store.rules(subject.candidate.round - 1)}
    now = {rule.id: rule for rule in store.rules()}
    return CandidateStory(
        subject=subject,
        call=store.call(design.call) if design.call else None,
        ancestors=tuple(family.ancestors(candidate_id)),
        rules=tuple(SeenRule(before[id_], now[id_]) for id_ in design.rules if id_ in before),
    )


def story_of_rule(store: RunStore, rule_id: str) -> RuleStory:
    """Everything that a rule led to. RunError: the run has none of this id."""
    history = store.rule_history(rule_id)
    if not history:
        raise RunError(
            f"run {store.name} has no rule {rule_id[:40]!r}: see `pelnas rules --all` for their ids"
        )
    family = _Family(store)
    return RuleStory(
        rule=history[-1][1],
        proposals=tuple(Proposal(*proposed) for proposed in store.proposals_of(rule_id)),
        history=tuple(history),
        shaped=tuple(
            family.relative(candidate.id)
            for candidate in family.candidates.values()
            if rule_id in candidate.design.rules
        ),
    )


class _Family:
    """All candidates of a run with what is known of them."""

    def __init__(self, store: RunStore) -> None:
        self.candidates = {candidate.id: candidate for candidate in store.candidates()}
        self._evaluations = {evaluation.id: evaluation for evaluation in store.evaluations()}
        self._front = {point.id for point in front_points(store)}

    def relative(self, id_: str, generation: int = 0) -> Relative:
        return Relative(
            self.candidates[id_], self._evaluations.get(id_), id_ in self._front, generation
        )

    def ancestors(self, id_: str) -> list[Relative]:
        """Breadth first, so that each stands at its nearest generation."""
        found: dict[str, int] = {}
        level, generation = list(self.candidates[id_].design.parents), 1
        while level:
            new = [p for p in dict.fromkeys(level) if p not in found and p in self.candidates]
            found |= dict.fromkeys(new, generation)
            level = [g for parent in new for g in self.candidates[parent].design.parents]
            generation += 1
        return [self.relative(parent, generation) for parent, generation in found.items()]
