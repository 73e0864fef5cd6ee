"""What a process of a test does: go on with a run, and wait at every plan until it is let go.

It prints the kind of each event as it happens. After a plan it waits for a line of its input;
once that is closed it waits no more. So what a test asks meanwhile arrives at a known boundary.
"""

import os
import sys
from pathlib import Path

from pelnas import Search
from pelnas.store import Event


def tell(event: Event) -> None:
    """Events come from several threads: each line is one write, which no other can split."""
    os.write(sys.stdout.fileno(), f"{event.kind}\n".encode())
    if event.kind == "round-planned":
        sys.stdin.readline()


if __name__ == "__main__":
    Search.resume(Path(sys.argv[1])).run(tell)
