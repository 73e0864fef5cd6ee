"""The run store: one folder a run, one SQLite file in it, atomic writes, one writer at a time."""

from pelnas.budget import Spent
from pelnas.store.folder import write_atomically
from pelnas.store.records import Event, Origin, PlanEntry, RunSummary, Sources
from pelnas.store.run import RunStore
from pelnas.store.runs import find_run, list_runs, newest_first, upgrade
from pelnas.store.trainings import TrainingRecord
from pelnas.store.waiting import WaitingOrder

__all__ = [
    "Event",
    "Origin",
    "PlanEntry",
    "RunStore",
    "RunSummary",
    "Sources",
    "Spent",
    "TrainingRecord",
    "WaitingOrder",
    "find_run",
    "list_runs",
    "newest_first",
    "upgrade",
    "write_atomically",
]
