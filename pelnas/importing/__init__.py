"""Tables that people have, as tables that a search looks up: what is read, checked and kept."""
