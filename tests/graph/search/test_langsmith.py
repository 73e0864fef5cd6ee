"""LangSmith hears of a search when its own variables say so, since calls go through LangChain."""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import warm

from pelnas import SearchConfig
from pelnas.agents.testing.server import LoopbackServer

KEY = "planted-langsmith-7c1e"
CHILD = """
import sys
from pelnas import Search, SearchConfig
print(Search(SearchConfig.model_validate_json(sys.argv[1])).run().folder)
"""


class Smith:
    """A server that keeps what a LangSmith client sends."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.keys: set[str] = set()
        smith = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                if "chunked" in self.headers.get("Transfer-Encoding", ""):
                    body = self._chunks()
                else:
                    body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                smith.bodies.append(body)
                smith.keys.add(self.headers.get("x-api-key", ""))
                self._answer(b"{}")

            do_PATCH = do_POST  # noqa: N815 - the base class's way

            def do_GET(self) -> None:
                self._answer(b'{"version": "0.13.0", "batch_ingest_config": {}}')

            def _chunks(self) -> bytes:
                body = b""
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return body

            def _answer(self, body: bytes) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(60)


@pytest.fixture
def smith() -> Iterator[Smith]:
    listening = Smith()
    yield listening
    listening.close()


def search(smith: Smith, config: SearchConfig, tracing: dict[str, str]) -> Path:
    environment = {
        k: v for k, v in os.environ.items() if not k.startswith(("LANGSMITH", "LANGCHAIN"))
    }
    environment |= {"LANGSMITH_ENDPOINT": smith.url, "LANGSMITH_API_KEY": KEY}
    environment |= {"LANGSMITH_DISABLE_RUN_COMPRESSION": "true"} | tracing
    done = warm.run(
        [sys.executable, "-c", CHILD, config.model_dump_json()],
        kind=warm.Full,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert KEY not in done.stdout + done.stderr
    return Path(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("tracing", [True, False])
def test_its_own_variable_decides(
    tmp_path: Path, toy: Callable[..., SearchConfig], smith: Smith, tracing: bool
) -> None:
    with LoopbackServer(lambda *_: "my very own answer") as server:
        config = toy(tmp_path, rounds=1, per_niche=1, model="openai:loopback", base_url=server.url)
        folder = search(smith, config, {"LANGSMITH_TRACING": "true"} if tracing else {})
    sent = b"".join(smith.bodies)
    assert (b"my very own answer" in sent) is tracing
    assert (b"ChatOpenAI" in sent) is tracing
    assert smith.keys == ({KEY} if tracing else set())
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert [path.name for path in files if KEY.encode() in path.read_bytes()] == []
