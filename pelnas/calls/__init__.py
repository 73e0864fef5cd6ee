"""Calls to language models: their record, tokens and prices."""
