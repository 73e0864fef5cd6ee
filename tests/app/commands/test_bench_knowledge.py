"""``pelnas bench knowledge`` and ``models``: from tables to figures, and a sentence where all fails."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fakes import PoolHere

Pelnas = Callable[..., Any]


@pytest.fixture
def two_devices(cell_tables: Path, tmp_path: Path) -> Path:
    """Tables of NAS-Bench-201 with a second device, on which 1x1 convolutions cost most."""
    import pyarrow as pa
    from pyarrow import parquet

    folder = tmp_path / "tables"
    folder.mkdir()
    (folder / "accuracies.parquet").symlink_to(cell_tables / "accuracies.parquet")
    costs = parquet.read_table(cell_tables / "costs.parquet")
    texts = costs["arch_str"].to_pylist()
    other = [
        1 + 3 * t.count("nor_conv_1x1") + t.count("nor_conv_3x3") + i / 1e6
        for i, t in enumerate(texts)
    ]
    parquet.write_table(
        costs.append_column("toy10__other_latency", pa.array(other)), folder / "costs.parquet"
    )
    return folder


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pelnas.bench.search.run.get_pool", lambda _: PoolHere())


@pytest.mark.slow
def test_knowledge_of_one_place_is_tried_at_the_other(
    pelnas: Pelnas, two_devices: Path, tmp_path: Path
) -> None:
    command = ["bench", "knowledge", "--data", two_devices, "--seeds", 1, "--jobs", 1]
    command += ["--evaluations", 60, "--learned", 120, "--to", tmp_path / "bench"]
    outcome = pelnas(*command, "--json")
    assert outcome.code == 0, outcome.err
    found = outcome.json()
    assert found["learned_from"] == 120  # of the one other place
    assert {row["cell"][2] for row in found["rows"]} == {"toy", "other"}
    assert {(row["evaluations"], row["seeds"]) for row in found["rows"]} == {(60, 1)}
    for row in found["rows"]:
        assert 0 < row["plain"] <= 1
        assert 0 < row["informed"] <= 1
        assert row["ahead"]["value"] == pytest.approx(row["informed"] - row["plain"])
    again = pelnas(*command)  # nothing is run again
    assert "seed 0" not in again.err
    assert "better in" in again.out
    assert "the 1 other places come from 120 evaluations" in again.out


def test_where_all_searches_fail_it_is_said(
    pelnas: Pelnas, two_devices: Path, tmp_path: Path
) -> None:
    command = ["bench", "knowledge", "--data", two_devices, "--device", "nosuch", "--seeds", 1]
    outcome = pelnas(*command, "--to", tmp_path / "bench", "--jobs", 1)
    assert outcome.code == 2
    assert "all 1 searches failed, the first one so: " in outcome.err.splitlines()[-1]


def test_a_model_whose_searches_all_fail_ends_the_command_so(
    pelnas: Pelnas, two_devices: Path, tmp_path: Path
) -> None:
    command = ["bench", "models", "--data", two_devices, "--dataset", "toy10", "--device", "nosuch"]
    command += ["--model", "builtin:evolver", "--seeds", 1, "--to", tmp_path / "models"]
    outcome = pelnas(*command)
    assert outcome.code == 2
    assert "searches failed, the first one so: " in outcome.err.splitlines()[-1]


@pytest.mark.parametrize("name", ["models", "search"])
def test_two_forms_of_output_are_one_too_many(pelnas: Pelnas, tmp_path: Path, name: str) -> None:
    outcome = pelnas("bench", name, "--data", tmp_path, "--markdown", "--json")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "found --markdown and --json" in outcome.err
