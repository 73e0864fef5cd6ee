"""What an order is: how it is written and said, whether a run can obey it, and what it changes."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from math import isfinite
from typing import TYPE_CHECKING, ClassVar, Protocol, Self

from pelnas.architecture import Evaluation
from pelnas.config import SearchConfig
from pelnas.errors import DirectiveError
from pelnas.inputs import bounds
from pelnas.rules.rule import Rule
from pelnas.text import plural

if TYPE_CHECKING:
    from pelnas.directives.conflicts import Standing
    from pelnas.directives.directive import Directive
    from pelnas.spaces import SearchSpace

TEXT_LIMIT = 240  # characters of any text in an order, as rules themselves have it
NUMBER = r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?"
_IN_NICHE = re.compile(r"\s+in\s+niche\s+(?P<niche>[0-9]{1,3})$")


class Records(Protocol):
    """What a run has done, as far as orders report what came of them; read only where asked."""

    @property
    def evaluations(self) -> Sequence[Evaluation]: ...
    @property
    def rules(self) -> Sequence[Rule]: ...
    @property
    def directives(self) -> "Sequence[Directive]": ...
    @property
    def reason(self) -> str:
        """Why the run ended, '' while it has not."""

    def rounds_begun(self) -> int: ...
    def spent(self, budget: str) -> float: ...
    def planned(self, author: str) -> set[int]:
        """The rounds that somebody planned."""

    def waited(self, directive: str) -> float | None:
        """Seconds of a pause that has ended."""


class Order:
    """What a person may ask of a running search: checked numbers, names and texts, never run.

    One subclass is all of one order; ``pelnas.directives.grammar.ORDERS`` names it.
    ``prefix``: how its command begins; ``forms``: what may follow, and what that does.
    ``informs``: whether planners and designers are informed of it. ``grounded``: whether
    it speaks of architectures, niches or features, which have to exist.
    """

    __slots__ = ()
    prefix: ClassVar[str]
    forms: ClassVar[tuple[tuple[str, str], ...]]
    informs: ClassVar[bool] = False
    grounded: ClassVar[bool] = False
    __match_args__: ClassVar[tuple[str, ...]] = ()  # the names of its parts

    @classmethod
    def read(cls, rest: str, form: str) -> Self:
        """The order of a command, of which ``rest`` follows the prefix.

        DirectiveError: not of the ``form``.
        """
        if rest:
            raise wrong(f"{form} alone", rest)
        return cls()

    @property
    def command(self) -> str:
        """The command that stands for it, in its one official form."""
        return f"{self.prefix} {self.arguments}".rstrip()

    @property
    def arguments(self) -> str:
        """What follows the prefix: its parts in their order."""
        return " ".join(map(_written, (getattr(self, name) for name in self.__match_args__)))

    def say(self, space: "SearchSpace | None" = None) -> str:
        """What it asks, as one plain clause; with a space, architectures are explained, too."""
        raise NotImplementedError

    @property
    def place(self) -> int | None:
        """The niche that it speaks of; ``None``: of the whole run."""
        niche: int | None = getattr(self, "niche", None)
        return niche

    @property
    def scope(self) -> str:
        """Where it holds: ``niche 2``, a role such as ``designer``, or ``run``."""
        return "run" if self.place is None else f"niche {self.place}"

    def check(self, beside: "Standing") -> "Order":
        """The order as it will be stored.

        DirectiveError: it does not fit the run, or cannot be obeyed beside what stands.
        """
        return self

    def concerns(self, niche: int | None) -> bool:
        """Whether it matters in a niche; ``None``: anywhere."""
        return True

    def applied(self, config: SearchConfig) -> SearchConfig:
        """A run's configuration once it is obeyed."""
        return config

    def not_in_fork(self, same_unit: bool) -> str:
        """Why it does not hold in a fork of its run, '' where it may.

        ``same_unit``: whether scores mean there what they meant.
        """
        return ""

    def outcome(self, given: "Directive", records: Records) -> str:
        """What came of it, once it took effect; '' where there is nothing to report, or figures show it."""
        return ""


# -- writing and reading ----------------------------------------------------------


def number(value: float) -> str:
    """A number at its shortest that reads back as the same."""
    short = f"{value:g}"
    if float(short) == value:
        return short
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


def _written(part: object) -> str:
    if part is None:
        return "none"
    return number(part) if isinstance(part, int | float) else str(part)


def in_niche(niche: int | None) -> str:
    """`` in niche 2``, or ''."""
    return "" if niche is None else f" in niche {niche}"


def designs_since(
    given: "Directive", records: Records, held: Callable[[Evaluation], bool] = lambda _: True
) -> str:
    """How many evaluated designs since a directive, and until its end, are so: ``3 designs``."""
    since = (e for e in records.evaluations if given.covers(e.candidate.round))
    count = sum(map(held, since))
    return f"{count} {plural(count, 'design')}"


def wrong(form: str, found: str) -> DirectiveError:
    """The exception for a command that is not of its form."""
    return DirectiveError(f"expected {form}, found {found[:80]!r}: write it in that form")


def read_number(text: str, form: str) -> float:
    """A finite number."""
    if not re.fullmatch(NUMBER, text) or not isfinite(float(text)):
        raise wrong(form, text)
    return float(text)


def read_words(rest: str, count: int, form: str) -> list[str]:
    """So many words."""
    words = rest.split()
    if len(words) != count:
        raise wrong(form, rest)
    return words


def split_niche(rest: str) -> tuple[str, int | None]:
    """What stands before ``in niche N``, and N."""
    found = _IN_NICHE.search(rest)
    return (rest[: found.start()], int(found["niche"])) if found else (rest, None)


# -- checking -----------------------------------------------------------------------


def need(satisfied: bool, expected: str, found: object) -> None:
    """DirectiveError: it is not satisfied."""
    if not satisfied:
        raise DirectiveError(f"expected {expected}, found {str(found)[:80]!r}: correct that part")


def need_niche(niche: int | None) -> None:
    """The number that a niche could have, or none."""
    need(niche is None or niche in bounds.NICHE, "the number of a niche", niche)


def need_line(text: str, what: str) -> None:
    """One line of visible characters: nothing that could hide, or pass for another line."""
    visible = all(not unicodedata.category(c).startswith("C") for c in text)
    need(
        bool(text) and visible and " ".join(text.split()) == text and len(text) <= TEXT_LIMIT,
        f"{what} as one line of 1 to {TEXT_LIMIT} characters",
        text,
    )


def need_word(text: str) -> None:
    """A name without blanks."""
    need_line(text, "a name")
    need(" " not in text, "a name without blanks", text)
