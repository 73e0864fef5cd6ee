"""One open run: what its nodes work with."""
