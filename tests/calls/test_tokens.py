"""Token counts without network."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pelnas.calls import tokens
from pelnas.calls.call import Message


@pytest.mark.parametrize(
    ("text", "model", "expected"),
    [
        ("", None, 0),
        ("hello world", None, 2),
        ("hello world", "openai:gpt-4", 2),
        # Documented by OpenAI's cookbook on counting tokens: cl100k gives 6 and 9, o200k 6 and 8.
        ("antidisestablishmentarianism", "openai:gpt-4", 6),
        ("お誕生日おめでとう", "openai:gpt-4", 9),
        ("antidisestablishmentarianism", "openai:gpt-4o", 6),
        ("お誕生日おめでとう", "openai:gpt-4o", 8),
        ("お誕生日おめでとう", "ollama:qwen3", 8),
        ("<|endoftext|>", None, 7),  # text of a model, not the special token
    ],
)
def test_counts_equal_known_values(text: str, model: str | None, expected: int) -> None:
    assert tokens.count(text, model) == expected


@pytest.mark.parametrize("run", [" ", "a", "\n", "é"])
def test_endless_runs_are_counted(run: str) -> None:
    """tiktoken alone panics on a million blanks."""
    assert 0 < tokens.count(run * 300_000) <= 300_000


def test_a_request_costs_its_texts_and_their_frames() -> None:
    messages = [Message("system", "hello world"), Message("user", "")]
    assert tokens.estimate(messages) == 2 + 2 * 4


FRESH = """
import os, socket, sys
def refuse(*_): raise SystemExit("the network was used")
socket.socket.connect = refuse
from pelnas.calls import tokens
assert "tiktoken" not in sys.modules, "tiktoken is loaded too early"
print(tokens.count("hello world"), tokens.count("hello world", "openai:gpt-4"))
print(os.environ.get("TIKTOKEN_CACHE_DIR"))
"""


@pytest.mark.parametrize("setting", [None, "own"])
def test_a_fresh_process_counts_offline_and_leaves_tiktokens_setting_alone(
    tmp_path: Path, setting: str | None
) -> None:
    folder = None if setting is None else str(tmp_path / setting)
    environment = {k: v for k, v in os.environ.items() if k != "TIKTOKEN_CACHE_DIR"}
    if folder is not None:
        environment["TIKTOKEN_CACHE_DIR"] = folder
    done = subprocess.run(
        [sys.executable, "-c", FRESH],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.stdout.split() == ["2", "2", str(folder)], done.stderr
    assert list(tmp_path.iterdir()) == []


def test_threads_may_count_at_once() -> None:
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(tokens.count, ["hello world"] * 32)) == {2}
