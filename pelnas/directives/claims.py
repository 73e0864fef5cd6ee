"""Orders about rules: how much they count, and claims that people add, edit and retire."""

import json
import re
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Literal, Self, cast, get_args

from pelnas.config import DEFAULT_MODEL
from pelnas.directives.order import (
    Order,
    Records,
    designs_since,
    in_niche,
    need,
    need_line,
    need_niche,
    need_word,
    number,
    read_number,
    read_words,
    split_niche,
    wrong,
)
from pelnas.errors import DirectiveError, PredicateError
from pelnas.inputs.quantities import COSTS, Metric
from pelnas.predicate import Predicate, parse_predicate
from pelnas.spaces import SearchSpace

if TYPE_CHECKING:
    from pelnas.directives.conflicts import Standing
    from pelnas.directives.directive import Directive

KNOWN: tuple[Metric, ...] = ("accuracy", *COSTS)
Polarity = Literal["helps", "hurts"]
FORM = '"TEXT" PREDICATE helps|hurts accuracy|latency [in niche 2]'
_CLAIM = re.compile(r"(?P<predicate>\S.*?)\s+(?P<polarity>helps|hurts)\s+(?P<metric>\w+)$")


def need_measured(metric: Metric, beside: "Standing") -> None:
    """DirectiveError: rules of the run say nothing about this metric."""
    measured = beside.ground.metrics
    if metric not in measured:
        raise DirectiveError(
            f"expected an objective of this run, one of {', '.join(measured)}, found {metric}:"
            f" name one of these, or start a search with --objective {metric}"
        )


@dataclass(frozen=True, slots=True)
class Weigh(Order):
    """How much rules about an objective count when the built-in designer chooses; 1 unless said."""

    objective: Metric
    weight: float

    prefix = "/weigh"
    forms = (("latency 2", "let rules about latency (or accuracy) count so much"),)
    informs = True

    def __post_init__(self) -> None:
        need(self.objective in KNOWN, f"one of {', '.join(KNOWN)}", self.objective)
        known = isfinite(self.weight) and 0 <= self.weight <= 100
        need(known, "a weight of 0 to 100", self.weight)

    @classmethod
    def read(cls, rest: str, form: str) -> Self:
        objective, weight = read_words(rest, 2, form)
        return cls(cast(Metric, objective), read_number(weight, form))

    grounded = True

    def check(self, beside: "Standing") -> Order:
        need_measured(self.objective, beside)
        return self

    def say(self, space: SearchSpace | None = None) -> str:
        return f"let rules about {self.objective} count {number(self.weight)} times"

    def outcome(self, given: "Directive", records: Records) -> str:
        by = designs_since(given, records, lambda e: e.candidate.design.author == DEFAULT_MODEL)
        return f"weighed in the choice of {by} by evolution"


@dataclass(frozen=True, slots=True)
class Claim:
    """What a rule says: see ``pelnas.rules.rule``."""

    text: str
    predicate: Predicate
    polarity: Polarity
    metric: Metric
    niche: int | None = None

    def __post_init__(self) -> None:
        need_line(self.text, "a rule's text")
        known = bool(self.predicate.conditions)
        need(known, "a predicate such as depth >= 2", self.predicate)
        need(self.polarity in get_args(Polarity), "helps or hurts", self.polarity)
        need(self.metric in KNOWN, f"one of {', '.join(KNOWN)}", self.metric)
        need_niche(self.niche)

    @classmethod
    def read(cls, rest: str, form: str) -> Self:
        """The claim of a command. DirectiveError: none."""
        try:
            text, end = json.JSONDecoder().raw_decode(rest)
        except json.JSONDecodeError:
            raise wrong(form, rest) from None
        tail, niche = split_niche(rest[end:])
        found = _CLAIM.fullmatch(tail.strip())
        if not isinstance(text, str) or found is None:
            raise wrong(form, rest)
        try:
            predicate = parse_predicate(found["predicate"])
        except PredicateError as error:
            raise DirectiveError(str(error)) from None
        polarity, metric = cast(Polarity, found["polarity"]), cast(Metric, found["metric"])
        return cls(text, predicate, polarity, metric, niche)

    def __str__(self) -> str:
        return f"{json.dumps(self.text, ensure_ascii=False)} {self._measured}{in_niche(self.niche)}"

    def say(self) -> str:
        """The claim in its own words, and what is measured."""
        return f'"{self.text}" ({self._measured}{in_niche(self.niche)})'

    @property
    def _measured(self) -> str:
        return f"{self.predicate} {self.polarity} {self.metric}"

    def check(self, beside: "Standing") -> None:
        """DirectiveError: it is about a feature or a metric that the run does not have."""
        need_measured(self.metric, beside)
        known = beside.ground.partition.feature_names
        for condition in self.predicate.conditions:
            if condition.feature not in known:
                raise DirectiveError(
                    f"feature {condition.feature[:60]!r} does not exist:"
                    f" use one of {', '.join(sorted(known)[:40])}"
                )

    def verdict(self, given: "Directive", records: Records) -> str:
        """The verdict of the program on what a person claimed."""
        own = (self.predicate, self.polarity, self.metric, self.niche)
        known = (
            rule
            for rule in records.rules
            if (rule.predicate, rule.polarity, rule.metric, rule.scope.niche) == own
        )
        rule = next(known, None)
        if rule is None:
            return "not measured yet"
        effect = "not measured" if rule.measured is None else f"effect {rule.measured:+.2f}"
        return f"{rule.id} is {rule.status} ({effect}), shown for {_shown(rule.id, given, records)}"


