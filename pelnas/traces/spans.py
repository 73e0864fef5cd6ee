"""The pieces of work of a run by name: fixed before the work starts, the same after a kill.

::

    run
    ├── inherit                     in a fork: what it took over, evaluated and measured here
    ├── r3                          round 3, counted from 0
    │   ├── r3.plan
    │   │   └── r3.planner.a0           a model call is a span of its own
    │   ├── r3.design.n2                one designer, in niche 2
    │   │   ├── r3.designer.n2.a0
    │   │   ├── r3.design.n2.t1         the first tool that it calls
    │   │   └── r3.designer.n2.a1       the same, asked again for a valid answer
    │   ├── r3.evaluate
    │   │   ├── r3.evaluate.score       a tool at work
    │   │   └── r3.evaluate.latency
    │   ├── r3.reflect.n2
    │   └── r3.learn
    └── report

A span begins with an event of ``OPENING`` and ends with one of ``CLOSING``;
every other event belongs to the span that it names.
"""

RUN = "run"
INHERIT = "inherit"
REPORT = "report"
OPENING = {
    "run-started": "run",
    "run-resumed": "run",
    "round-begun": "round",
    "step-begun": "step",
    "call-begun": "call",
    "tool-begun": "tool",
}
CLOSING = {
    "run-stopped": "run",
    "run-finished": "run",
    "round-done": "round",
    "round-cut": "round",
    "step-ended": "step",
    "call": "call",
    "tool-ended": "tool",
}


def round_span(round_: int) -> str:
    """``r3``."""
    return f"r{round_}"


def step_span(step: str, round_: int, niche: int | None = None) -> str:
    """``r3.design.n2``, or ``r3.plan`` where no niche is meant."""
    return f"r{round_}.{step}" + ("" if niche is None else f".n{niche}")
