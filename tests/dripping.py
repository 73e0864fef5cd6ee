"""A model server that never comes to an end, and never falls silent."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n"


@contextmanager
def dripping(head: bytes = HEAD, asked: threading.Event | None = None) -> Iterator[str]:
    """The address of a server that sends a head, and then a byte every tenth of a second.

    ``asked`` is set when the first request has come.
    """
    closing = threading.Event()
    listening = socket.create_server(("127.0.0.1", 0))

    def drip(connection: socket.socket) -> None:
        with connection:
            connection.recv(65536)
            if asked is not None:
                asked.set()
            try:
                connection.sendall(head)
                while not closing.wait(0.1):
                    connection.sendall(b" ")
            except OSError:
                return  # nobody listens any more

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=drip, args=(connection,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
    finally:
        closing.set()
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
