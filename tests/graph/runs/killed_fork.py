"""What a process of ``test_fork`` does: fork a run, and kill itself before one of the commits."""

import os
import signal
import sys
from itertools import count
from pathlib import Path

from pelnas.graph.runs.fork import fork
from pelnas.store.database import Database


def work(run: Path, output: Path, commits: int) -> None:
    """``commits``: before which one of the new run's, counted from 1, it dies."""
    left = count(commits, -1)

    def on_statement(sql: str) -> None:
        if sql == "COMMIT" and next(left) == 1:
            os.kill(os.getpid(), signal.SIGKILL)

    prepare = Database._prepare

    def watched(database: Database, read_only: bool, new: bool) -> None:
        if not read_only:
            database._connection.set_trace_callback(on_statement)
        prepare(database, read_only, new)

    Database._prepare = watched  # type: ignore[method-assign]
    fork(run, 1, {"output": output}).session.close()


if __name__ == "__main__":
    work(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
