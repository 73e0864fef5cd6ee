"""Models for tests, demonstrations and docs."""
