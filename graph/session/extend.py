"""Extending a run beyond its limits: larger ones are stored with it as directives of ``resume``.

A run that its rounds or a budget ended goes on where it was; one that a person stopped does,
too: whoever resumes it takes the stop back. One that has nothing left to design stays finished.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Self

from pelnas.budget import Meter
from pelnas.config import Budget, SearchConfig
from pelnas.directives import Directive, Directives, Order, SetBudget, SetRounds, Undo
from pelnas.directives.order import number
from pelnas.errors import RunError
from pelnas.graph.session.position import NOTHING_LEFT
from pelnas.store import RunStore
from pelnas.traces.spans import RUN

AUTHOR = "resume"


@dataclass(frozen=True)
class Extension:
    """What a run that is opened again is to obey beside its directives.

    ``config``: as it will be then; ``reopens``: whether the run had finished.
    """

    orders: tuple[Order, ...]
    config: SearchConfig
    reopens: bool

    @classmethod
    def of(cls, store: RunStore, rounds: int | None, budget: Budget) -> Self:
        """For a run of which nobody else writes. RunError: it has finished, and cannot go on so."""
        standing = _standing(store)
        orders = list(_changes(Directives(standing).applied(store.config), rounds, budget))
        reopens, stop = store.status == "finished", Directives(standing).stop
        if reopens and stop is not None:
            orders.append(Undo(stop.id))
        first = store.newest_directive() + 1
        new = [
            Directive(n, order, AUTHOR, "", 0.0, "active") for n, order in enumerate(orders, first)
        ]
        config = Directives([*standing, *new]).applied(store.config)
        if reopens:
            _refuse(store, config)
        return cls(tuple(orders), config, reopens)

    def give(self, store: RunStore) -> None:
        """Keep it with the run, which goes on from here; all or nothing."""
        if not (self.orders or self.reopens):
            return
        with store.together():
            for order in self.orders:
                store.append_directive(order, AUTHOR, order.command)
            if self.reopens:
                store.reopen()
                told = "; ".join(order.say() for order in self.orders)
                store.event("run-reopened", span=RUN, message=told)


def goes_on(store: RunStore, ended: str) -> bool:
    """Whether a run that was about to report that it has ``ended`` is to go on after all.

    It was killed then, and has larger limits since.
    """
    standing = Directives(_standing(store))
    config = standing.applied(store.config)
    return ended != NOTHING_LEFT and standing.stop is None and not any(_used_up(store, config))


def _standing(store: RunStore) -> list[Directive]:
    """The directives in force, and those that will be from the next boundary on."""
    given = [d for d in store.directives() if d.status in ("pending", "active")]
    taken_back = {d.order.directive for d in given if isinstance(d.order, Undo)}
    return [replace(d, status="active") for d in given if d.id not in taken_back]


def _changes(now: SearchConfig, rounds: int | None, budget: Budget) -> Iterator[Order]:
    if rounds is not None and rounds != now.rounds:
        yield SetRounds(rounds)
    for name, limit in budget.model_dump().items():
        if limit is not None and limit != getattr(now.budget, name):
            yield SetBudget(name, limit)


def _refuse(store: RunStore, config: SearchConfig) -> None:
    """RunError: these limits leave the run nothing to do."""
    if store.reason == NOTHING_LEFT:
        raise RunError(
            f"run {store.name} is finished: {NOTHING_LEFT} in its space, or within its directives,"
            " and larger limits do not change that: start a new search"
        )
    found = list(_used_up(store, config))
    if found:
        what = " and ".join(said for said, _ in found)
        how = " ".join(option for _, option in found)
        raise RunError(
            f"run {store.name} is finished: {what}:"
            f" give more to go on, such as pelnas resume {store.name} {how}"
        )


def _used_up(store: RunStore, config: SearchConfig) -> Iterator[tuple[str, str]]:
    """(what is used up, the option that gives twice as much)."""
    done = store.last_round_done() + 1
    if done >= config.rounds:
        yield f"{done} of {config.rounds} rounds are done", f"--rounds {2 * config.rounds}"
    for line in Meter(config.budget, store).used_up():
        yield f"{line} are used", f"--max-{line.name} {number(2 * line.limit)}"
