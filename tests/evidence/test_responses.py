"""Answers are timed beside a real search in another process, and beside its pause."""

from pathlib import Path

import numpy as np
import pytest
from responses import QUESTIONS, measure

from pelnas.config import SearchConfig
from pelnas.errors import RunError
from pelnas.store import RunStore, list_runs

pytestmark = [pytest.mark.slow, pytest.mark.alone]


def config(tables: Path, output: Path, rounds: int) -> SearchConfig:
    return SearchConfig(
        space="tiny", device="host", data=tables, dataset="toy10", accuracy="table",
        rounds=rounds, per_niche=1, output=output,
    )  # fmt: skip


def test_every_question_is_timed_while_a_search_works_and_while_it_rests(
    tiny_tables: Path, tmp_path: Path
) -> None:
    found = measure(config(tiny_tables, tmp_path, 200), 2, np.random.default_rng(0), gap=0.0)
    assert set(found.working) == set(found.resting) == {q.split()[0] for q in QUESTIONS}
    for times in (*found.working.values(), *found.resting.values()):
        assert len(times) == 2
        assert min(times) > 0
    assert found.pause > 0
    (run,) = list_runs(tmp_path)
    with RunStore.read(run.folder) as store:
        kinds = [event.kind for event in store.events_of("run")]
        assert store.status != "finished", "it is stopped as by Ctrl-C, and can go on"
    assert "paused" in kinds  # once for each designer that it met


def test_a_search_that_ends_too_soon_is_no_measurement(tiny_tables: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="give it more rounds"):
        measure(config(tiny_tables, tmp_path, 1), 6, np.random.default_rng(0), gap=0.5)
