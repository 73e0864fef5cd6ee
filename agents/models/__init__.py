"""Language models: one interface, many providers."""
