"""Where a run is: derived from its own records alone, so that nothing else can contradict them.

A step is done when the event of its end is stored; it is stored last. What comes later in a
round shows that what comes before it is done, also in runs of an older pelnas.

Rounds follow one another, or overlap: then round 1 is planned and designed before round 0 is
evaluated, round 2 before round 1 is, and so on. At most two rounds are under way at a time.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from pelnas.store import PlanEntry, RunStore
from pelnas.traces.spans import INHERIT

ALL_ROUNDS = "all rounds done"  # reasons why a search ends; budgets and people have their own
NOTHING_LEFT = "nothing is left to design"

STEPS = ("plan", "design", "evaluate", "reflect", "learn")  # of a round, in their order


@dataclass(frozen=True)
class Position:
    """The step that comes next, in a round counted from 0.

    ``waiting``: the entries of the plan that ``design`` or ``reflect`` has not done yet.
    ``ahead``: the round before this one is designed, and waits to be evaluated.
    """

    round: int
    step: str
    waiting: tuple[PlanEntry, ...] = ()
    ahead: bool = False

    @property
    def oldest(self) -> int:
        """The first round that is not done; all before it should be evaluated."""
        return self.round - self.ahead

    def is_due(self, step: str, round_: int | None, niche: int | None) -> bool:
        """Whether this very piece of work comes next; ``None``: no niche of its own."""
        if step != self.step:
            return False
        if niche is None:
            return True
        return round_ == self.round and niche in (entry.niche for entry in self.waiting)


def position(store: RunStore, opens: Callable[[int], bool] | None = None) -> Position:
    """The next step of a run. Costs what one or two rounds hold, however long the run is.

    ``opens``: of a run whose rounds overlap, whether a round may begin while the one before it waits
    to be evaluated. Asked only where this is to be decided: what has begun goes on.
    """
    first = store.first_round()
    done = store.last_round_done()
    if done >= first and _under_way(store, done, "learn"):
        return Position(done, "learn")
    at = _within(store, max(done + 1, first))
    if opens is None or at.step != "evaluate" or _has_begun(store, at):
        return at
    return _ahead(store, at.round + 1, opens) or at


def is_behind(store: RunStore, at: Position) -> bool:
    """Whether rounds before this one lack evaluations, or a fork has not made them its own yet."""
    fork = store.origin() is not None
    untouched = (
        at.step == "plan" and at.round == store.first_round() and not store.ended_here(INHERIT)
    )
    return (fork and untouched) or store.lacks_evaluations(before=at.oldest)


def _within(store: RunStore, round_: int) -> Position:
    plan = tuple(entry for _, entry in store.plans(round_))
    begun, ended = store.steps(round_)
    names = {step for step, _ in begun}

    def left(step: str) -> tuple[PlanEntry, ...]:
        return tuple(entry for entry in plan if (step, entry.niche) not in ended)

    if not plan:
        return Position(round_, "plan")
    if "learn" in names or ("reflect" in names and not left("reflect")):
        return Position(round_, "learn")
    if "reflect" in names:
        return Position(round_, "reflect", left("reflect"))
    candidates, *missing = store.progress(round_)
    if "design" in names and "evaluate" not in names:  # drafts may have been evaluated already
        waiting = left("design")
        return Position(round_, "design", waiting) if waiting else Position(round_, "evaluate")
    if "evaluate" in names or min(missing) < candidates:
        whole = ("evaluate", None) in ended and not any(missing)
        return Position(round_, "reflect", plan) if whole else Position(round_, "evaluate")
    return Position(round_, "design", plan) if ("plan", None) in ended else Position(round_, "plan")


def _ahead(store: RunStore, round_: int, opens: Callable[[int], bool]) -> Position | None:
    """What is left to plan or design of the round after one that waits; ``None``: nothing."""
    begun, ended = store.steps(round_)
    if not begun:
        return Position(round_, "plan", ahead=True) if opens(round_) else None
    at = _within(store, round_)
    is_void = at.step == "plan" and ("plan", None) in ended  # nothing was left to design
    if at.step not in ("plan", "design") or is_void:
        return None
    return replace(at, ahead=True)


def _has_begun(store: RunStore, at: Position) -> bool:
    return (at.step, None) in store.steps(at.round)[0]


def _under_way(store: RunStore, round_: int, step: str) -> bool:
    begun, ended = store.steps(round_)
    return (step, None) in begun and (step, None) not in ended
