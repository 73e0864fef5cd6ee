"""Whether a run is whole: its records, what they say of each other, and its files.

``verify`` reads everything and writes nothing. ``repair`` rebuilds what follows from what is
left: files from records, damaged events from their copy in ``events.jsonl``, and damaged
scores and costs by dropping them, so that ``resume`` computes them again.
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from pelnas.errors import InputError, RunError
from pelnas.report.front import front_json
from pelnas.report.summary import write_all
from pelnas.store import RunStore, folder, settings
from pelnas.store.database import Database
from pelnas.store.events_file import EVENTS, Mirror, events_in, newest
from pelnas.store.sums import ORPHAN, Damaged, forget

REPORTS = ("front.json", "front.csv", "front.png", "report.html")
COMPUTED = ("predictions", "costs", "measured", "footprints")  # what a search can compute again
LOST = "events.lost.jsonl"  # events that the database no longer knows

# What was reported as events and what is stored, each compared with the other. A fork took over
# events of evaluations that it may compute anew.
_REPORTED = """
WITH forked(seq) AS (SELECT coalesce(max(seq), 0) FROM events WHERE kind = 'run-forked'),
designed(id) AS (SELECT value FROM events, json_each(data, '$.candidates') WHERE kind = 'designed'),
told(kind, id, own) AS (
    SELECT kind, json_extract(data, '$.candidate'), seq > (SELECT seq FROM forked)
    FROM events WHERE kind IN ('predicted', 'evaluated')),
called(id) AS (SELECT json_extract(data, '$.call') FROM events WHERE kind = 'call'),
planned(round) AS (SELECT round FROM events WHERE kind = 'round-planned'),
done(round) AS (SELECT max(round) FROM events WHERE kind = 'round-done')
"""
_CROSS_CHECKS = {
    "design {} was reported and is not stored": "SELECT id FROM designed EXCEPT SELECT id FROM designs",
    "design {} is stored and was not reported": "SELECT id FROM designs EXCEPT SELECT id FROM designed",
    "candidate {} was reported as scored and has no score": (
        "SELECT id FROM told WHERE kind = 'predicted' AND own EXCEPT SELECT candidate FROM predictions"
    ),
    "candidate {} was reported as evaluated and has no cost": (
        "SELECT id FROM told WHERE kind = 'evaluated' AND own EXCEPT SELECT candidate FROM costs"
    ),
    "candidate {} has a score that was not reported": (
        "SELECT candidate FROM predictions EXCEPT SELECT id FROM told WHERE kind = 'predicted'"
    ),
    "candidate {} has a cost that was not reported": (
        "SELECT candidate FROM costs EXCEPT SELECT id FROM told WHERE kind = 'evaluated'"
    ),
    "candidate {} has an evaluation and no design": (
        "SELECT candidate FROM (SELECT candidate FROM predictions UNION SELECT candidate FROM costs)"
        " EXCEPT SELECT id FROM designs"
    ),
    "candidate {} of a finished round has no evaluation": (
        "SELECT id FROM designs WHERE round <= (SELECT round FROM done) EXCEPT"
        " SELECT candidate FROM predictions JOIN costs USING (candidate)"
    ),
    "call {} was reported and is not stored": "SELECT id FROM called EXCEPT SELECT id FROM calls",
    "call {} is stored and was not reported": "SELECT id FROM calls EXCEPT SELECT id FROM called",
    "the plan of round {} is stored and was not reported": (
        "SELECT round FROM plans EXCEPT SELECT round FROM planned"
    ),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is not as it was stored. ``remedy``: what ``repair`` does, or '' for nothing."""

    text: str
    remedy: str = ""


def verify(run: Path) -> list[Problem]:
    """Everything that is wrong with a run; empty for a whole one. RunError: there is no run."""
    if not (run / folder.DATABASE).is_file():
        raise RunError(f"there is no run in {run}: name the folder of one, see `pelnas runs`")
    try:
        folder.check_plain(run)
        database = Database(run / folder.DATABASE, read_only=True)
    except InputError as problem:
        return [Problem(str(problem))]
    with closing(database):
        damage = database.damaged()
        found = [_of_record(problem) for problem in damage]
        if all(isinstance(problem, Damaged) for problem in damage):  # else nothing can be read
            found += [*_settings(run, database), *_mirror(run, database), *_crossed(database)]
    return found or list(_files(run))


def repair(run: Path) -> list[str]:
    """Mend what can be mended; what was done, a phrase each. RunError: no run, or one in use."""
    folder.check_plain(run)
    guard = folder.lock(run)
    try:
        with closing(Database(run / folder.DATABASE)) as database:
            done = list(_restored_settings(run, database))
            config, _ = settings.read_config(run)
            store = RunStore(run, config, database, None)
            done += [
                *_without_orphans(database),
                *_restored_events(store, database),
                *_dropped(database),
            ]
    finally:
        folder.unlock(run, guard)
    return done + _rebuilt(run)


