"""``python warm_relay.py SOCKET ARGUMENT...``: what ``python`` with the arguments does, forked by ``warm``.

For a library that starts a command itself: the process has the standard files of this one, which
hands a signal to end on, and ends as it ends. A search that it starts is forked as well.
"""

import json
import os
import signal
import socket
import sys


def ask(address: str, request: dict[str, object], files: list[int]) -> None:
    """Hand a request to the process that forks."""
    body = json.dumps(request).encode()
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(address)
        socket.send_fds(server, [b"%12d" % len(body)], files)
        server.sendall(body)


def work(address: str, arguments: list[str]) -> int:
    ours, theirs = socket.socketpair()
    request = {
        "arguments": arguments,
        "cwd": os.getcwd(),
        "environment": dict(os.environ),
        "session": False,
        "relay": [sys.executable, "-I", "-S", os.path.abspath(__file__), address],
    }
    with theirs:
        ask(address, request, [0, 1, 2, theirs.fileno()])
    pid = int(ours.recv(12))
    signal.signal(signal.SIGTERM, lambda *_: os.kill(pid, signal.SIGTERM))
    return int(ours.recv(12))


if __name__ == "__main__":
    sys.exit(work(sys.argv[1], sys.argv[2:]))
