"""One server for all tests of what it serves."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import warm
from served import OPENS, running

from pelnas.agents.testing.server import LoopbackServer, ToolCalls


@pytest.fixture(scope="session")
def talking() -> Iterator[LoopbackServer]:
    """A server of a model that proposes to pause, whatever it is asked."""
    proposal = ToolCalls([("steer", '{"command": "/pause"}')])
    with LoopbackServer(lambda *_: proposal, tools="free") as model:
        yield model


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory, tiny_tables: Path) -> Path:
    """The working directory of a server, with its owner's settings."""
    pytest.importorskip("langgraph_api", reason="the extra 'serve' is not installed")
    folder = tmp_path_factory.mktemp("served")
    own = f'data = "{tiny_tables}"\n[scoring]\nworkers = 1\n'  # no processes that import torch, too
    (folder / "search.toml").write_text(own)
    return folder


@pytest.fixture(scope="session")
def server(folder: Path, talking: LoopbackServer) -> Iterator[str]:
    """``pelnas serve`` on loopback, without any key; it offers one model."""
    offer = {"PELNAS_CHAT_MODELS": "builtin:evolver openai:toy", "OPENAI_BASE_URL": talking.url}
    command = [sys.executable, "-m", "pelnas", "serve", "--output", "runs"]
    with running(command, folder, offer | {"PELNAS_SERVE_TOKEN": OPENS}, warm.Warm) as address:
        yield address


@pytest.fixture
def owned(tmp_path: Path, tiny_tables: Path) -> Path:
    """The settings of a server's owner: where the tables are, and the most that may be spent."""
    file = tmp_path / "owner.toml"
    text = f'data = "{tiny_tables}"\nfallbacks = ["openai:of-owner"]\n[budget]\ncalls = 20\n'
    file.write_text(text)
    return file
