"""The search: its graph, its nodes, and what each agent is told."""
