"""A search that is stopped ends cleanly, says so, and goes on where it was."""

import os
import pty
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
import warm
from patience import SECONDS, limited, until

from pelnas.app.signals import stopped_by_signals
from pelnas.pool.base import result_of
from pelnas.store import RunStore, find_run, list_runs

COMMAND = str(Path(sys.executable).with_name("pelnas"))
LONG = ["--rounds", "12", "--per-niche", "1"]


def wait_for(text: str, process: "subprocess.Popen[str]") -> str:
    """Lines of its standard error up to the first that holds ``text``."""
    assert process.stderr is not None
    seen = []
    with limited(process):
        for line in process.stderr:
            seen.append(line)
            if text in line:
                return "".join(seen)
    raise AssertionError(f"{text!r} never came in {''.join(seen)!r}")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_cleanly_and_resume_finishes(
    pelnas: Callable[..., Any], table_options: list[str], tmp_path: Path, number: signal.Signals
) -> None:
    command = [COMMAND, "search", *table_options, *LONG, "--output", str(tmp_path), "--json"]
    with warm.Warm(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        wait_for("round 1 of 12 done", process)
        process.send_signal(number)
        out, err = process.communicate(timeout=120)
    assert process.returncode == 128 + number
    assert '"status": "running"' in out
    folder = find_run(tmp_path, "last")
    assert err.endswith(f"pelnas: stopped; go on with: pelnas resume {folder}\n")
    assert "Traceback" not in err
    summary = pelnas("resume", "--output", tmp_path, "--json").json()
    assert summary["status"] == "finished"
    with RunStore.read(folder) as store:
        texts = [evaluation.candidate.architecture for evaluation in store.evaluations()]
        assert len(texts) == len(set(texts)) == summary["spent"]["evaluations"]
        assert store.ignored() == 0


def test_a_comparison_is_stopped_as_cleanly(table_options: list[str], tmp_path: Path) -> None:
    command = [COMMAND, "compare", "--seeds", "1", *table_options, "--rounds", "400"]
    command += ["--per-niche", "1", "--output", str(tmp_path)]
    with warm.Warm(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        until(lambda: any("run-started" in f.read_text() for f in tmp_path.glob("2*/events.jsonl")))
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert "once more stops at once" in err
    assert err.endswith(f"pelnas: stopped; the runs that have ended stay in {tmp_path}\n")
    assert [run.status for run in list_runs(tmp_path)] == ["stopped"]


def test_an_interrupt_of_any_command_is_told(monkeypatch: pytest.MonkeyPatch, pelnas: Any) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pelnas.app.display.output.print_table", interrupted)
    outcome = pelnas("spaces")
    assert (outcome.code, outcome.err) == (130, "pelnas: stopped\n")


def test_a_signal_ends_a_search_that_waits_for_a_model(
    table_options: list[str], tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
        command = [COMMAND, "search", *table_options, "--output", str(tmp_path)]
        command += ["--model", "openai:silent", "--base-url", address]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        with warm.Warm(command, **pipes) as process:
            silent.settimeout(SECONDS)
            connection, _ = silent.accept()
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=60)
        connection.close()
    assert process.returncode == 130
    folder = find_run(tmp_path, "last")
    assert err.endswith(f"pelnas: stopped; go on with: pelnas resume {folder}\n")


def test_a_second_signal_ends_a_search_at_once_or_finds_it_ended(
    table_options: list[str], tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
        command = [COMMAND, "search", *table_options, "--output", str(tmp_path)]
        command += ["--model", "openai:silent", "--base-url", address]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        with warm.Warm(command, **pipes) as process:
            silent.settimeout(SECONDS)
            connection, _ = silent.accept()
            process.send_signal(signal.SIGINT)
            wait_for("once more stops at once", process)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=60)
        connection.close()
    assert process.returncode == 130
    assert err.startswith("pelnas: stopped")
    assert "Traceback" not in err


def test_a_signal_that_another_thread_takes_is_heard(capfd: pytest.CaptureFixture[str]) -> None:
    future: Future[str] = Future()
    heard = threading.Event()

    def take() -> None:
        signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
        future.set_result("heard" if heard.wait(SECONDS) else "not heard")

    with stopped_by_signals(heard.set, "stopping") as received:
        threading.Timer(0.05, take).start()  # until then the main thread waits for the result
        assert result_of(future) == "heard"
    assert received == [signal.SIGTERM]
    assert capfd.readouterr().err == "pelnas: stopping\n"


def test_a_terminal_sees_a_search_alive(table_options: list[str], tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    command = [COMMAND, "search", *table_options, "--output", str(tmp_path)]
    environment = dict(os.environ) | {"TERM": "xterm-256color", "COLUMNS": "100", "LINES": "40"}
    with warm.Warm(
        command, stdout=subprocess.PIPE, stderr=theirs, env=environment, text=True
    ) as process:
        os.close(theirs)
        shown = read_all(ours)
        assert process.stdout is not None
        out = process.stdout.read()
    assert process.returncode == 0
    assert "round 2 of 2" in shown
    assert "on the front:" in shown
    assert "networks on the front" in out
    assert "\x1b" not in out


def read_all(terminal: int) -> str:
    """Everything until the other side is closed."""
    parts = []
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:  # how a closed terminal ends on Linux
            part = b""
        if not part:
            os.close(terminal)
            return b"".join(parts).decode(errors="replace")
        parts.append(part)
