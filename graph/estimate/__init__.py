"""What a search is likely to use."""
