"""What a run of somebody else names is asked for: by an option, or at a terminal."""

import os
import pty
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import warm

from pelnas.agents.testing.server import LoopbackServer
from pelnas.config import SearchConfig
from pelnas.consent import Consent, named, reached
from pelnas.errors import AddressError

KEY = "sk-canary-4711"


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer(lambda _messages, _schema: "{}", key=KEY) as server:
        yield server


@pytest.fixture
def elsewhere(
    pelnas: Any, table_options: list[str], tmp_path: Path, server: LoopbackServer,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:  # fmt: skip
    """A run that was made on another machine, where its user named an address."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("PELNAS_STATE", str(tmp_path / "theirs"))
    options = ("--rounds", 1, "--per-niche", 1, "--model", "openai:x", "--base-url", server.url)
    outcome = pelnas("search", *table_options, *options, "--output", tmp_path / "runs")
    assert outcome.code == 0
    server.requests.clear()
    monkeypatch.setenv("PELNAS_STATE", str(tmp_path / "mine"))
    return next((tmp_path / "runs").iterdir())


def test_an_address_is_named_before_it_is_reached_and_kept_when_accepted(
    pelnas: Any, elsewhere: Path, server: LoopbackServer, tmp_path: Path
) -> None:
    for command in (("resume", elsewhere, "--rounds", 2), ("chat", elsewhere, "--model", "run")):
        outcome = pelnas(*command)
        assert outcome.code == 2
        assert server.url in outcome.err
        assert "--accept-address" in outcome.err
        assert outcome.err.count("\n") == 1
    assert server.requests == []
    assert pelnas("resume", elsewhere, "--rounds", 2, "--accept-address").code == 0
    assert server.requests
    assert pelnas("resume", elsewhere, "--rounds", 3).code == 0
    (kept,) = (tmp_path / "mine").iterdir()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert server.url not in kept.read_text()


def test_an_address_that_the_user_gives_is_theirs(
    pelnas: Any, elsewhere: Path, server: LoopbackServer
) -> None:
    again = ("fork", elsewhere, "--rounds", 2, "--no-start")
    assert pelnas(*again).code == 2
    assert pelnas(*again, "--set", f"base_url={server.url}").code == 0


@pytest.mark.parametrize(("said", "code"), [("y", 0), ("n", 2)])
def test_a_person_at_a_terminal_is_asked(
    elsewhere: Path, server: LoopbackServer, said: str, code: int
) -> None:
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "pelnas", "resume", str(elsewhere), "--rounds", "2"]
    with warm.Warm(command, stdin=slave, stdout=slave, stderr=slave) as child:
        os.close(slave)
        os.write(master, f"{said}\n".encode())
        shown = b""
        while True:
            try:
                shown += os.read(master, 65_536)
            except OSError:  # the other end is closed
                break
        assert child.wait(120) == code
    os.close(master)
    assert b"[y/N]" in shown
    assert server.url.encode() in shown
    assert bool(server.requests) == (code == 0)


# -- what is reached ------------------------------------------------------------------


def test_a_configuration_reaches_what_its_models_need(tmp_path: Path) -> None:
    config = SearchConfig(base_url="http://there/v1/", prompts=tmp_path)
    assert reached(config, []) == []
    assert reached(config, ["builtin:evolver"]) == []
    assert reached(config, ["openai:x", "openai:y"]) == ["http://there/v1", f"prompts:{tmp_path}"]
    assert reached(SearchConfig(base_url="http://there/v1"), ["ollama:x"]) == []
    assert reached(SearchConfig(), ["hand:q"]) == [f"hand:{Path.cwd() / 'q'}"]
    assert reached(SearchConfig(), ["local:/m.gguf"]) == ["local:/m.gguf"]


def test_every_place_of_a_configuration_is_named() -> None:
    config = SearchConfig(
        base_url="http://there/v1", planner_fallbacks=("hand:/q", "local:/m.gguf")
    )
    assert set(named(config)) == {"http://there/v1", "hand:/q", "local:/m.gguf"}


def test_an_address_of_the_environment_is_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    config = SearchConfig(base_url="http://there/v1")
    with pytest.raises(AddressError, match="http://there/v1"):
        Consent().check(reached(config, ["openai:x"]))
    monkeypatch.setenv("OPENAI_BASE_URL", "http://there/v1")
    Consent().check(reached(config, ["openai:x"]))


def test_what_cannot_be_kept_is_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PELNAS_STATE", str(tmp_path / "file" / "below"))
    consent = Consent(["http://there"])
    consent.check(["http://there"])
    with pytest.raises(AddressError):
        Consent().check(["http://there"])
    Consent(accept=True).check(["http://there"])
    monkeypatch.setenv("PELNAS_STATE", str(tmp_path / "state"))
    Consent(["http://there"])
    Consent().check(["http://there"])


def test_all_that_a_run_keeps_is_closed_to_others(
    pelnas: Any, table_options: list[str], tmp_path: Path
) -> None:
    before = os.umask(0)
    try:
        output = tmp_path / "runs"
        assert pelnas("search", *table_options, "--rounds", 1, "--output", output).code == 0
        (run,) = output.iterdir()
        assert pelnas("resume", run, "--rounds", 2).code == 0
        assert pelnas("fork", run, "--rounds", 3).code == 0
        assert pelnas("replay", run, "--export", tmp_path / "recording.zip").code == 0
    finally:
        os.umask(before)
    runs = list(output.iterdir())
    places = [*runs, *(each for run in runs for each in run.rglob("*")), tmp_path / "recording.zip"]
    assert len(places) > 20
    assert [str(each) for each in places if each.lstat().st_mode & 0o077] == []
