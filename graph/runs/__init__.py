"""Searches from beginning to end: started, resumed, forked, replayed."""
