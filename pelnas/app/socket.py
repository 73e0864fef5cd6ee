"""A port of this machine that nobody else's machine can reach."""

import socket

from pelnas.errors import ConfigError

LOOPBACK = "127.0.0.1"


def listen(port: int) -> socket.socket:
    """A listening socket on loopback; 0: any port that is free. ConfigError: it is taken."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((LOOPBACK, port))
        listening.listen()
    except (OSError, OverflowError) as error:
        listening.close()
        raise ConfigError(
            f"port {port} cannot be used ({error}): give another --port, or none for any"
        ) from None
    return listening
