"""A search when the disk is full, whichever file it meets first: one sentence, and a run to go on with."""

import subprocess
import sys
from pathlib import Path

import pytest

# No file may grow beyond so many bytes: what a full disk answers, at a known place.
FULL = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
from pelnas.app.main import run
sys.exit(run(sys.argv[2:]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("size", [100, 20_000, 70_000, 200_000, 300_000, 400_000, 900_000])
def test_a_full_disk_is_one_sentence(table_options: list[str], tmp_path: Path, size: int) -> None:
    command = ["search", *table_options, "--output", str(tmp_path / "runs")]
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(size), *command],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 2, done.stderr
    assert last.startswith("pelnas: ")
    assert "free disk space" in last
    assert "Traceback" not in done.stderr


def test_what_nobody_foresaw_of_the_disk_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from pelnas.app.main import run

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "/dev/full")

    monkeypatch.setattr("pelnas.app.display.output.print_table", full)
    assert run(["spaces"]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "No space left on device" in err
