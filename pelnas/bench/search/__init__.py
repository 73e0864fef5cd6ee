"""Searches of many methods at equal budget, judged against the truth."""
