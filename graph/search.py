"""The wiring: plan, design in every niche, evaluate, reflect in every niche, learn, again, report.

::

    prepare -> plan -> design (one for each niche) -> evaluate
                 ^                                        |
                 |                            reflect (one for each niche)
                 |                                        |
                 +------------------- learn <-------------+
                                        |
                                      report

A run that goes on after its end begins with the next plan, or with the evaluation that a
limit of time cut off; a fork with ``inherit``, which evaluates what it took over.
"""

from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph

from pelnas.graph.nodes import Nodes
from pelnas.graph.sessions import Sessions
from pelnas.graph.state import NicheTask, SearchInput, SearchState


def build_graph(
    sessions: Sessions,
    checkpointer: BaseCheckpointSaver[str] | None = None,
    given: type[SearchInput] = SearchState,
) -> CompiledStateGraph[SearchState, Any, Any, SearchState]:
    """The search over a set of open runs, compiled. ``given``: what it takes at its start."""
    nodes = Nodes(sessions)
    builder = StateGraph(SearchState, input_schema=given)
    builder.add_node("prepare", nodes.prepare)
    builder.add_node("inherit", nodes.inherit)
    builder.add_node("plan", nodes.plan)
    builder.add_node("design", nodes.design, input_schema=NicheTask)
    builder.add_node("evaluate", nodes.evaluate)
    builder.add_node("reflect", nodes.reflect, input_schema=NicheTask)
    builder.add_node("learn", nodes.learn)
    builder.add_node("report", nodes.report)
    builder.add_edge(START, "prepare")
    builder.add_conditional_edges("prepare", nodes.to_first, ["inherit", "plan", "evaluate"])
    builder.add_conditional_edges("inherit", nodes.to_plan, ["plan", "report"])
    builder.add_conditional_edges("plan", nodes.to_designers, ["design", "report"])
    builder.add_edge("design", "evaluate")
    builder.add_conditional_edges("evaluate", nodes.to_reflection, ["reflect", "report"])
    builder.add_edge("reflect", "learn")
    builder.add_conditional_edges("learn", nodes.to_plan, ["plan", "report"])
    builder.add_edge("report", END)
    return builder.compile(checkpointer=checkpointer, name="search")
