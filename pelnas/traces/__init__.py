"""What happened in a run, put together from its events and records: spans, stories, exports."""
