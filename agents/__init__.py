"""Language models and the agents that use them."""
