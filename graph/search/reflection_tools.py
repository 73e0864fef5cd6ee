"""What a reflection agent may call before it proposes rules, and what its rules are then judged by.

An agent that tests many claims and proposes those that came out best has fitted the data that it
tested them on. So ``test_claim`` measures on one half of the evaluations, and the verdicts on
the rules of that agent leave that half out, as far as it existed when the rule was born: they
rest on the other half and on all that is evaluated later.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Literal
from zlib import crc32

import numpy as np
from pydantic import BaseModel, Field, create_model

from pelnas.agents.reflection import ReflectBrief
from pelnas.agents.toolbox import Tool, Toolbox
from pelnas.config import BUILTIN
from pelnas.errors import InputError
from pelnas.graph.search.outlook import short
from pelnas.graph.search.tool_spans import traced
from pelnas.graph.session.initialise import PERSON
from pelnas.graph.session.session import Session
from pelnas.predicate import parse_predicate
from pelnas.rules.evidence import Evidence
from pelnas.rules.rule import Rule, propose, render
from pelnas.rules.verdicts import measure_all

SIMILAR = 6  # rules that are listed at most
LISTED = 12  # values of a feature that are counted one by one; of more, quartiles are given


class Feature(BaseModel):
    """A feature of networks."""

    feature: str = Field(max_length=120)


class Words(BaseModel):
    """What rules should be about."""

    about: str = Field(max_length=200)


def reflection_tools(session: Session, brief: ReflectBrief) -> Toolbox:
    """The tools of one reflection agent's step."""
    metrics: Any = Literal[brief.objectives.metrics]
    claim = create_model(
        "Claim",
        predicate=(str, Field(max_length=400, description="as in a rule")),
        metric=(metrics, ...),
        niche=(int | None, Field(None, description="its number; without one, all niches")),
    )
    lookups = _ReflectionTools(session, brief)
    tools: list[Tool[Any]] = [
        Tool("test_claim", _ABOUT_CLAIMS, claim, lookups.test),
        Tool("distribution", _ABOUT_FEATURES, Feature, lookups.distribution),
        Tool(
            "similar_rules",
            "Known rules nearest to some words, with evidence.",
            Words,
            lookups.rules,
        ),
    ]
    return Toolbox(tools, session.config.tool_calls, traced(session))


_ABOUT_CLAIMS = (
    "The measured effect of satisfying a predicate on a metric (-1 to 1; positive: better), its error,"
    " and on how many networks. On half of the evaluations: the verdict rests on the others."
)
_ABOUT_FEATURES = "How often a feature takes which value, in this niche and in all of them."


def is_open(candidate: str) -> bool:
    """Whether an evaluation is in the half that claims may be tested on."""
    return crc32(candidate.encode()) % 2 == 0


def measured(session: Session, rules: Iterable[Rule]) -> list[Rule]:
    """Every rule with its verdict, see ``measure_all``; what an agent may have fitted is left out."""
    rules, evidence = list(rules), session.evidence()
    if not session.config.tool_calls:
        return session.measure_rules(rules, evidence)
    rounds = {e.id: e.candidate.round for e in session.archive().evaluations}
    later = int(session.config.overlap)  # drafts of the round after it exist already
    groups: dict[int, list[Rule]] = {}
    for rule in rules:
        groups.setdefault(rule.born + later if _is_fitted(rule) else -1, []).append(rule)
    found: dict[str, Rule] = {}
    for born, alike in groups.items():
        unseen = evidence.where(lambda id_, born=born: rounds[id_] > born or not is_open(id_))  # type: ignore[misc]
        for rule in session.measure_rules(alike, unseen if born >= 0 else evidence):
            found[rule.id] = rule
    return [found[rule.id] for rule in rules]


def _is_fitted(rule: Rule) -> bool:
    """Whether a model of this run proposed it: not a person, an earlier run, or the program."""
    return rule.author != PERSON and not rule.origin and not rule.author.startswith(BUILTIN)


class _ReflectionTools:
    """The tools over one step."""

    def __init__(self, session: Session, brief: ReflectBrief) -> None:
        self._session = session
        self._brief = brief

    def test(self, given: Any, call: str) -> Mapping[str, Any]:
        niches = len(self._brief.partition.niches)
        if given.niche is not None and not 0 <= given.niche < niches:
            raise InputError(f"there is no niche {given.niche}: niches are 0 to {niches - 1}")
        predicate = parse_predicate(given.predicate, self._brief.partition.feature_names)
        here = self._session.scope(given.niche)
        rule = propose("", "helps", given.metric, predicate, here)
        (found,) = measure_all([rule], self._open)
        holds = self._open.within(given.niche).holders(predicate)
        counts = {"satisfy": int(holds.sum()), "do_not": int((~holds).sum())}
        if found.measured is None:
            return {**counts, "effect": None, "why": found.reason}
        return {**counts, "effect": short(found.measured), "error": short(found.error)}

    @property
    def _open(self) -> Evidence:
        return self._brief.evidence.once("open half", lambda: self._brief.evidence.where(is_open))

    def distribution(self, given: Feature, call: str) -> Mapping[str, Any]:
        if given.feature not in self._brief.partition.feature_names:
            raise InputError(f"there is no feature {given.feature[:60]!r}: use one of the prompt")
        evidence = self._brief.evidence
        return {
            "niche": _values(evidence.within(self._brief.niche.index), given.feature),
            "all": _values(evidence, given.feature),
        }

    def rules(self, given: Words, call: str) -> Mapping[str, Any]:
        scope = self._session.scope(self._brief.niche.index)
        found = self._session.knowledge.retrieve(scope, given.about, SIMILAR)
        return {"rules": [render(rule) for rule in found]}


def _values(evidence: Evidence, feature: str) -> dict[str, Any]:
    """How many networks have which value, or between which values each quarter of them lies."""
    column = evidence.column(feature)
    values, counts = np.unique(column, return_counts=True)
    if len(values) <= LISTED:
        pairs = zip(values.tolist(), counts.tolist(), strict=True)
        return {f"{value:g}": count for value, count in pairs}
    quartiles = np.quantile(column, [0, 0.25, 0.5, 0.75, 1])
    return {"quartiles": [short(float(each)) for each in quartiles], "networks": len(column)}
