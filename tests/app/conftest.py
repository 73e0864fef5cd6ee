"""One small finished run, and a small benchmark folder, shared by the tests of the commands."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pelnas.app.main import run
from pelnas.spaces import get_space

SMALL = ["--space", "tiny", "--rounds", "2", "--per-niche", "3"]


class Outcome(NamedTuple):
    """How a command ended and what it wrote."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """The one document of ``--json``."""
        return json.loads(self.out)


Command = Callable[..., Outcome]


@pytest.fixture
def pelnas(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command in this process."""

    def command(*arguments: object) -> Outcome:
        code = run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return command


@pytest.fixture(scope="session")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made-up benchmark of the tiny space: one device that cannot run everything, one data set."""
    import pyarrow as pa
    from pyarrow import parquet

    space = get_space("tiny")
    cells = [space.at(index) for index in range(space.size)]
    flops = [space.flops(cell, 10, 32) / 1e6 for cell in cells]
    live = [space.features(cell)["paths"] > 0 for cell in cells]
    accuracy = [
        10.0 + 60 * alive * (1 - 1 / (1 + cost)) for cost, alive in zip(flops, live, strict=True)
    ]
    latency = [0.1 + cost if alive else -1.0 for cost, alive in zip(flops, live, strict=True)]
    folder = tmp_path_factory.mktemp("tables")
    texts = [space.format(cell) for cell in cells]
    costs = pa.table({"arch_str": texts, "toy__board_latency": latency})
    parquet.write_table(costs, folder / "costs.parquet")
    columns = {"arch_str": texts, "toy_val_acc_9": accuracy, "toy_test_acc_9": accuracy}
    parquet.write_table(pa.table(columns), folder / "accuracy.parquet")
    return folder


@pytest.fixture(scope="session")
def table_options(tables: Path) -> list[str]:
    """Options of a search that looks everything up."""
    return [*SMALL, "--data", str(tables), "--device", "board", "--accuracy", "table"]


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, table_options: list[str]) -> Path:
    """The output folder of one finished run."""
    output = tmp_path_factory.mktemp("output") / "runs"
    assert run(["search", *table_options, "--output", str(output), "--name", "done"]) == 0
    return output
