"""A surrogate of accuracy and latency, fitted to a run's own evaluations."""
