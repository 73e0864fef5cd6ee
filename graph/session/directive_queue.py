"""The queue of directives: read between steps, admitted in order, and held for the nodes.

A directive takes effect at a *boundary*: the moment before a node begins, or
between two candidates of an evaluation. Which boundary it was is stored, so
that a resumed or replayed search obeys it from the same moment on. Designers
of one round run side by side and see the same directives: those that were
there when the first of them began. A pause holds at every boundary.
"""

import threading
from dataclasses import replace
from typing import Any, Protocol

from pelnas.directives import (
    Boundary,
    Control,
    Directive,
    Directives,
    Ground,
    Pause,
    SetModel,
    Undo,
)
from pelnas.directives.directive import Status
from pelnas.errors import InputError
from pelnas.graph.session.position import STEPS
from pelnas.graph.session.problem import check_order
from pelnas.store import RunStore
from pelnas.traces.spans import RUN

POLL_SECONDS = 0.1  # between two looks for the end of a pause
SIDE_BY_SIDE = ("design", "reflect")  # several at once: what they see must not change
BEGINNING = Boundary(0, "plan")


class Host(Protocol):
    """What steering asks of the session that it steers."""

    def obey(self, directives: Directives) -> None:
        """Take these as in force. ModelError: a model among them cannot be reached; nothing changed."""

    def forget_time(self) -> None:
        """Time since the last tick was spent paused."""


class DirectiveQueue:
    """The directives of one open run; may be asked from several threads."""

    def __init__(
        self,
        store: RunStore,
        ground: Ground,
        host: Host,
        stopping: threading.Event,
    ) -> None:
        self._store = store
        self._ground = ground
        self._host = host
        self._stopping = stopping
        self._lock = threading.Lock()
        self._passed = store.boundaries()
        self._known = store.directives()
        self._newest = store.newest_directive()
        self.in_force = Directives(self._known)

    @property
    def known(self) -> tuple[Directive, ...]:
        """Every directive that was read so far, whatever became of it."""
        return tuple(self._known)

    @property
    def scheduled(self) -> bool:
        """Whether directives of a run that is repeated still wait for their boundary."""
        return any(d.status == "pending" and d.scheduled is not None for d in self._known)

    def restore(self) -> None:
        """Obey what was in force when an earlier process ended.

        A model that cannot be reached any more is refused, as when it was asked for.
        """
        while True:
            try:
                self._host.obey(self.in_force)
                return
            except InputError as problem:
                models = [d for d in self.in_force.all if isinstance(d.order, SetModel)]
                if not models:
                    raise
                self._mark(models[-1], "refused", self._last_effect(), str(problem))

    def step(self, boundary: Boundary) -> None:
        """A boundary: admit what has arrived, and wait while paused (or until told to stop)."""
        with self._lock:
            first = boundary not in self._passed
            open_ = first or boundary.node not in SIDE_BY_SIDE
            self._look()
            self._admit(boundary, everything=open_)
            self._wait(boundary, open_)
            if first and not self._stopping.is_set():
                self._store.pass_boundary(boundary)
                self._passed.add(boundary)

    # -- inside: always under the lock ---------------------------------------------

    def _look(self) -> None:
        newest = self._store.newest_directive()
        if newest != self._newest:
            self._known += self._store.directives(after=self._newest)
            self._newest = newest

    def _wait(self, boundary: Boundary, open_: bool) -> None:
        held = self.in_force.paused
        if held is None:
            return
        self._tell("paused", directive=held.id, author=held.author)
        while self.in_force.paused is not None and not self._stopping.wait(POLL_SECONDS):
            self._host.forget_time()
            self._look()
            self._admit(boundary, everything=open_)
        self._host.forget_time()
        if self.in_force.paused is None:
            self._tell("unpaused")

    def _admit(self, boundary: Boundary, *, everything: bool) -> None:
        """Decide on what is pending; about the clock alone while designers work side by side."""
        for directive in [d for d in self._known if d.status == "pending"]:
            if not self._is_due(directive, boundary):
                continue
            if everything or self._only_clock(directive):
                self._decide(directive, boundary)

    def _is_due(self, directive: Directive, boundary: Boundary) -> bool:
        """Whether a directive of a run that is repeated has come to its boundary there."""
        at = directive.scheduled
        if at is None or at == boundary or at in self._passed:
            return True
        # Where rounds overlap, the first steps of one come before the last ones of another.
        return not self._store.config.overlap and _place(at) <= _place(boundary)

    def _only_clock(self, directive: Directive) -> bool:
        order = directive.order
        if isinstance(order, Undo):
            target = next((d for d in self._known if d.id == order.directive), None)
            return target is not None and isinstance(target.order, Pause)
        return isinstance(order, Control)

    def _decide(self, directive: Directive, boundary: Boundary) -> None:
        earlier = [d for d in self._known if d.number < directive.number]
        if directive.scheduled is None:  # in a replay it was checked before
            try:
                # Once more: what was asked without a client was not checked at all.
                check_order(directive.order, earlier, self._store, lambda: self._ground)
            except InputError as problem:
                self._mark(directive, "refused", boundary, str(problem))
                return
        changes = [replace(directive, status="active", effect=boundary)]
        if isinstance(directive.order, Undo):
            target = next(d for d in earlier if d.id == directive.order.directive)
            undone = f"by {directive.id}"
            changes.append(replace(target, status="undone", ended=boundary, reason=undone))
        try:
            self._host.obey(Directives(_changed(self._known, changes)))
        except InputError as problem:
            self._mark(directive, "refused", boundary, str(problem))
            return
        for change in changes:
            self._mark(change, change.status, boundary, change.reason)

    def _mark(self, directive: Directive, status: Status, boundary: Boundary, why: str) -> None:
        with self._store.together():
            self._store.mark_directive(directive, status, boundary, why)
            self._tell(
                "directive",
                directive=directive.id,
                author=directive.author,
                status=status,
                asks=directive.order.say(),
                command=directive.order.command,
                reason=why,
                effect=[boundary.round, boundary.node],
            )
        marked = replace(directive, status=status, reason=why, effect=directive.effect or boundary)
        self._known = _changed(self._known, [marked])
        self.in_force = Directives(self._known)

    def _tell(self, kind: str, **data: Any) -> None:
        """An event of the run as a whole: a step that runs again is paused again, and says so."""
        self._store.event(kind, span=RUN, **data)

    def _last_effect(self) -> Boundary:
        effects = [d.effect for d in self._known if d.effect is not None]
        return max(effects, key=_place, default=BEGINNING)


def _changed(known: list[Directive], changes: list[Directive]) -> list[Directive]:
    latest = {change.number: change for change in changes}
    return [latest.get(directive.number, directive) for directive in known]


def _place(boundary: Boundary) -> tuple[int, int]:
    return boundary.round, STEPS.index(boundary.node)
