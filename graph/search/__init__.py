"""The search: its graph, its nodes, and their briefs."""

from pelnas.deprecated import renamed

__getattr__ = renamed(__name__, "pelnas.graph.search.graph")
