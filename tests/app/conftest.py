"""One small finished run, and a command that runs in this process."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pelnas.app.main import run

SMALL = ["--space", "tiny", "--rounds", "2", "--per-niche", "3"]


class Outcome(NamedTuple):
    """How a command ended and what it wrote."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """The one document of ``--json``."""
        assert self.out, self.err
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
def table_options(tiny_tables: Path) -> list[str]:
    """Options of a search that looks everything up."""
    return [*SMALL, "--data", str(tiny_tables), "--device", "toy", "--accuracy", "table"]


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, table_options: list[str]) -> Path:
    """The output folder of one finished run."""
    output = tmp_path_factory.mktemp("output") / "runs"
    assert run(["search", *table_options, "--output", str(output), "--name", "done"]) == 0
    return output
