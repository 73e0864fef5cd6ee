"""Callable tools over the core."""
