"""The command grammar: one line for each order, read and written without loss.

``parse(command(order)) == order`` for every order. Whatever is not in the
grammar is refused with a sentence, and never guessed at.
"""

import json
import re
from collections.abc import Callable
from math import isfinite
from typing import cast

from pelnas.config import ROLES, Budget
from pelnas.directives.orders import (
    QUANTITIES,
    AddRule,
    Ban,
    Bound,
    Claim,
    Comparison,
    EditRule,
    Focus,
    Limit,
    Order,
    Pause,
    Pin,
    Polarity,
    Quantity,
    Require,
    Resume,
    RetireRule,
    Seed,
    SetBudget,
    SetModel,
    SetRounds,
    Stop,
    Undo,
    Weigh,
)
from pelnas.errors import DirectiveError, PredicateError
from pelnas.predicate import parse_predicate
from pelnas.rules.evidence import Metric

COMMAND_LIMIT = 1_000  # characters of a command
#: Every form of a command and what it does, for help texts and documentation.
GRAMMAR: tuple[tuple[str, str], ...] = (
    ("/focus latency<=5 [latency>=2]", "spend most designs on this range of latency"),
    ("/focus niche 3", "spend most designs on this niche"),
    ("/ban OPERATION[@POSITION] [in niche 2]", "design nothing with it"),
    ("/require OPERATION[@POSITION] [in niche 2]", "design nothing without it"),
    (
        "/limit latency<=5 parameters<=300000 [in niche 2]",
        f"only within these bounds; of {', '.join(QUANTITIES)}",
    ),
    ("/seed ARCHITECTURE", "try it next"),
    ("/pin ARCHITECTURE", "keep it among the parents and in the report"),
    ("/weigh latency 2", "let rules about latency (or accuracy) count so much"),
    (
        '/rule add "TEXT" PREDICATE helps|hurts accuracy|latency [in niche 2]',
        "measure this claim like any other rule",
    ),
    (
        '/rule edit ID "TEXT" PREDICATE helps|hurts accuracy|latency [in niche 2]',
        "put this claim in the place of a rule",
    ),
    ("/rule retire ID", "no longer show this rule to designers"),
    ("/rounds 20", "end after so many rounds in all"),
    (f"/budget {'|'.join(Budget.model_fields)} NUMBER|none", "another limit over the whole run"),
    (f"/model {'|'.join(ROLES)} PROVIDER:MODEL", "another model from the next node on"),
    ("/pause", "wait after the piece of work under way"),
    ("/resume", "end the pause"),
    ("/stop", "finish the round, then end with the report"),
    ("/undo d3", "take back an earlier directive"),
)
VERBS = tuple(dict.fromkeys(form.split()[0] for form, _ in GRAMMAR))

ALIASES: dict[str, Quantity] = {
    "latency_ms": "latency",
    "energy_mj": "energy",
    "params": "parameters",
    "score": "accuracy",
    **{quantity: quantity for quantity in QUANTITIES},
}
_NUMBER = r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?"
_BOUND = re.compile(rf"\s*(?P<quantity>[a-z_]+)\s*(?P<how><=|>=)\s*(?P<value>{_NUMBER})(?=\s|$)")
_IN_NICHE = re.compile(r"\s+in\s+niche\s+(?P<niche>[0-9]{1,3})$")
_CLAIM = re.compile(r"(?P<predicate>\S.*?)\s+(?P<polarity>helps|hurts)\s+(?P<metric>\w+)$")


def parse(text: str) -> Order:
    """The order that a command stands for. DirectiveError: not a command of the grammar."""
    line = text.strip()
    if len(line) > COMMAND_LIMIT:
        raise DirectiveError(
            f"expected a command of at most {COMMAND_LIMIT} characters, found {len(line)}: shorten it"
        )
    verb, _, rest = line.partition(" ")
    if verb not in _READERS:
        raise DirectiveError(
            f"expected a command, one of {', '.join(_READERS)}, found {verb[:40]!r}:"
            " begin with one of them"
        )
    return _READERS[verb](rest.strip(), _form(verb))


def command(order: Order) -> str:
    """The command that stands for an order, in its one official form."""
    match order:
        case Focus(bounds, None):
            return f"/focus {_bounds(bounds)}"
        case Focus(_, niche):
            return f"/focus niche {niche}"
        case Limit(bounds, niche):
            return f"/limit {_bounds(bounds)}{_place(niche)}"
        case Ban(feature, niche):
            return f"/ban {feature}{_place(niche)}"
        case Require(feature, niche):
            return f"/require {feature}{_place(niche)}"
        case AddRule(claim):
            return f"/rule add {_claim(claim)}"
        case EditRule(rule, claim):
            return f"/rule edit {rule} {_claim(claim)}"
        case SetBudget(name, limit):
            return f"/budget {name} {'none' if limit is None else number(limit)}"
    return _short(order)


def number(value: float) -> str:
    """A number at its shortest that reads back as the same."""
    short = f"{value:g}"
    if float(short) == value:
        return short
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


# -- writing --------------------------------------------------------------------


def _short(order: Order) -> str:
    """The orders of one or two words."""
    match order:
        case SetModel(role, model):
            return f"/model {role} {model}"
        case Weigh(objective, weight):
            return f"/weigh {objective} {number(weight)}"
        case RetireRule(rule):
            return f"/rule retire {rule}"
        case Seed(architecture):
            return f"/seed {architecture}"
        case Pin(architecture):
            return f"/pin {architecture}"
        case SetRounds(rounds):
            return f"/rounds {rounds}"
        case Undo(directive):
            return f"/undo {directive}"
    return f"/{type(order).__name__.lower()}"


