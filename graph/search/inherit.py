"""What a fork inherits: directives, evaluations and rules, brought up to date before its first round."""

from collections.abc import Sequence
from dataclasses import replace

from pelnas.directives import Boundary, Directive, Ground, Order, check
from pelnas.errors import DirectiveError
from pelnas.graph.search.directive_effects import Claims, claims
from pelnas.graph.search.evaluate import evaluate
from pelnas.graph.search.reflection_tools import measured
from pelnas.graph.session.session import Session
from pelnas.graph.session.tracer import rule_changes
from pelnas.rules.rule import Rule, Scope, carry
from pelnas.store import RunStore


def take_back(store: RunStore, ground: Ground, round_: int, *, same_unit: bool) -> None:
    """Directives in force at that round that cannot be in a fork count as undone, with the reason.

    ``same_unit``: whether scores mean what they meant.
    """
    standing: list[Directive] = []
    rules = {rule.id for rule in store.rules()}
    for directive in store.directives():
        if directive.status != "active":
            continue
        why = _why_not(directive.order, standing, ground, rules, same_unit)
        if why:
            store.mark_directive(directive, "undone", Boundary(round_, "learn"), why)
        else:
            standing.append(directive)


def _why_not(
    order: Order, standing: Sequence[Directive], ground: Ground, rules: set[str], same_unit: bool
) -> str:
    why = order.not_in_fork(same_unit)
    if not why and order.grounded:
        try:
            check(order, standing, lambda: ground, rules=rules)
        except DirectiveError as problem:
            return str(problem)
    return why


def evaluate_inherited(session: Session, next_: int) -> bool:
    """Score and measure what was taken over without it; False where time ended it early."""
    store = session.store
    unscored = [c for r in range(next_) for c in store.without_prediction(r)]
    uncosted = [c for r in range(next_) for c in store.without_cost(r)]
    return evaluate(session, unscored, uncosted, Boundary(next_, "plan"))


def remeasure(session: Session, round_: int) -> None:
    """Measure every rule on the evaluations as they are here, in place of what ``round_`` said.

    Rules of another device or data set end there: the same claims about this one's are tested.
    """
    before = session.store.rules()
    here, asked = session.scope(None), claims(session)
    ended, known = _translated(before, here, asked)
    for rule in asked.added:
        known[rule.id] = asked.merged(rule, known.get(rule.id))
    now = measured(session, known.values())
    rules = [*ended, *(asked.judged(rule) for rule in now)]
    with session.store.together():
        session.store.replace_rules(round_, rules)
        for kind, data in rule_changes(before, rules):
            session.event(kind, **data)
    session.knowledge.put(rules)


def _translated(
    rules: Sequence[Rule], here: Scope, asked: Claims
) -> tuple[list[Rule], dict[str, Rule]]:
    """Rules of elsewhere as they end, and what is claimed of here, by id."""
    ended, known = [], {}
    for rule in rules:
        if rule.scope.everywhere() == here:
            continue
        claim = carry(rule, here)
        there = f"{rule.scope.device}, {rule.scope.dataset}"
        why = f"it is about {there}: the same claim about {here.device} is {claim.id}"
        ended.append(replace(rule, status="retired", reason=why))
        if rule.id not in asked.retired:  # a person's word holds for both
            known[claim.id] = claim
    return ended, known | {rule.id: rule for rule in rules if rule.scope.everywhere() == here}
