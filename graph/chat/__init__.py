"""The conversation about a run."""
