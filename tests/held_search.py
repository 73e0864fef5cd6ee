"""What a process of a test does: go on with a run, and wait at every plan until it is let go.

It prints the kind of each event as it happens. After a plan it waits for a line of its input;
once that is closed it waits no more. So what a test asks meanwhile arrives at a known boundary.
"""

import sys
from pathlib import Path

from pelnas import Search
from pelnas.store import Event


def tell(event: Event) -> None:
    print(event.kind, flush=True)
    if event.kind == "round-planned":
        sys.stdin.readline()


if __name__ == "__main__":
    Search.resume(Path(sys.argv[1])).run(tell)
