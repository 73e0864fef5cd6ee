"""A surrogate of accuracy and latency, fitted to a run's own evaluations."""

from pelnas.surrogate.model import Seen, Surrogate
from pelnas.surrogate.proposals import propose

__all__ = ["Seen", "Surrogate", "propose"]
