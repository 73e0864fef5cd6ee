"""The MCP server: questions to a run, and steering, as tools."""

from typing import Literal

Steering = Literal["ask", "off", "trust"]  # what an order of a model needs
