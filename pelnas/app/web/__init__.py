"""The local web page: a server on loopback, a JSON interface over the run store, and static files."""
