"""Inputs beside the valid ones at every door: each gets an answer or one sentence, in time."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import warm

FUZZ = Path(__file__).with_name("fuzz.py")
QUICK, WHOLE = 300, 20_000  # inputs
SEEDS = (1, 2)  # one process for each, beside each other


def start(inputs: int, seed: int, begun_by: Any = subprocess.Popen) -> "subprocess.Popen[str]":
    """In a process of its own: it has an alarm clock, and replaces parts of the program."""
    command = [sys.executable, str(FUZZ), "--inputs", str(inputs), "--seed", str(seed)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    process: subprocess.Popen[str] = begun_by(command, **pipes)
    return process


def ended(process: "subprocess.Popen[str]", seconds: float) -> str:
    """What it found. AssertionError: a fault, or no end."""
    try:
        out = process.communicate(timeout=seconds)[0]
    finally:
        process.kill()
    assert process.returncode == 0, out[-20_000:]
    return out


def test_some_inputs_at_every_door() -> None:
    out = ended(start(QUICK, seed=3, begun_by=warm.Warm), 300)
    assert "0 faults" in out.splitlines()[-1]


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_twenty_thousand_inputs(capsys: pytest.CaptureFixture[str]) -> None:
    processes = [start(WHOLE // len(SEEDS), seed) for seed in SEEDS]
    outputs = [ended(process, 2000) for process in processes]
    with capsys.disabled():
        print("\n" + "\n".join(outputs))
