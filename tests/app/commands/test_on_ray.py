"""Trainings, comparisons and benches on a real Ray cluster of this machine, equal to worker processes."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pelnas.architecture import Cost, Design, Prediction
from pelnas.bench.search import run as _imported  # noqa: F401 - before ``_pools``, else it keeps that pool
from pelnas.bench.search.results import FILE
from pelnas.config import Scoring, SearchConfig
from pelnas.pool import PROCESSES, Pool
from pelnas.pool.process_pool import ProcessPool
from pelnas.store import RunStore
from pelnas.training import load_trained

pytestmark = [pytest.mark.slow, pytest.mark.alone]
Pelnas = Callable[..., Any]
CELLS = ("|nor_conv_3x3~0|+|skip_connect~0|nor_conv_3x3~1|", "|nor_conv_1x1~0|+|none~0|none~1|")


@pytest.fixture(autouse=True)
def _pools(ray_pool: Pool, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """``ray`` is the cluster of all tests, which is small."""

    def pool(name: str) -> Pool:
        return ProcessPool() if name == PROCESSES else ray_pool

    monkeypatch.setattr("pelnas.pool.get_pool", pool)
    monkeypatch.setattr("pelnas.bench.search.run.get_pool", pool)
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def trained(pelnas: Pelnas, folder: Path, pool: str) -> tuple[list[Any], list[dict[str, Any]]]:
    images, rng = folder / "few.npz", np.random.default_rng(0)
    folder.mkdir()
    pixels = rng.integers(0, 100, (120, 8, 8), dtype=np.uint8)
    np.savez(images, images=pixels, labels=np.arange(120) % 4)
    config = SearchConfig(space="tiny", images=images, output=folder, scoring=Scoring(resolution=8))
    with RunStore.create(config, "s") as store:
        store.set_niches(["all"])
        (id_, *_) = store.replace_designs(0, 0, [Design(CELLS[0], "m", "free")], [])
        store.record_prediction(id_, Prediction(1.0), 1, 1.0)
        store.record_cost(id_, Cost(1.0))
        store.finish("done")
        run = store.folder
    how = ["--epochs", "2", "--batch", "32", "--threads", "1", "--seeds", "2", "--other-images"]
    records = pelnas("train", run, *CELLS, *how, "--pool", pool, "--json").json()["trainings"]
    fields = (
        "architecture",
        "seed",
        "test_accuracy",
        "validation_accuracy",
        "epochs",
        "best_epoch",
    )
    figures = sorted([record[name] for name in fields] for record in records)
    ordered = sorted(records, key=lambda record: (record["architecture"], record["seed"]))
    return figures, [load_trained(Path(record["weights"]))[0].state_dict() for record in ordered]


def test_trainings_end_with_the_same_weights(pelnas: Pelnas, tmp_path: Path) -> None:
    mine, here = trained(pelnas, tmp_path / "here", PROCESSES)
    theirs, there = trained(pelnas, tmp_path / "there", "ray")
    assert len(mine) == 4
    assert mine == theirs
    for one, other in zip(here, there, strict=True):
        assert all(torch.equal(one[name], other[name]) for name in one)


def compared(pelnas: Pelnas, tables: Path, output: Path, pool: str) -> list[Any]:
    of = ["--space", "tiny", "--device", "toy", "--dataset", "toy10", "--data", tables]
    how = ["--accuracy", "table", "--rounds", "1", "--per-niche", "2", "--seeds", "2"]
    found = pelnas("compare", *of, *how, "--output", output, "--pool", pool, "--json").json()
    fields = ("model", "seed", "front", "evaluations", "hypervolume")
    return sorted([run[name] for name in fields] for run in found["runs"])  # they come as they end


def test_a_comparison_is_the_same(pelnas: Pelnas, tiny_tables: Path, tmp_path: Path) -> None:
    mine = compared(pelnas, tiny_tables, tmp_path / "here", PROCESSES)
    assert mine == compared(pelnas, tiny_tables, tmp_path / "there", "ray")


def benched(pelnas: Pelnas, tables: Path, to: Path, pool: str) -> list[Any]:
    of = ["bench", "search", "--space", "tiny", "--data", tables, "--device", "toy", "--seeds", "2"]
    how = ["--evaluations", "60", "--method", "random", "--method", "local-search", "--jobs", "2"]
    assert pelnas(*of, *how, "--to", to, "--pool", pool).code == 0
    lines = [json.loads(line) for line in (to / FILE).read_text().splitlines()]
    for line in lines:
        for name in ("cpu", "seconds", "run", "settings"):  # times, a folder, the pool's name
            line.pop(name)
    return sorted(json.dumps(line, sort_keys=True) for line in lines)


def test_a_bench_is_the_same(pelnas: Pelnas, tiny_tables: Path, tmp_path: Path) -> None:
    mine = benched(pelnas, tiny_tables, tmp_path / "here", PROCESSES)
    assert len(mine) == 4
    assert mine == benched(pelnas, tiny_tables, tmp_path / "there", "ray")
