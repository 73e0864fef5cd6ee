"""The evaluation tools in the form that LangChain and LangGraph agents call."""

from typing import TYPE_CHECKING, Any

from pelnas.errors import InputError
from pelnas.tools.evaluation import Evaluator

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool


def evaluation_tools(evaluator: Evaluator) -> "list[BaseTool]":
    """``score_architecture`` and ``lookup_latency`` for a tool-calling agent.

    A malformed architecture comes back to the agent as the sentence that says
    what was expected, not as a failure of the graph.
    """
    from langchain_core.tools import StructuredTool, ToolException

    def score_architecture(architecture: str) -> dict[str, Any]:
        """Predicted accuracy score (higher is better) of one architecture, untrained."""
        try:
            (prediction,) = evaluator.predict([architecture])
            parameters, flops = evaluator.sizes(architecture)
        except InputError as error:
            raise ToolException(str(error)) from None
        return {
            "score": prediction.score,
            "unit": evaluator.predictor.unit,
            "uncertainty": prediction.uncertainty,
            "proxies": dict(prediction.proxies),
            "parameters": parameters,
            "flops": flops,
        }

    def lookup_latency(architecture: str) -> dict[str, Any]:
        """Latency in ms (lower is better) of one architecture on the search's device."""
        try:
            (cost,) = evaluator.costs([architecture])
        except InputError as error:
            raise ToolException(str(error)) from None
        return {
            "device": evaluator.device.name,
            "feasible": cost.feasible,
            "latency_ms": cost.latency_ms,
            "spread_ms": cost.spread_ms,
            "energy_mj": cost.energy_mj,
        }

    return [
        StructuredTool.from_function(function, handle_tool_error=True)
        for function in (score_architecture, lookup_latency)
    ]
