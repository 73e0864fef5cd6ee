"""Tool calls of an agent as spans of the trace; a run can be stopped between two of them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pelnas.agents.toolbox import Watch
from pelnas.errors import BudgetExhausted
from pelnas.graph.session.session import Session

OF_NETWORKS = ("score_architecture", "lookup_latency", "what_if")  # the tools that judge one


def traced(session: Session) -> Watch:
    """The context of each call of a toolbox: a span of the run's trace."""

    @contextmanager
    def watch(number: int, name: str) -> Iterator[Callable[[bool], None]]:
        session.check_stop()
        if session.meter.minutes_left() == 0:
            raise BudgetExhausted(session.meter.exhausted())
        networks = int(name in OF_NETWORKS)
        with session.tracer.tool(f"t{number}", name or "unknown", networks):
            yield lambda refused: session.event("tool-refused") if refused else None

    return watch
