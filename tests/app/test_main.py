"""Every bad input ends with one sentence and code 2; nothing is half done."""

import ctypes
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import warm

from pelnas.app.main import _share_memory
from pelnas.store import RunStore, find_run

Pelnas = Callable[..., Any]
COMMAND = str(Path(sys.executable).with_name("pelnas"))


def one_sentence(outcome: tuple[int, str, str]) -> str:
    """The complaint of a refused command."""
    code, out, err = outcome
    assert (code, out) == (2, "")
    assert err.startswith("pelnas: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    return err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["search", "--space", "nosuch"], "use one of nasbench201, "),
        (["search", "--device", "nosuch"], "--data"),
        (["search", "--accuracy", "nosuch"], "rank-sum"),
        (["search", "--accuracy", "table"], "--data"),
        (["search", "--model", "nosuch:large"], "nosuch"),
        (["search", "--model", "large"], "provider:model"),
        (["search", "--model", "builtin:nosuch"], "builtin:evolver"),
        (["search", "--model", "local:missing.gguf"], "missing.gguf"),
        (["search", "--partition", "nosuch"], "partition"),
        (["search", "--rounds", "0"], "rounds"),
        (["search", "--rounds", "many"], "--rounds"),
        (["search", "--temperature", "9"], "temperature"),
        (["search", "--by-hand", "--designer-model", "openai:x"], "expected one designer"),
        (["search", "--concurrency", "openai:gpt=4"], "PROVIDER=N"),
        (["search", "--concurrency", "4", "--concurrency", "5"], "all others"),
        (["search", "--concurrency", "openia=4"], "did you mean openai"),
        (["search", "--model", "openai:x", "--planner-fallback", "builtin:no"], "built in are"),
        (["search", "--max-minutes", "-1"], "budget.minutes"),
        (["search", "--config", "missing.toml"], "missing.toml"),
        (["search", "--images", "missing"], "missing"),
        (["search", "--images", "empty"], "empty"),
        (["search", "--images", "text.npz"], "text.npz"),
        (["search", "--rules-from", "missing"], "no run"),
        (["search", "--data", "empty", "--device", "board"], "empty"),
        (["search", "--data", "missing", "--device", "board"], "missing"),
        (["search", "--oops"], "--oops"),
        (["score", "--space", "tiny", "|foo~0|"], "|foo~0|"),
        (["score", "--space", "tiny", "125"], "0 to 124"),
        (["latency", "--space", "tiny", "|foo~0|"], "|foo~0|"),
        (["resume"], "pelnas search"),
        (["front", "missing"], "pelnas search"),
        (["rules", "missing"], "pelnas search"),
        (["devices", "--data", "missing"], "missing"),
        (["nosuch"], "nosuch"),
    ],
)
def test_bad_input_is_told_in_one_sentence(
    pelnas: Pelnas,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    sentence: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.npz").write_text("no archive")
    assert sentence in one_sentence(pelnas(*arguments))
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (["--device", "tooy"], "did you mean 'toy'"),
        (["--dataset", "cifar10"], "the tables of"),
    ],
)
def test_a_name_that_no_column_has(
    pelnas: Pelnas, table_options: list[str], tmp_path: Path, change: list[str], sentence: str
) -> None:
    command = ["search", *table_options, "--output", tmp_path / "runs", *change]
    assert sentence in one_sentence(pelnas(*command))
    assert not (tmp_path / "runs").exists()


def test_unknown_settings_of_a_file(pelnas: Pelnas, tmp_path: Path) -> None:
    file = tmp_path / "search.toml"
    file.write_text("round = 3\n")
    assert "'round'" in one_sentence(pelnas("search", "--config", file))


def test_a_run_in_use_is_refused_by_another_process(
    table_options: list[str], tmp_path: Path, pelnas: Pelnas
) -> None:
    output = tmp_path / "runs"
    short = [*table_options, "--output", output, "--max-minutes", "0.000001"]
    assert pelnas("search", *short).code == 0
    with RunStore.open(find_run(output, "last")):
        command = [COMMAND, "resume", "--output", str(output)]
        done = warm.run(command, capture_output=True, text=True, timeout=120)
    assert "in use" in one_sentence((done.returncode, done.stdout, done.stderr))


def test_a_finished_run_is_not_resumed(pelnas: Pelnas, finished: Path) -> None:
    sentence = one_sentence(pelnas("resume", "--output", finished))
    assert "finished" in sentence


@pytest.mark.parametrize("arguments", [["spaces", "--json"], ["spaces"], ["--help"]])
def test_a_closed_pipe_is_quiet(arguments: list[str]) -> None:
    read, write = os.pipe()
    os.close(read)
    command = [COMMAND, *arguments]
    done = subprocess.run(
        command, stdout=write, stderr=subprocess.PIPE, text=True, check=False, timeout=120
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (1, "")


def test_the_package_is_the_command_as_well() -> None:
    command = [sys.executable, "-m", "pelnas", "spaces", "--oops"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert "--oops" in one_sentence((done.returncode, done.stdout, done.stderr))


def test_the_version(pelnas: Pelnas) -> None:
    outcome = pelnas("--version")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith("pelnas ")


def test_a_c_library_without_arenas_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: SimpleNamespace())
    _share_memory()


def test_threads_share_two_heaps_of_glibc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    asked: list[tuple[int, int]] = []
    library = SimpleNamespace(mallopt=lambda *given: asked.append(given))
    monkeypatch.setattr(ctypes, "CDLL", lambda _: library)
    _share_memory()
    assert asked == [(-8, 2)]  # M_ARENA_MAX of malloc.h
