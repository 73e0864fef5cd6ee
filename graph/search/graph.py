"""The wiring: plan, design in every niche, evaluate, reflect in every niche, learn, again, report.

::

    prepare -> plan -> design (one for each niche) -> evaluate
                 ^                                        |
                 |                            reflect (one for each niche)
                 |                                        |
                 +------------------- learn <-------------+
                                        |
                                      report

With overlapping rounds, ``evaluate`` after ``design`` leads back to ``plan`` without doing anything
where the next round is to be designed first, and ``learn`` to ``evaluate`` where that has been done.

Every decision asks the records of the run what comes next, so a run that goes on after a stop, a
kill or its end begins with whatever is left to do; a fork with ``inherit``, which evaluates
what it took over.
"""

from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph

from pelnas.graph.search.nodes import Nodes
from pelnas.graph.search.state import NicheTask, SearchInput, SearchState
from pelnas.graph.session.open_runs import Sessions
from pelnas.graph.session.position import STEPS

ONWARD = [*STEPS, "report"]  # where every step may lead


def build_graph(
    sessions: Sessions,
    checkpointer: BaseCheckpointSaver[str] | None = None,
    given: type[SearchInput] = SearchState,
) -> CompiledStateGraph[SearchState, Any, Any, SearchState]:
    """The search over a set of open runs, compiled. ``given``: what it takes at its start."""
    nodes = Nodes(sessions)
    builder = StateGraph(SearchState, input_schema=given)
    builder.add_node("prepare", sessions.node("prepare", nodes.prepare))
    builder.add_node("inherit", sessions.node("inherit", nodes.inherit))
    builder.add_node("plan", sessions.node("plan", nodes.plan))
    builder.add_node("design", sessions.node("design", nodes.design), input_schema=NicheTask)
    builder.add_node("evaluate", sessions.node("evaluate", nodes.evaluate))
    builder.add_node("reflect", sessions.node("reflect", nodes.reflect), input_schema=NicheTask)
    builder.add_node("learn", sessions.node("learn", nodes.learn))
    builder.add_node("report", sessions.node("report", nodes.report))
    builder.add_edge(START, "prepare")
    builder.add_conditional_edges("prepare", nodes.to_first, ["inherit", *ONWARD])
    for node in ("inherit", "plan", "evaluate", "learn"):
        builder.add_conditional_edges(node, nodes.onward, ONWARD)
    builder.add_edge("design", "evaluate")  # once, when all that work side by side are done
    builder.add_edge("reflect", "learn")
    builder.add_conditional_edges("report", nodes.after_report, [*ONWARD, END])
    return builder.compile(checkpointer=checkpointer, name="search")
