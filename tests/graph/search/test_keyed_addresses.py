"""A key in the address of a model server: the search works with it, and nothing keeps it."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from pelnas import Search, SearchConfig
from pelnas.app.main import run
from pelnas.config import Budget
from pelnas.errors import ModelError

KEY = "planted-4f1d9c2b7a"


class Gateway(ThreadingHTTPServer):
    """Answers whatever path and query it is asked under, and says them in its errors."""

    paths: list[str]


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        gateway: Any = self.server
        gateway.paths.append(self.path)
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        message = {"role": "assistant", "content": json.dumps({"echo": self.path})}
        answer = {"model": asked["model"], "choices": [{"index": 0, "message": message}]}
        failed = {"error": {"message": f"no such thing: {self.path}"}}
        bad = len(gateway.paths) % 2 == 0
        body = json.dumps(failed if bad else answer).encode()
        self.send_response(404 if bad else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    server = Gateway(("127.0.0.1", 0), _Handler)
    server.paths = []
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join(60)


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_API_BASE"):
        monkeypatch.delenv(name, raising=False)


def test_a_key_in_an_address_works_and_is_kept_nowhere(
    gateway: Gateway,
    tmp_path: Path,
    toy: Callable[..., SearchConfig],
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = f"http://127.0.0.1:{gateway.server_port}/{KEY}/v1?key={KEY}&api-version=2"
    config = toy(tmp_path, rounds=1, per_niche=1, model="openai:x", base_url=url)
    folder = Search(config).run().folder
    assert gateway.paths
    assert all("/v1/chat/completions" in path and path.count(KEY) == 2 for path in gateway.paths)
    for command in ("trace", "trace --failed", "trace --json", "front", "runs --output {output}"):
        words = command.format(output=folder.parent).split()
        assert run([*words, *([] if "runs" in words else [str(folder)])]) == 0
    shown = capfd.readouterr()
    assert "no such thing: " in shown.out
    assert KEY not in shown.out + shown.err
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert [path.name for path in files if KEY.encode() in path.read_bytes()] == []

    with pytest.raises(ModelError, match="kept without its key: set the variable OPENAI_BASE_URL"):
        Search.resume(folder, rounds=2, budget=Budget())
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    asked = len(gateway.paths)
    assert Search.resume(folder, rounds=2, budget=Budget()).run().reason == "all rounds done"
    assert all(KEY in path for path in gateway.paths[asked:])
    assert len(gateway.paths) > asked
