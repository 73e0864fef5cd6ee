"""A user's knowledge base: what is kept comes back, by vector, and nothing hostile breaks it."""

import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from patience import until

from pelnas.errors import StoreError
from pelnas.knowledge.base import Base
from pelnas.knowledge.location import OFF, USER, VARIABLE, located
from pelnas.knowledge.place import REFERENCES, Place
from pelnas.predicate import parse_predicate
from pelnas.rules import chroma
from pelnas.rules.rule import Rule, Scope, propose


def ranks(*first: float) -> tuple[float, ...]:
    return (*first, *([0.0] * (REFERENCES - len(first))))


def rule(predicate: str, device: str, text: str, effect: float = 0.5) -> Rule:
    scope = Scope("tiny", device, "digits")
    made = propose(text, "helps", "latency", parse_predicate(predicate), scope)
    return replace(made, status="in-force", measured=effect, error=0.1)


POOLING = rule("avg_pool_3x3 == 0", "pixel3", "Cells without avg_pool_3x3 are faster.")
SKIPS = rule("skip_connect >= 2", "fpga", "Cells with skip_connect are faster.", 0.7)
PHONE = Place("tiny", "pixel3", "digits", ranks(1.0))
FPGA = Place("tiny", "fpga", "digits", ranks(0.0, 1.0))


@pytest.fixture
def base(tmp_path: Path) -> Iterator[Base]:
    with Base(str(tmp_path / "knowledge")) as made:
        made.add("a", "first", PHONE, [(POOLING, "")])
        made.add("b", "second", FPGA, [(SKIPS, "no 3x3")])
        yield made


def test_what_a_run_leaves_comes_back_whole(base: Base) -> None:
    assert [(e.rule, e.name, e.niche) for e in base.all()] == [
        (POOLING, "first", ""),
        (SKIPS, "second", "no 3x3"),
    ]
    assert [entry.rule for entry in base.all(device="fpga")] == [SKIPS]


def test_a_run_that_ends_again_replaces_what_it_left(base: Base) -> None:
    base.add("a", "first", PHONE, [(SKIPS, "")])
    base.add("a", "first", PHONE, [(SKIPS, "")])
    assert [entry.rule for entry in base.all(name="first")] == [SKIPS]
    assert base.count() == 2


def test_a_question_about_pooling_on_phones_finds_it(base: Base) -> None:
    found = base.search("what do we know about pooling on phones?", 1)
    assert [entry.rule for entry in found] == [POOLING]
    assert [entry.rule for entry in base.search("skip connections", 1)] == [SKIPS]


def test_near_runs_are_told_apart_by_their_device(base: Base) -> None:
    here = Place("tiny", "phone of another name", "photos", ranks(0.8, 0.6))
    found = {each.run: each for each in base.near(here)}
    assert found["a"].device_similarity == pytest.approx(0.8)
    assert found["b"].device_similarity == pytest.approx(0.6)
    assert found["a"].dataset_similarity is None
    assert base.near(Place("fbnet", "pixel3", "digits", ranks(1.0))) == []


def test_what_is_forgotten_is_gone(base: Base) -> None:
    assert base.forget_rule(f"b:{SKIPS.id}") == 1
    assert base.forget_rule(f"b:{SKIPS.id}") == 0
    assert base.forget(device="pixel3") == 1
    assert base.count() == 0
    assert [each.run for each in base.near(PHONE)] == ["b"]  # whose last rule went by itself


def test_one_process_at_a_time(base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pelnas.knowledge.base.PATIENCE", 0.05)
    with pytest.raises(StoreError, match="another process has it"):
        Base(base.place)


def test_records_that_are_no_rules_are_passed_over(base: Base) -> None:
    for number, text in enumerate(('{"id": "R1"}', "[" * 100_000, "no JSON", "null")):
        base._rules.upsert(
            ids=[f"evil{number}"],
            embeddings=[[1.0] * 256],
            documents=[text],
            metadatas=[{"run": "a", "space": "tiny"}],
        )
    assert [entry.rule for entry in base.all()] == [POOLING, SKIPS]
    assert [entry.rule for entry in base.rules_of(["a", "b"], "tiny")] == [POOLING, SKIPS]


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(StoreError, match="it holds other files"):
        Base(str(tmp_path))
    assert [each.name for each in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("damage", ["no database", "another", "cut"])
def test_a_damaged_folder_is_one_sentence(base: Base, damage: str) -> None:
    base.close()
    file = Path(base.place, "chroma.sqlite3")
    match damage:
        case "no database":
            file.write_bytes(b"\x00" * 5_000)
        case "another":
            file.unlink()
            sqlite3.connect(file).execute("CREATE TABLE collections (id INTEGER)")
        case "cut":
            file.write_bytes(file.read_bytes()[:20_000])
    with pytest.raises(StoreError, match=r"^the knowledge base at .*--no-knowledge$"):
        _used(base.place)


def _used(place: str) -> None:
    with Base(place) as opened:
        opened.add("a", "first", PHONE, [(POOLING, "")])
        opened.near(PHONE)


def test_a_server_that_is_down_is_one_sentence() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(StoreError, match="start the server by `chroma run`"):
        Base(f"http://127.0.0.1:{port}")


class _Other(BaseHTTPRequestHandler):
    """A server that is no Chroma, or one of another version."""

    def do_GET(self) -> None:
        self.send_response(410)
        self.end_headers()
        self.wfile.write(b'{"error": "Unimplemented", "message": "The v1 API is deprecated."}')

    do_POST = do_GET  # noqa: N815 - as the library calls it

    def log_message(self, *_: object) -> None:
        """Nothing."""


def test_another_server_is_one_sentence() -> None:
    server = HTTPServer(("127.0.0.1", 0), _Other)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with pytest.raises(StoreError, match="cannot be opened"):
            Base(f"http://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        server.server_close()


def test_a_server_that_never_answers_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chroma, "PATIENCE", 0.2)
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(StoreError, match=r"no answer within 0\.2 seconds"),
    ):
        Base(f"http://127.0.0.1:{silent.getsockname()[1]}")


def test_where_a_base_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert located(USER) is None  # of tests
    assert located(OFF) is None
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    assert located(USER) == str(tmp_path)
    monkeypatch.setenv(VARIABLE, "http://127.0.0.1:8000/")
    assert located(USER) == "http://127.0.0.1:8000"
    monkeypatch.delenv(VARIABLE)
    assert str(located(USER)).endswith("knowledge")


@pytest.mark.slow
def test_a_server_of_chroma_keeps_and_finds_the_same(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = Path(sys.executable).with_name("chroma")
    command = [program, "run", "--path", tmp_path, "--host", "127.0.0.1", "--port", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: _listens(port))
        with Base(f"http://127.0.0.1:{port}") as base:
            base.add("a", "first", PHONE, [(POOLING, "")])
            base.add("a", "first", PHONE, [(POOLING, "")])
            assert [entry.rule for entry in base.search("pooling on phones", 3)] == [POOLING]
            assert [each.run for each in base.near(PHONE)] == ["a"]
            assert base.forget(device="pixel3") == 1
    finally:
        server.kill()
        server.wait(timeout=30)


def _listens(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0
