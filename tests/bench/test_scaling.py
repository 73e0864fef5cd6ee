"""What a search costs, by the command that publishes it."""

from pathlib import Path

import pytest

from pelnas.bench.scaling import costs
from pelnas.errors import InputError


def test_each_length_is_measured_alone(
    tiny_tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = ["--data", str(tiny_tables), "--space", "tiny", "--device", "toy"]
    options += ["--dataset", "toy10", "--accuracy", "table", "--per-niche", "2"]
    (one,) = costs(options, [1])
    assert (one.rounds, one.evaluations) == (1, 6)
    assert 0.1 < one.cpu_seconds < 600
    assert one.peak_mb > 50
    assert list(tmp_path.iterdir()) == []


def test_a_search_that_fails_is_told(tiny_tables: Path) -> None:
    with pytest.raises(InputError, match=r"the search of 1 rounds failed: .*no-such-device"):
        list(costs(["--data", str(tiny_tables), "--device", "no-such-device"], [1]))
