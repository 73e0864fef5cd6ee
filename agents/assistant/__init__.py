"""The agent that people talk to about a run."""
