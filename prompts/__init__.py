"""Prompt files, one each, and their loader."""