def _of_record(problem: Damaged | str) -> Problem:
    if not isinstance(problem, Damaged):
        return Problem(f"the database is damaged: {problem}")
    if problem.problem == ORPHAN:
        return Problem(f"damaged record: {problem}", "drop the checksum")
    if problem.table in COMPUTED:
        return Problem(f"damaged record: {problem}", "drop it; resume computes it again")
    if problem.table == "events":
        return Problem(f"damaged record: {problem}", f"restore it from {EVENTS}")
    return Problem(f"damaged record: {problem}")


def _settings(run: Path, database: Database) -> Iterator[Problem]:
    kept = settings.sealed(database)
    try:
        _, text = settings.read_config(run)
        settings.check_seal(database, run / folder.CONFIG, text)
    except RunError as problem:
        yield Problem(str(problem), f"restore {folder.CONFIG}" if kept else "")


def _mirror(run: Path, database: Database) -> Iterator[Problem]:
    found = folder.content(run, EVENTS)
    known = int(database.rows("SELECT coalesce(max(seq), 0) FROM events")[0][0])
    if newest(found) > known:
        yield Problem(
            f"{EVENTS} holds events up to {newest(found)}, the database up to {known}: what"
            " happened in between is lost",
            f"keep them in {LOST}; resume does again what is lost",
        )
    elif found.count(b"\n") < known and not folder.in_use(run):
        yield Problem(f"{EVENTS} lacks events", "write it anew")


def _crossed(database: Database) -> Iterator[Problem]:
    for text, sql in _CROSS_CHECKS.items():
        for (found,) in database.rows(_REPORTED + sql):
            yield Problem(text.format(found))


def _files(run: Path) -> Iterator[Problem]:
    with RunStore.read(run) as store:
        for training in store.trainings():
            if not (run / training.weights).is_file():
                yield Problem(f"the weights of {training.id} are missing: {training.weights}")
        if store.status != "finished":
            return
        missing = [name for name in REPORTS if not (run / name).is_file()]
        yield from (Problem(f"{name} is missing", "write it anew") for name in missing)
        found = folder.content(run, "front.json")
        if "front.json" not in missing and found != front_json(store).encode():
            yield Problem("front.json is not the front of this run", "write it anew")


def _restored_settings(run: Path, database: Database) -> Iterator[str]:
    kept = settings.sealed(database)
    if kept is not None and any(_settings(run, database)):
        folder.write_atomically(run / folder.CONFIG, kept)
        yield f"restored {folder.CONFIG}"


def _restored_events(store: RunStore, database: Database) -> Iterator[str]:
    """Damaged events from their lines, then the lines from all events."""
    path = store.folder / EVENTS
    lines = folder.content(store.folder, EVENTS)
    damaged = {record.key[0] for record in _damaged(database, "events")}
    restored = [event for event in events_in(lines) if event.seq in damaged]
    store.restore_events(restored)
    if restored:
        yield f"restored {len(restored)} damaged events from {EVENTS}"
    if any(_mirror(store.folder, database)):
        if newest(lines) > store.newest_event():
            folder.write_atomically(store.folder / LOST, lines)
            yield f"kept the old {EVENTS} as {LOST}"
        folder.write_atomically(path, b"")
        Mirror(path).reconcile(store.events())
        yield f"wrote {EVENTS} anew"


def _without_orphans(database: Database) -> Iterator[str]:
    orphans = [
        record
        for record in database.damaged()
        if isinstance(record, Damaged) and record.problem == ORPHAN
    ]
    with database.transaction() as connection:
        for record in orphans:
            forget(connection, record)
    if orphans:
        yield f"dropped {len(orphans)} damaged checksums"


def _dropped(database: Database) -> Iterator[str]:
    """Scores and costs that are damaged, so that the run is not finished any more."""
    for table in COMPUTED:
        key = "architecture" if table == "measured" else "candidate"
        damaged = _damaged(database, table)
        with database.transaction() as connection:
            for record in damaged:
                connection.execute(f"DELETE FROM {table} WHERE {key} = ?", record.key)  # noqa: S608 - our names
                forget(connection, record)
            if damaged:
                connection.execute("UPDATE run SET finished = NULL, reason = ''")
        if damaged:
            yield f"dropped {len(damaged)} damaged {table}: `pelnas resume` computes them again"


def _damaged(database: Database, table: str) -> list[Damaged]:
    found = database.damaged()
    return [record for record in found if isinstance(record, Damaged) and record.table == table]


def _rebuilt(run: Path) -> list[str]:
    """The reports of a finished run, where one is missing or not of this run."""
    if not any(problem.remedy for problem in _files(run)):
        return []
    with RunStore.read(run) as store:
        write_all(store)
    return ["wrote the reports anew"]
