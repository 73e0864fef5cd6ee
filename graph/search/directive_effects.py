"""What directives change besides refusing designs: parents, shares, seeds and rules."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pelnas.architecture import Evaluation
from pelnas.archive import Archive
from pelnas.directives import Bound, Claim, Claiming, Directive, Focus
from pelnas.graph.session.initialise import PERSON
from pelnas.graph.session.session import Session
from pelnas.partition import ENUMERABLE
from pelnas.rules.rule import Rule, propose
from pelnas.validator import Intake, Proposal

# -- designs ------------------------------------------------------------------------


def in_focus(focus: Focus | None, archive: Archive, niches: int) -> frozenset[int]:
    """The niches that a focus means: the one named, or those with evaluations in its range.

    Where none lies in the range, the niche that comes nearest to it; none
    before anything is evaluated.
    """
    if focus is None:
        return frozenset()
    if focus.niche is not None:
        return frozenset({focus.niche})
    ranked = [
        (distance(e.latency_ms, focus.bounds), niche)
        for niche in range(niches)
        for e in archive.niche(niche)
        if e.cost.feasible
    ]
    nearest = min(ranked, default=(0.0, -1))
    inside = frozenset(niche for away, niche in ranked if away == 0)
    return inside or frozenset({nearest[1]} - {-1})


def distance(latency: float, bounds: Sequence[Bound]) -> float:
    """How many ms a latency lies outside a range; 0 inside."""
    return max((abs(latency - b.value) for b in bounds if not b.holds(latency)), default=0.0)


def parents_of(session: Session, niche: int, limit: int, before: int) -> list[Evaluation]:
    """The parents of a niche: pinned ones, those in the range of the focus, then the usual ones.

    ``before``: the round that they are for.
    """
    archive, directives = session.archive(before), session.directives
    pinned = {text for _, text in directives.pins}
    chosen = [
        e for e in archive.niche(niche) if e.candidate.architecture in pinned and e.cost.feasible
    ]
    focus = directives.focus
    if focus is not None and focus.bounds:
        excluded = [e.id for e in archive.niche(niche) if distance(e.latency_ms, focus.bounds) > 0]
        chosen += archive.without(excluded).parents(niche, limit)
    chosen += archive.parents(niche, limit)
    distinct = list({evaluation.id: evaluation for evaluation in chosen}.values())
    return distinct[: max(limit, len(pinned & {e.candidate.architecture for e in distinct}))]


def left(session: Session, niche: int) -> int | None:
    """How many members of a niche may still be designed; ``None`` where they cannot be counted."""
    partition = session.problem.partition
    designed = {c.architecture for c in session.store.candidates(niche=niche)}
    directives = session.directives
    if not directives.constrain or partition.space.size > ENUMERABLE:
        return partition.left(niche, len(designed))
    if session.store.is_exhausted(niche, directives.constraints):
        return 0
    return len(session.allowed(niche) - designed)


def note_exhaustion(session: Session, intake: Intake, niche: int) -> None:
    """Remember that nothing more of a niche is let in, where a designer's step has shown it."""
    listed = session.problem.partition.space.size <= ENUMERABLE
    if intake.missing and listed and session.directives.constrain and not intake.short:
        session.store.record_exhausted(niche, session.directives.constraints)


def waiting_seeds(session: Session, before: int | None = None) -> Iterator[tuple[int, str, str]]:
    """(niche, directive, architecture) of everything asked for that was not designed yet.

    ``before``: designs of this round and later ones do not count, as for a step that runs again.
    """
    partition = session.problem.partition
    designed = {
        candidate.architecture
        for candidate in session.store.candidates()
        if before is None or candidate.round < before
    }
    for directive, text in session.directives.seeds:
        if text not in designed:
            designed.add(text)
            yield partition.locate(partition.space.parse(text)), directive, text


def submit_seeds(session: Session, intake: Intake, niche: int, round_: int) -> None:
    """Propose what people asked for in this niche; it is checked like any other proposal."""
    for home, directive, text in list(waiting_seeds(session, before=round_)):
        if home == niche:
            proposal = Proposal(text, "seed", (), f"asked for by {directive}")
            intake.submit(proposal, PERSON, (), None)


# -- rules --------------------------------------------------------------------------


@dataclass(frozen=True)
class Claims:
    """What people say about rules.

    ``retired``: why, by rule, whoever proposed it; ``taken_back``: why, of rules that
    a person added and no longer stands for.
    """

    added: tuple[Rule, ...]
    retired: dict[str, str]
    taken_back: dict[str, str]

    @staticmethod
    def merged(rule: Rule, known: Rule | None) -> Rule:
        """A claim that is known already keeps its evidence and takes a person's words."""
        return rule if known is None else replace(known, text=rule.text)

    def judged(self, rule: Rule) -> Rule:
        """The rule with a person's verdict in place of the program's, where there is one."""
        why = self.retired.get(rule.id)
        if why is None and rule.author == PERSON:
            why = self.taken_back.get(rule.id)
        return rule if why is None else replace(rule, status="retired", reason=why)


def claims(session: Session) -> Claims:
    """Rules that people added, took away, or took back, as of now."""
    added: dict[str, Rule] = {}
    taken_back: dict[str, str] = {}
    for directive in session.queue.known:
        order = directive.order
        if not isinstance(order, Claiming) or directive.effect is None:
            continue
        rule = _rule(session, order.claim, directive)
        if directive.status == "active":
            added[rule.id] = rule
        elif directive.status == "undone":
            taken_back[rule.id] = f"taken back with {directive.id}"
    retired = {
        rule_id: f"taken away by {directive_id}"
        for rule_id, directive_id in session.directives.retired_rules.items()
        if rule_id not in added
    }
    standing = {id_: why for id_, why in taken_back.items() if id_ not in added}
    return Claims(tuple(added.values()), retired, standing)


def _rule(session: Session, claim: Claim, directive: Directive) -> Rule:
    return propose(
        claim.text,
        claim.polarity,
        claim.metric,
        claim.predicate,
        session.scope(claim.niche),
        born=directive.effect.round if directive.effect else 0,
        author=PERSON,
    )
