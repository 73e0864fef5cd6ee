"""The graphs behind a LangGraph server."""
