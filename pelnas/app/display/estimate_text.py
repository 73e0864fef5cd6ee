"""The estimate of a search as text."""

from typing import TYPE_CHECKING

from pelnas.text import plural

if TYPE_CHECKING:
    from pelnas.config import SearchConfig
    from pelnas.graph.estimate.estimate import Estimate


def foretold(config: "SearchConfig", found: "Estimate") -> str:
    """A search in one sentence, and what would end it before its rounds."""
    rounds = f"{config.rounds} {plural(config.rounds, 'round')}"
    return f"expected in {rounds}: {amounts(found)}{_end(config, found)}"


def scored(accuracy: str, images: str, in_words: str) -> str:
    """By what networks will be scored, and on which images, in one sentence."""
    return f"scored by {accuracy}" + (f" on {images}: {in_words}" if in_words else "")


def amounts(found: "Estimate") -> str:
    """What is used, in words."""
    from pelnas.calls.prices import in_words

    parts = [f"{found.evaluations:,} evaluations"]
    if found.calls:
        source = f"counted in {found.tokens_from}"
        parts += [
            f"{found.calls:,} model calls",
            f"about {_rough(found.tokens):,} tokens ({source})",
        ]
        parts.append(
            f"about {in_words(found.dollars)}" if found.dollars else in_words(found.dollars)
        )
    else:
        parts.append("no model calls")
    if found.minutes is not None:
        parts.append(f"at most about {max(1, round(found.minutes))} min")
    return ", ".join(parts)


def _rough(count: int) -> int:
    """To two significant figures."""
    return int(float(f"{count:.2g}"))


def _end(config: "SearchConfig", found: "Estimate") -> str:
    if found.ends_by == "rounds":
        return ""
    if found.ends_by == "space":
        return f"; nothing is left to design in round {found.ends_in}"
    limit = getattr(config.budget, found.ends_by)
    return f"; the limit of {limit:g} {found.ends_by} ends it first, in round {found.ends_in}"
