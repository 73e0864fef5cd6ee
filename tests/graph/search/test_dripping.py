"""A search does not wait for a server that drips when it is stopped, or its time is up."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from dripping import dripping

from pelnas import Search, SearchConfig
from pelnas.agents.models.base import RetryPolicy
from pelnas.agents.models.connection import connect
from pelnas.agents.testing.server import LoopbackServer
from pelnas.config import Budget

NAME = "openai:toy"


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "planted-4f1d9c2b7a")


def test_a_search_that_is_stopped_leaves_the_server_and_can_go_on(
    tmp_path: Path, toy: Callable[..., SearchConfig]
) -> None:
    asked = threading.Event()
    config = toy(tmp_path, rounds=1, per_niche=1, model=NAME)
    with dripping(asked=asked) as url:
        model = connect(NAME, base_url=url)
        search = Search(config, {NAME: model})
        threading.Thread(target=lambda: asked.wait(60) and search.stop()).start()
        began = time.monotonic()
        assert search.run().stopped
    assert time.monotonic() - began < 120  # the deadline of a call comes after seven minutes
    with LoopbackServer(lambda *_: "{}") as server:
        sound = connect(NAME, base_url=server.url, retry=RetryPolicy(attempts=1))
        assert Search.resume(search.folder, {NAME: sound}).run().reason == "all rounds done"
    assert server.requests


def test_a_budget_of_minutes_ends_a_search_whose_server_drips(
    tmp_path: Path, toy: Callable[..., SearchConfig]
) -> None:
    config = toy(tmp_path, rounds=2, per_niche=1, model=NAME, budget=Budget(minutes=0.05))
    with dripping() as url:
        began = time.monotonic()
        result = Search(config, {NAME: connect(NAME, base_url=url)}).run()
    assert "budget of minutes" in result.reason
    assert time.monotonic() - began < 120
