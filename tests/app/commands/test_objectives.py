"""Options for objectives and limits, and the command that judges searches with several costs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from pelnas.spaces import get_space

Pelnas = Callable[..., Any]


@pytest.fixture(scope="module")
def tables(tiny_tables: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy tables, and a device that tells energy."""
    folder, space = tmp_path_factory.mktemp("energy"), get_space("tiny")
    for file in tiny_tables.glob("*.parquet"):
        (folder / file.name).write_bytes(file.read_bytes())
    texts = [space.format(space.at(index)) for index in range(space.size)]
    costs = {
        "arch_str": texts,
        "toy10__meter_latency": [1.0 + index % 13 for index in range(space.size)],
        "toy10__meter_energy": [1.0 + 7 * index % 11 for index in range(space.size)],
    }
    parquet.write_table(pa.table(costs), folder / "meter.parquet")
    return folder


def test_searches_with_three_objectives_are_judged_beside_nsga3(
    pelnas: Pelnas, tables: Path, tmp_path: Path
) -> None:
    pytest.importorskip("pymoo")
    command = ["bench", "objectives", "--space", "tiny", "--data", tables, "--dataset", "toy10"]
    command += ["--device", "meter", "--seeds", "1", "--evaluations", "60", "--output", tmp_path]
    document = pelnas(*command, "--json").json()
    ours, theirs = document["runs"]
    assert (ours["method"], theirs["method"]) == ("builtin:evolver", "pymoo NSGA-III")
    for run in (ours, theirs):
        assert run["evaluations"] <= 60
        assert 0.5 < run["seen"] <= 1
    row = next(row for row in document["means"] if row["ahead"])
    assert row["ahead"][0] == pytest.approx(ours["test"] - theirs["test"])
    refused = pelnas(*command, "--objective", "latency", "--objective", "size")
    assert refused.code == 2
    assert "costs that the tables have for meter, energy and latency, found size" in refused.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["latency", "energy", "size"], "expected one or two costs beside accuracy, found 3"),
        (["energy", "energy"], "expected each objective once, found energy, energy"),
        (["power"], "'latency', 'energy', 'parameters', 'flops', 'memory' or 'size'"),
        (["energy"], "expected a device that tells energy, found toy"),
    ],
)
def test_objectives_that_cannot_be_are_refused_in_one_sentence(
    pelnas: Pelnas, table_options: list[str], tmp_path: Path, options: list[str], said: str
) -> None:
    named = [text for name in options for text in ("--objective", name)]
    refused = pelnas("search", *table_options, "--output", tmp_path, *named)
    assert refused.code == 2
    assert said in refused.err
    assert refused.err.count("\n") == 1


def test_the_front_names_its_objectives(
    pelnas: Pelnas, table_options: list[str], tmp_path: Path
) -> None:
    named = ["--objective", "memory", "--limit", "size<=40000"]
    assert pelnas("search", *table_options, "--output", tmp_path, *named).code == 0
    document = pelnas("front", "--output", tmp_path, "--json").json()
    assert document["objectives"] == ["memory", "accuracy"]
    assert [p["memory"] for p in document["front"]] == sorted(
        p["memory"] for p in document["front"]
    )
    assert all(point["size"] <= 40_000 for point in document["front"])
    assert "memory MB" in pelnas("front", "--output", tmp_path).out
    refused = pelnas("bench", "search", *table_options[:2], "--data", tmp_path)
    assert refused.code == 2