@dataclass(frozen=True, slots=True)
class AddRule(Order):
    """Measure this claim like any other rule; its author is ``person``."""

    claim: Claim

    prefix = "/rule add"
    forms = ((FORM, "measure this claim like any other rule"),)
    grounded = True

    @classmethod
    def read(cls, rest: str, form: str) -> Self:
        return cls(Claim.read(rest, form))

    def say(self, space: SearchSpace | None = None) -> str:
        return f"measure the rule {self.claim.say()}"

    @property
    def place(self) -> int | None:
        return self.claim.niche

    def check(self, beside: "Standing") -> Order:
        self.claim.check(beside)
        return self

    def outcome(self, given: "Directive", records: Records) -> str:
        return self.claim.verdict(given, records)


@dataclass(frozen=True, slots=True)
class EditRule(Order):
    """Put this claim in the place of a rule."""

    rule: str
    claim: Claim

    prefix = "/rule edit"
    forms = ((f"ID {FORM}", "put this claim in the place of a rule"),)
    grounded = True

    def __post_init__(self) -> None:
        need_word(self.rule)

    @classmethod
    def read(cls, rest: str, form: str) -> Self:
        rule, _, claim = rest.partition(" ")
        if not claim:
            raise wrong(form, f"edit {rest}".rstrip())
        return cls(rule, Claim.read(claim.strip(), form))

    def say(self, space: SearchSpace | None = None) -> str:
        return f"put the rule {self.claim.say()} in the place of {self.rule}"

    @property
    def place(self) -> int | None:
        return self.claim.niche

    def check(self, beside: "Standing") -> Order:
        self.claim.check(beside)
        beside.need_rule(self.rule)
        return self

    def outcome(self, given: "Directive", records: Records) -> str:
        return self.claim.verdict(given, records)


@dataclass(frozen=True, slots=True)
class RetireRule(Order):
    """No longer show this rule to designers, whatever its evidence."""

    rule: str

    prefix = "/rule retire"
    forms = (("ID", "no longer show this rule to designers"),)

    def __post_init__(self) -> None:
        need_word(self.rule)

    @classmethod
    def read(cls, rest: str, form: str) -> Self:
        if not rest or " " in rest:
            raise wrong(form, f"retire {rest}".rstrip())
        return cls(rest)

    def say(self, space: SearchSpace | None = None) -> str:
        return f"no longer show rule {self.rule} to designers"

    def check(self, beside: "Standing") -> Order:
        beside.need_rule(self.rule)
        return self

    def outcome(self, given: "Directive", records: Records) -> str:
        return f"{self.rule} was shown for {_shown(self.rule, given, records)} since"


#: Orders that claim something, and those that take a rule away.
Claiming = AddRule | EditRule
Retiring = RetireRule | EditRule


def _shown(rule: str, given: "Directive", records: Records) -> str:
    return designs_since(given, records, lambda e: rule in e.candidate.design.rules)
