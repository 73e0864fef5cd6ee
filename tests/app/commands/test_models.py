"""``pelnas models``: what is usable here, found without leaving this machine."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from pelnas.agents.testing.server import Fault, LoopbackServer

Pelnas = Callable[..., Any]
NOBODY = "127.0.0.1:9"  # the port of the discard service, which nobody runs


@pytest.fixture(autouse=True)
def _without_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GOOGLE_API_KEY", "GEMINI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("PELNAS_MODELS", "OPENAI_BASE_URL", "OPENAI_API_BASE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OLLAMA_HOST", NOBODY)


class _Ollama(BaseHTTPRequestHandler):
    """Answers as Ollama's own interface does for one model."""

    def do_GET(self) -> None:
        self._say({"models": [{"name": "qwen3:8b"}]})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        info = {"general.architecture": "qwen3", "qwen3.context_length": 40960}
        self._say({"model_info": info, "capabilities": ["completion", "tools"]})

    def _say(self, document: Any) -> None:
        body = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def ollama(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Ollama)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    monkeypatch.setenv("OLLAMA_HOST", f"127.0.0.1:{server.server_port}")
    yield
    server.shutdown()
    server.server_close()
    thread.join(60)


def listed(pelnas: Pelnas, *arguments: object) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in pelnas("models", *arguments, "--json").json()["models"]}


def test_without_anything_only_what_is_built_in_is_usable(pelnas: Pelnas) -> None:
    assert list(listed(pelnas)) == ["builtin:evolver", "builtin:random"]


def test_files_are_found_in_folders_that_are_given_and_named(
    pelnas: Pelnas, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("given/deep/a.gguf", "named/b.gguf", "named/c.bin"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"GGUF")
    monkeypatch.setenv("PELNAS_MODELS", str(tmp_path / "named"))
    found = listed(pelnas, "--folder", tmp_path / "given")
    files = [name for name in found if name.startswith("local:")]
    assert [Path(name).name for name in files] == ["a.gguf", "b.gguf"]
    assert all(found[name]["structured"] and found[name]["dollars_in"] == 0 for name in files)


@pytest.mark.usefixtures("ollama")
def test_an_ollama_that_answers_is_asked_what_it_has(pelnas: Pelnas) -> None:
    one = listed(pelnas)["ollama:qwen3:8b"]
    assert (one["context"], one["tools"], one["dollars_out"]) == (40960, True, 0)


def test_a_provider_with_a_key_shows_its_models_and_never_the_key(
    pelnas: Pelnas, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("langchain_openai", reason="the extra 'openai' is not installed")
    monkeypatch.setenv("OPENAI_API_KEY", "planted-key-1234567890")
    one = listed(pelnas)["openai:gpt-4o-mini"]
    assert (one["context"], one["structured"], one["tools"]) == (128_000, True, True)
    assert (one["dollars_in"], one["dollars_out"]) == pytest.approx((0.15, 0.6))
    text = pelnas("models").out
    assert "openai:gpt-4o-mini" in text
    assert "text-embedding" not in text
    assert "planted" not in text


@pytest.mark.parametrize(
    ("package", "variable", "name", "context"),
    [
        ("langchain_anthropic", "ANTHROPIC_API_KEY", "anthropic:claude-sonnet-4-5", 200_000),
        ("langchain_google_genai", "GEMINI_API_KEY", "google_genai:gemini-2.5-flash", 1_048_576),
    ],
)
def test_other_providers_are_listed_where_package_and_key_are_present(
    pelnas: Pelnas,
    monkeypatch: pytest.MonkeyPatch,
    package: str,
    variable: str,
    name: str,
    context: int,
) -> None:
    pytest.importorskip(package, reason="the provider's extra is not installed")
    assert name not in listed(pelnas)
    monkeypatch.setenv(variable, "planted-key-1234567890")
    one = listed(pelnas)[name]
    assert (one["context"], one["structured"], one["tools"]) == (context, True, True)
    assert one["where"] == f"key in {variable}"
    assert 0 < one["dollars_in"] < one["dollars_out"]


@pytest.mark.parametrize(
    ("server", "rung"),
    [
        ({}, "the provider's own schema"),
        ({"formats": False}, "a tool call"),
        ({"formats": False, "tools": "refused"}, "JSON in text"),
        ({"formats": False, "tools": "empty"}, "JSON in text"),
    ],
    ids=str,
)
def test_a_check_tells_which_rung_served(pelnas: Pelnas, server: dict[str, Any], rung: str) -> None:
    pytest.importorskip("langchain_openai", reason="the extra 'openai' is not installed")
    with LoopbackServer(lambda *_: '{"word": "ready"}', **server) as loopback:
        address = ("--base-url", loopback.url)
        found = pelnas("models", "check", "openai:any", *address, "--json").json()
        outcome = pelnas("models", "check", "openai:any", *address)
    assert (found["works"], found["rung"], found["answered_by"]) == (True, rung, "any")
    assert found["dollars"] is None
    assert outcome.code == 0
    assert f"served by  {rung}" in outcome.out
    assert "price unknown" in outcome.out


@pytest.mark.parametrize(
    ("answer", "faults", "problem"),
    [("I am ready", [], "JSON"), ("", [Fault(401)], "gave no answer")],
)
def test_a_check_that_fails_says_why(
    pelnas: Pelnas, answer: str, faults: list[Fault], problem: str
) -> None:
    pytest.importorskip("langchain_openai", reason="the extra 'openai' is not installed")
    with LoopbackServer(lambda *_: answer, faults=faults) as server:
        outcome = pelnas("models", "check", "openai:any", "--base-url", server.url)
    assert outcome.code == 1
    assert "does not work" in outcome.out
    assert problem in outcome.out


def test_a_check_of_what_is_no_language_model_is_bad_input(pelnas: Pelnas) -> None:
    assert pelnas("models", "check", "builtin:evolver").code == 2
