"""A client that gives directives to a run from outside its search, in this process or another."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Self

from pelnas.config import SearchConfig
from pelnas.consent import Consent, reached
from pelnas.directives import Directive, Directives, Ground, Order, SetModel, parse
from pelnas.errors import DirectiveError
from pelnas.graph.session.problem import check_order, ground_of
from pelnas.store import RunStore, WaitingOrder

AUTHOR_LIMIT = 60  # characters
WORDS_LIMIT = 2_000  # characters of what a person said that are kept
WAITING_LIMIT = 20  # orders of programs that wait for a person

Permit = Callable[[Order], None]


class SteeringClient:
    """Checks and gives directives to one run; several may steer at once. A context manager.

    It writes to the run's store beside the search, which reads what has arrived
    at its next boundary. A run that no process works on takes them when it is resumed.
    """

    def __init__(self, store: RunStore, permit: Permit | None = None) -> None:
        self.store = store
        self._permit = permit

    @classmethod
    def open(cls, folder: Path, permit: Permit | None = None) -> Self:
        """A client of a run. RunError: no run there, finished, or held on another computer.

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
        return order.say(self.ground.partition.space)

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

    # -- orders that a program asked for ------------------------------------------

    def ask(self, order: Order, author: str, words: str) -> WaitingOrder:
        """Keep an order until a person confirms it; the search does not see it.

        DirectiveError: why it cannot be given, or so many wait already that nobody reads them.
        """
        checked = self.check(order)
        if len(self.store.waiting()) >= WAITING_LIMIT:
            raise DirectiveError(
                f"{WAITING_LIMIT} orders wait for a person already: confirm or decline them first"
            )
        return self.store.append_waiting(checked, _name(author), _line(words)[:WORDS_LIMIT])

    def waits(self, id_: str) -> WaitingOrder:
        """An order that waits, by its id. DirectiveError: none of this id does."""
        waiting = {order.id: order for order in self.store.waiting()}
        if id_ not in waiting:
            known = ", ".join(waiting) or "none"
            raise DirectiveError(
                f"expected the id of an order that waits ({known}), found {id_[:40]!r}"
            )
        return waiting[id_]

    def confirm(self, id_: str, author: str) -> Directive:
        """Give an order that waits; ``author`` answers for it from now on.

        DirectiveError: none of this id waits, or it cannot be given any more.
        """
        order = self.waits(id_)
        self.check(order.order)
        self._decide(order, author, "given")  # first: of two who confirm at once one gives it
        return self.give(order.order, author, order.words)

    def decline(self, id_: str, author: str) -> WaitingOrder:
        """Have an order wait no longer, and not give it. DirectiveError: none of this id waits."""
        order = self.waits(id_)
        self._decide(order, author, "declined")
        return order

    def _decide(self, order: WaitingOrder, author: str, decision: str) -> None:
        if not self.store.decide_waiting(order.number, _name(author), decision):
            raise DirectiveError(
                f"{order.id} was decided on just now: see the directives of the run"
            )

    def _check(self, order: Order, given: list[Directive]) -> Order:
        if self._permit is not None:
            self._permit(order)
        return check_order(order, given, self.store, lambda: self.ground)

    def close(self) -> None:
        """Let the store go; a second call does nothing."""
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
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