def _bounds(bounds: tuple[Bound, ...]) -> str:
    return " ".join(f"{b.quantity}{b.comparison}{number(b.value)}" for b in bounds)


def _place(niche: int | None) -> str:
    return "" if niche is None else f" in niche {niche}"


def _claim(claim: Claim) -> str:
    said = json.dumps(claim.text, ensure_ascii=False)
    return f"{said} {claim.predicate} {claim.polarity} {claim.metric}{_place(claim.niche)}"


# -- reading --------------------------------------------------------------------


def _form(verb: str) -> str:
    return " or ".join(form for form, _ in GRAMMAR if form.split()[0] == verb)


def _wrong(form: str, found: str) -> DirectiveError:
    return DirectiveError(f"expected {form}, found {found[:80]!r}: write it in that form")


def _split_place(rest: str) -> tuple[str, int | None]:
    """What stands before ``in niche N``, and N."""
    found = _IN_NICHE.search(rest)
    return (rest[: found.start()], int(found["niche"])) if found else (rest, None)


def _read_bounds(rest: str, form: str) -> tuple[Bound, ...]:
    bounds, position = [], 0
    while position < len(rest):
        found = _BOUND.match(rest, position)
        if found is None or found["quantity"] not in ALIASES:
            raise _wrong(form, rest[position:].strip())
        bounds.append(
            Bound(
                ALIASES[found["quantity"]],
                cast(Comparison, found["how"]),
                _number(found["value"], form),
            )
        )
        position = found.end()
    return tuple(bounds)


def _number(text: str, form: str) -> float:
    if not re.fullmatch(_NUMBER, text) or not isfinite(float(text)):
        raise _wrong(form, text)
    return float(text)


def _read_focus(rest: str, form: str) -> Order:
    niche = re.fullmatch(r"niche\s+([0-9]{1,3})", rest)
    if niche:
        return Focus(niche=int(niche[1]))
    if not rest:
        raise _wrong(form, rest)
    return Focus(bounds=_read_bounds(rest, form))


def _read_limit(rest: str, form: str) -> Order:
    bounds, niche = _split_place(rest)
    return Limit(_read_bounds(bounds, form), niche)


def _read_feature(kind: type[Ban] | type[Require]) -> Callable[[str, str], Order]:
    def read(rest: str, form: str) -> Order:
        feature, niche = _split_place(rest)
        return kind(_words(feature, 1, form)[0], niche)

    return read


def _words(rest: str, count: int, form: str) -> list[str]:
    words = rest.split()
    if len(words) != count:
        raise _wrong(form, rest)
    return words


def _read_weigh(rest: str, form: str) -> Order:
    objective, weight = _words(rest, 2, form)
    return Weigh(cast(Metric, objective), _number(weight, form))


def _read_rule(rest: str, form: str) -> Order:
    action, _, tail = rest.partition(" ")
    if action == "add":
        return AddRule(_read_claim(tail.strip(), form))
    name, _, claim = tail.strip().partition(" ")
    if action == "edit" and claim:
        return EditRule(name, _read_claim(claim.strip(), form))
    if action == "retire" and name and not claim:
        return RetireRule(name)
    raise _wrong(form, rest)


def _read_claim(rest: str, form: str) -> Claim:
    try:
        text, end = json.JSONDecoder().raw_decode(rest)
    except json.JSONDecodeError:
        raise _wrong(form, rest) from None
    tail, niche = _split_place(rest[end:])
    found = _CLAIM.fullmatch(tail.strip())
    if not isinstance(text, str) or found is None:
        raise _wrong(form, rest)
    try:
        predicate = parse_predicate(found["predicate"])
    except PredicateError as error:
        raise DirectiveError(str(error)) from None
    polarity, metric = cast(Polarity, found["polarity"]), cast(Metric, found["metric"])
    return Claim(text, predicate, polarity, metric, niche)


def _read_rounds(rest: str, form: str) -> Order:
    if not re.fullmatch(r"[0-9]{1,9}", rest):
        raise _wrong(form, rest)
    return SetRounds(int(rest))


def _read_budget(rest: str, form: str) -> Order:
    name, limit = _words(rest, 2, form)
    return SetBudget(name, None if limit == "none" else _number(limit, form))


def _read_model(rest: str, form: str) -> Order:
    return SetModel(*_words(rest, 2, form))


def _read_line(kind: type[Seed] | type[Pin]) -> Callable[[str, str], Order]:
    def read(rest: str, form: str) -> Order:
        if not rest:
            raise _wrong(form, rest)
        return kind(rest)

    return read


def _read_bare(kind: type[Pause] | type[Resume] | type[Stop]) -> Callable[[str, str], Order]:
    def read(rest: str, form: str) -> Order:
        if rest:
            raise _wrong(f"{form} alone", rest)
        return kind()

    return read


def _read_undo(rest: str, form: str) -> Order:
    return Undo(_words(rest, 1, form)[0])


_READERS: dict[str, Callable[[str, str], Order]] = {
    "/focus": _read_focus,
    "/ban": _read_feature(Ban),
    "/require": _read_feature(Require),
    "/limit": _read_limit,
    "/seed": _read_line(Seed),
    "/pin": _read_line(Pin),
    "/weigh": _read_weigh,
    "/rule": _read_rule,
    "/rounds": _read_rounds,
    "/budget": _read_budget,
    "/model": _read_model,
    "/pause": _read_bare(Pause),
    "/resume": _read_bare(Resume),
    "/stop": _read_bare(Stop),
    "/undo": _read_undo,
}
