from pathlib import Path

import pytest

from pelnas.bench.search.results import FILE, Key, Result, Results
from pelnas.errors import StoreError


def key(seed: int) -> Key:
    return Key("tiny", "toy10", "toy", "table", "random", "", seed, 100)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    held = Result(
        key(0), evaluations=3, curve={"hv": [0.5, None]}, tried=[7, 5], scores=[0.25, 1.0]
    )
    results = Results(tmp_path / "bench")
    results.append(held)
    assert Results(tmp_path / "bench").read() == [held]


def test_a_line_that_a_kill_cut_is_left_out_and_does_not_spoil_the_next(tmp_path: Path) -> None:
    results = Results(tmp_path)
    results.append(Result(key(0)))
    results.append(Result(key(1)))
    whole = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(whole[:-20])
    again = Results(tmp_path)
    assert [one.key.seed for one in again.read()] == [0]
    again.append(Result(key(2)))
    assert [one.key.seed for one in again.read()] == [0, 2]


def test_a_failure_counts_until_the_search_succeeds(tmp_path: Path) -> None:
    results = Results(tmp_path)
    results.append(Result(key(0), error="no such table"))
    assert [one.error for one in results.read()] == ["no such table"]
    results.append(Result(key(0), evaluations=5))
    results.append(Result(key(0), error="late"))
    assert [(one.error, one.evaluations) for one in results.read()] == [("", 5)]


def test_two_benches_do_not_share_a_folder(tmp_path: Path) -> None:
    one, other = Results(tmp_path), Results(tmp_path)
    with one.alone(), pytest.raises(StoreError, match="another bench"), other.alone():
        pass
    with other.alone():
        pass


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="give another one by --to"):
        Results(tmp_path / "file")
