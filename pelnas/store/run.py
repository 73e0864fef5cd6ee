"""One run = one folder with one SQLite file."""

import shutil
from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Self
from uuid import uuid4

from filelock import BaseFileLock

from pelnas.config import SearchConfig
from pelnas.errors import RunError
from pelnas.store import folder as places
from pelnas.store import settings
from pelnas.store.calls import Calls
from pelnas.store.database import Database
from pelnas.store.decoded import Decoded
from pelnas.store.directives import DirectiveLog
from pelnas.store.evaluations import Evaluations
from pelnas.store.events_file import EVENTS, Mirror
from pelnas.store.inheritance import Inheritance
from pelnas.store.records import Event
from pelnas.store.rules import Rules
from pelnas.store.run_record import Journal
from pelnas.store.trainings import Trainings
from pelnas.store.waiting import WaitingOrders


class RunStore(
    Evaluations, Calls, Rules, Journal, Trainings, DirectiveLog, WaitingOrders, Inheritance
):
    """Everything a run knows, safe to use from several threads of one process.

    Each writing method is one transaction that is on disk when it returns: a
    process killed at any moment loses nothing that was reported as stored.
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
        self._decoded = None if guard is None else Decoded(database)
        self._subscribers: list[Callable[[Event], None]] = []
        self._batch: list[Event] | None = None
        self._mirror = Mirror(folder / EVENTS)
        if guard is not None:
            self._reconcile()

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
        text = settings.text_of(config)
        database = Database(folder / places.DATABASE, new=True)
        try:
            store = cls(folder, config, database, guard)
            store.set_identity(uuid4().hex, _version())
            settings.seal(database, text)
            if begin is not None:
                begin(store)
                store._reconcile()
        finally:
            database.close()
        places.write_atomically(folder / places.CONFIG, text)

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Hold an existing run, to go on with it; one of an older pelnas is brought up to date.

        RunError: no run there, in use by another process, from a newer pelnas, damaged, or
        with other settings than it was made with.
        """
        config, text = settings.read_config(folder)

        def check(database: Database) -> None:
            settings.seal(database, text)  # of a run from before there were seals
            settings.check_seal(database, folder / places.CONFIG, text)
            _check_records(database)

        store = cls._held(folder, config, places.lock(folder), check)
        # Whoever made or renamed it may have died before its name was on disk: a power cut would
        # take the whole run away, with what is stored from here on.
        with suppress(PermissionError):  # a folder of others, which may not be listed
            places.sync_folder(folder.absolute().parent)
        return store

    @classmethod
    def _held(
        cls,
        folder: Path,
        config: SearchConfig,
        guard: BaseFileLock,
        check: Callable[[Database], None] = lambda _: None,
    ) -> Self:
        with ExitStack() as undo:
            undo.callback(places.unlock, folder, guard)
            database = Database(folder / places.DATABASE)
            undo.callback(database.close)
            check(database)
            store = cls(folder, config, database, guard)
            undo.pop_all()
        return store

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Look at a run without holding it, also while a search writes to it; nothing is written.

        A run of an older pelnas is read as it is at this moment.
        RunError: no run there, from a newer pelnas, or with other settings than it was made with.
        """
        config, text = settings.read_config(folder)
        database = Database(folder / places.DATABASE, read_only=True)
        try:
            settings.check_seal(database, folder / places.CONFIG, text)
        except BaseException:
            database.close()
            raise
        return cls(folder, config, database, None)

    @classmethod
    def steer(cls, folder: Path) -> Self:
        """Append directives to a run without holding it, also while a search runs.

        RunError: no run there, a finished one, one that another computer holds, or from
        a newer pelnas.
        """
        places.check_plain(folder)
        host = places.elsewhere(folder)
        if host:
            raise RunError(
                f"the run in {folder} is held on another computer, {host[:80]}: steer it there, or,"
                f" if its search has ended, go on with it here by 'pelnas resume {folder}'"
            )
        with cls.read(folder) as seen:  # refuses what is no whole run
            config = seen.config
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

    def check_records(self) -> None:
        """Read all of the file. RunError: it is damaged, in its structure or in a record."""
        _check_records(self._database)

    def close(self) -> None:
        """Close the file and let the run go; a second call does nothing."""
        self._database.close()
        if self._guard is not None:
            places.unlock(self.folder, self._guard)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _check_records(database: Database) -> None:
    """RunError: the file of a run is damaged, in its structure or in a record."""
    damaged = database.damaged()
    if damaged:
        more = f", and {len(damaged) - 1} more" if damaged[1:] else ""
        raise RunError(
            f"{database.path} is damaged: {damaged[0]}{more}: see `pelnas verify"
            f" {database.path.parent}`, which says what can be repaired"
        )


@cache
def _version() -> str:
    """Of this package: reading its metadata takes as long as making a run's tables."""
    return version("pelnas")
