"""What a run found, as values, files and a page: read from the store, nothing is computed twice."""

from pelnas.report.agent_stats import AgentStats, agent_stats
from pelnas.report.front import FrontPoint, front_json, front_points, write_front
from pelnas.report.niches import NicheRow, niche_rows
from pelnas.report.summary import summary, write_all

__all__ = [
    "AgentStats",
    "FrontPoint",
    "NicheRow",
    "agent_stats",
    "front_json",
    "front_points",
    "niche_rows",
    "summary",
    "write_all",
    "write_front",
]
