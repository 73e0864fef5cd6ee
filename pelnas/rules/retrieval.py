"""Which rules a designer should see: vectors of rules and queries, and the ranking. Pure."""

import hashlib
import re
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from pelnas.inputs.quantities import Metric
from pelnas.predicate import Predicate
from pelnas.rules.rule import Polarity, Rule, Scope

HASHED = 124  # dimensions of hashed words and features
KEPT = 4096  # rules whose words are not hashed again
TIE = 1e-8  # worths further apart differ in their first nine digits
DIMENSIONS = HASHED + 4  # and of the measured figures
_WORD = re.compile(r"[a-z0-9_]+(?:@[^\s,;]+)?")

Vector = NDArray[np.float64]


def vector(rule: Rule) -> Vector:
    """What a rule is about, unit length (DIMENSIONS,): hashed features and words, and its figures.

    Twice-weighted: the features of its predicate and its metric. Once: its
    words and its scope. Last four: measured effect, side effect, error, in force.
    """
    figures = (rule.signed_effect, rule.side_effect or 0.0, rule.error or 0.0)
    about = _about(rule.predicate, rule.metric, rule.text, rule.scope, rule.polarity)
    return _unit(about, (*figures, float(rule.status == "in-force")))


def query_vector(scope: Scope, query: str) -> Vector:
    """The same for a question: its words and where it is asked."""
    return _unit(_counted([], _words(query) + _scope_words(scope)), (0.0, 0.0, 0.0, 0.0))


@lru_cache(KEPT)
def _about(
    predicate: Predicate, metric: Metric, text: str, scope: Scope, polarity: Polarity
) -> Vector:
    """The part of a rule's vector that stays whatever is measured."""
    topics = [condition.feature for condition in predicate.conditions] + [metric]
    return _counted(topics, _words(text) + _scope_words(scope) + [polarity])


def _counted(topics: Sequence[str], words: Sequence[str]) -> Vector:
    result = np.zeros(DIMENSIONS)
    for weight, tokens in ((2.0, topics), (1.0, words)):
        for token in tokens:
            place, sign = _hashed(token)
            result[place] += weight * sign
    return result


def _unit(about: Vector, figures: Sequence[float]) -> Vector:
    result = about.copy()
    result[HASHED:] = figures
    return result / max(float(np.linalg.norm(result)), 1e-12)


def _hashed(token: str) -> tuple[int, float]:
    """Place and sign of a token, the same in every process (feature hashing, Weinberger 2009)."""
    number = int.from_bytes(hashlib.blake2b(token.encode(), digest_size=8).digest())
    return (number >> 1) % HASHED, 1.0 if number & 1 else -1.0


def _words(text: str) -> list[str]:
    return sorted(set(_WORD.findall(text.lower())))


def _scope_words(scope: Scope) -> list[str]:
    return [f"device {scope.device}", f"dataset {scope.dataset}", f"niche {scope.niche}"]


# -- ranking --------------------------------------------------------------------


def ranked(rules: Sequence[Rule], asked: Vector, limit: int) -> list[Rule]:
    """The most useful first: sure effects, near the query, that do not repeat each other.

    A rule's worth is the effect that its evidence leaves certain, max(0, e - 2 s)
    plus a tenth of e, times 1 + cosine to the query. Each next rule is the one
    of most worth times 1 - its largest cosine to those already taken (maximal
    marginal relevance, Carbonell & Goldstein 1998). Ties go to the smaller id.
    """
    if not rules:
        return []
    vectors = np.array([vector(rule) for rule in rules])
    worth = np.array([_certain(rule) for rule in rules]) * (1 + np.clip(vectors @ asked, 0, 1))
    novelty = np.ones(len(rules))
    chosen: list[int] = []
    left = set(range(len(rules)))
    while left and len(chosen) < limit:
        value = worth * novelty
        near = left & set(np.flatnonzero(value >= max(value[list(left)]) - TIE).tolist())
        best = min(near, key=lambda k: (-round(float(value[k]), 9), rules[k].id))
        chosen.append(best)
        left.remove(best)
        novelty = np.minimum(novelty, 1 - np.clip(vectors @ vectors[best], 0, 1))
    return [rules[k] for k in chosen]


def _certain(rule: Rule) -> float:
    effect, error = rule.measured or 0.0, rule.error or 0.0
    return max(0.0, effect - 2 * error) + 0.1 * max(0.0, effect)
