"""What the rules of all earlier runs say about something, from the user's knowledge base."""

from pelnas.errors import ConfigError
from pelnas.knowledge.base import Base
from pelnas.knowledge.location import USER, VARIABLE, located
from pelnas.store import RunStore
from pelnas.tools.shapes import Row
from pelnas.traces.text import one_line

ANSWERED = 8  # rules


def known(_: RunStore, text: str) -> list[Row]:
    """The rules of earlier runs that are nearest to a text, the nearest first.

    Always of the user's own base: one that a run names may be somebody else's. ConfigError: it is
    off; StoreError: it cannot be read.
    """
    where = located(USER)
    if where is None:
        raise ConfigError(
            f"expected a knowledge base of earlier runs, found that {VARIABLE} turns it off: unset it"
        )
    with Base(where) as base:
        return [entry.to_dict() for entry in base.search(text, ANSWERED)]


def tell_known(rules: list[Row]) -> list[str]:
    """A rule a line with where it was learned; what they say is quoted, as data."""
    if not rules:
        return ["nothing is known of earlier runs yet"]
    return [one_line(_told(rule), 400) for rule in rules]


def _told(rule: Row) -> str:
    niche = f", niche {rule['niche']}" if rule["niche"] else ""
    effect = f"{rule['polarity']} {rule['metric']} {rule['measured']:.2f}±{rule['error']:.2f}"
    where = f"{rule['device']}, {rule['dataset']}, {rule['space']}{niche}"
    return f'{rule["predicate"]} {effect} on {where}: "{rule["text"]}" (run {rule["run"]})'
