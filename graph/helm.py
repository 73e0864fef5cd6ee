"""The helm: give directives to a run from outside its search, in this process or in another."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

from pelnas.config import SearchConfig
from pelnas.consent import Consent, reached
from pelnas.directives import Directive, Directives, Ground, Order, SetModel, check, parse, say
from pelnas.errors import DirectiveError
from pelnas.graph.bench import ground_of
from pelnas.store import RunStore

AUTHOR_LIMIT = 60  # characters
WORDS_LIMIT = 2_000  # characters of what a person said that are kept

Permit = Callable[[Order], None]


class Helm:
    """Checks and gives directives to one run; several may steer at once. A context manager.

    It writes to the run's store beside the search, which reads what has arrived
    at its next boundary. A run that no process works on takes them when it is resumed.
    """

    def __init__(self, store: RunStore, permit: Permit | None = None) -> None:
        self.store = store
        self._permit = permit

    @classmethod
    def open(cls, folder: Path, permit: Permit | None = None) -> Self:
        """The helm of a run. RunError: no run there, finished, or held on another computer.

        ``permit``: raises DirectiveError where an order is not for whoever gives it here.
        """
        return cls(RunStore.steer(folder), permit)

    @cached_property
    def ground(self) -> Ground:
        """What orders about architectures are checked against; made when first needed."""
        return ground_of(self.store.config)

    def directives(self) -> list[Directive]:
        """Everything that was asked of the run, in order, with what became of it."""
        return self.store.directives()

    def in_force(self) -> Directives:
        """The directives that the search obeys now."""
        return Directives(self.directives())

    def check(self, order: Order) -> Order:
        """The order in its official form. DirectiveError: why it cannot be given."""
        return self._check(order, self.directives())

    def say(self, order: Order) -> str:
        """An order in plain words, for a person to confirm, architectures explained."""
        return say(order, self.ground.partition.space)

    def give(self, order: Order | str, author: str, words: str = "") -> Directive:
        """Check an order (or its command) and append it; it is pending then.

        ``author``: who asks; ``words``: what they said, the command itself if empty.
        DirectiveError: why it cannot be given; nothing is appended then.
        RunError: the run has finished meanwhile.
        """
        text = order if isinstance(order, str) else ""
        wanted = parse(order) if isinstance(order, str) else order
        while True:
            given = self.directives()
            checked = self._check(wanted, given)
            newest = given[-1].number if given else 0
            said = _line(words or text)[:WORDS_LIMIT]
            directive = self.store.append_directive(checked, _name(author), said, after=newest)
            if directive is not None:  # else somebody else was faster: check beside theirs
                if isinstance(checked, SetModel):  # the user names it, or let somebody do so
                    Consent(reached(SearchConfig(), [checked.model]))
                return directive

    def _check(self, order: Order, given: list[Directive]) -> Order:
        if self._permit is not None:
            self._permit(order)
        return check(
            order,
            given,
            lambda: self.ground,
            designed={candidate.architecture for candidate in self.store.candidates()},
            rules={rule.id for rule in self.store.rules()},
        )

    def close(self) -> None:
        """Let the store go; a second call does nothing."""
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _line(text: str) -> str:
    """One line without what a terminal or a reader could not see."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _name(author: str) -> str:
    """An author as one short visible line."""
    line = _line(author)
    if not line:
        raise DirectiveError("expected who gives the directive, found nobody: give an author")
    return line[:AUTHOR_LIMIT]
