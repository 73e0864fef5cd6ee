"""Language models: one interface, many providers."""

from pelnas.deprecated import renamed

__getattr__ = renamed(__name__, "pelnas.agents.models.base", "pelnas.agents.models.connection")
