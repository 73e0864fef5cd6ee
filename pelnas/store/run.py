"""One run = one folder with one SQLite file."""

import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from filelock import BaseFileLock
from pydantic import ValidationError

from pelnas.config import SearchConfig
from pelnas.errors import RunError
from pelnas.store import folder as places
from pelnas.store.calls import Calls
from pelnas.store.database import Database
from pelnas.store.designs import Designs
from pelnas.store.directives import DirectiveLog
from pelnas.store.evaluations import Evaluations
from pelnas.store.inheritance import Inheritance
from pelnas.store.journal import Journal
from pelnas.store.migrations import MIGRATIONS
from pelnas.store.mirror import EVENTS, Mirror
from pelnas.store.records import Event
from pelnas.store.rules import Rules
from pelnas.store.trainings import Trainings


class RunStore(Designs, Evaluations, Calls, Rules, Journal, Trainings, DirectiveLog, Inheritance):
    """Everything a run knows, safe to use from several threads of one process.

    Each writing method is one transaction that is on disk when it returns: a
    process killed at any moment loses nothing that it was told is stored.
    StoreError, from any of them: the folder cannot be written (disk full,
    read-only, opened by ``read``); what was stored before is kept.

    Made by ``create``, ``open`` or ``read``; a context manager that closes itself.
    The lock belongs to the process and to what it forks: start workers by spawn.
    """

    def __init__(
        self, folder: Path, config: SearchConfig, database: Database, guard: BaseFileLock | None
    ) -> None:
        self.folder = folder
        self.config = config
        self._database = database
        self._guard = guard
        self._subscribers: list[Callable[[Event], None]] = []
        self._batch: list[Event] | None = None
        self._mirror = Mirror(folder / EVENTS)
        if guard is not None:
            self._mirror_or_close()

    @classmethod
    def create(
        cls,
        config: SearchConfig,
        stamp: str | None = None,
        begin: Callable[[Self], None] | None = None,
    ) -> Self:
        """Begin a run in ``config.output/<stamp>-<name>`` and hold it.

        ``stamp`` defaults to the local time; a taken folder name gets a number.
        ``begin`` stores what the run is to know at once: where it fails, or the
        process dies in it, there is no run.
        StoreError: the folder cannot be made.
        """
        stamp = stamp or datetime.now().strftime("%Y%m%d-%H%M%S")
        making = places.begin_folder(config.output)
        guard = places.lock(making)
        try:
            cls._make(making, config, guard, begin)
            folder = places.publish(making, config.output, stamp, config.name)
        except BaseException:
            places.unlock(making, guard)
            shutil.rmtree(making, ignore_errors=True)
            raise
        return cls._held(folder, config, guard)

    @classmethod
    def _make(
        cls,
        folder: Path,
        config: SearchConfig,
        guard: BaseFileLock,
        begin: Callable[[Self], None] | None,
    ) -> None:
        """What a run consists of, in a folder that is none yet; closed again, since it will move."""
        store = cls(folder, config, Database(folder / places.DATABASE), guard)
        try:
            if begin is not None:
                begin(store)
                store._reconcile()
        finally:
            store._database.close()
        places.write_atomically(folder / places.CONFIG, config.model_dump_json(indent=2) + "\n")

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Hold an existing run, to go on with it.

        RunError: no run there, in use by another process, or from a newer pelnas.
        """
        config = _read_config(folder)
        return cls._held(folder, config, places.lock(folder))

    @classmethod
    def _held(cls, folder: Path, config: SearchConfig, guard: BaseFileLock) -> Self:
        try:
            return cls(folder, config, Database(folder / places.DATABASE), guard)
        except BaseException:
            places.unlock(folder, guard)
            raise

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Look at a run without holding it, also while a search writes to it.

        RunError: no run there, or from a newer pelnas.
        """
        config = _read_config(folder)
        database = Database(folder / places.DATABASE, read_only=True)
        if database.version < len(MIGRATIONS):  # begun by an older pelnas, or killed as it began
            database.close()
            cls.open(folder).close()
            database = Database(folder / places.DATABASE, read_only=True)
        return cls(folder, config, database, None)

    @classmethod
    def steer(cls, folder: Path) -> Self:
        """Append directives to a run without holding it, also while a search runs.

        RunError: no run there, a finished one, one that another computer holds, or from
        a newer pelnas.
        """
        config = _read_config(folder)
        host = places.elsewhere(folder)
        if host:
            raise RunError(
                f"the run in {folder} is held on another computer, {host[:80]}: steer it there, or,"
                f" if its search has ended, go on with it here by 'pelnas resume {folder}'"
            )
        cls.read(folder).close()  # brings the tables of an older pelnas up to date
        store = cls(folder, config, Database(folder / places.DATABASE), None)
        if store.status != "finished":
            return store
        with store:
            raise RunError(
                f"run {store.name} is finished ({store.reason}): there is nothing to steer any more;"
                " 'pelnas resume' with more --rounds goes on with it, 'pelnas fork' from an earlier round"
            )

    @property
    def name(self) -> str:
        """The name of the folder, by which ``find_run`` finds it."""
        return self.folder.resolve().name

    def close(self) -> None:
        """Close the file and let the run go; a second call does nothing."""
        self._database.close()
        if self._guard is not None:
            places.unlock(self.folder, self._guard)

    def _mirror_or_close(self) -> None:
        try:
            self._reconcile()
        except BaseException:
            self._database.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _read_config(folder: Path) -> SearchConfig:
    if not places.is_run(folder):
        raise RunError(f"there is no run in {folder}: name the folder of one, see `pelnas runs`")
    places.check_plain(folder)
    try:
        text = (folder / places.CONFIG).read_text(encoding="utf-8")
        return SearchConfig.model_validate_json(text)
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        problem = str(error).splitlines()[0]
        raise RunError(
            f"expected the settings of a run in {folder / places.CONFIG}, found {problem}:"
            f" restore the file, or read the run with the pelnas that wrote it"
        ) from None
