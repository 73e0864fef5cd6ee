"""A key in the environment is sent to its provider and turns up nowhere else."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from pelnas import Search, SearchConfig
from pelnas.agents.models.base import RetryPolicy
from pelnas.agents.models.connection import connect
from pelnas.agents.testing.server import Fault, LoopbackServer
from pelnas.app.main import run

KEY = "planted-4f1d9c2b7a"  # unlike any provider's: nothing may go by its looks
ECHO = f'{{"error": {{"message": "no: Authorization: Bearer {KEY} ({KEY})"}}}}'.encode()
QUICK = RetryPolicy(timeout=5, attempts=2, total=5, first_wait=0.01)


@pytest.fixture(autouse=True)
def _planted(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with caplog.at_level(logging.DEBUG):
        yield


def failing(status: int, body: bytes = ECHO) -> LoopbackServer:
    return LoopbackServer(lambda *_: "{}", faults=iter(lambda: Fault(status, body=body), None))


SERVERS: dict[str, Callable[[], LoopbackServer]] = {
    "401": lambda: LoopbackServer(lambda *_: "{}", key="another"),
    "400": lambda: failing(400),
    "403": lambda: failing(403),
    "429": lambda: failing(429),
    "500": lambda: failing(500),
    "garbled": lambda: failing(200, ECHO[:-3]),
    "in-json": lambda: LoopbackServer(lambda *_: f'{{"designs": "{KEY}"}}'),
    "in-text": lambda: LoopbackServer(lambda *_: f"{KEY} Bearer {KEY} " * 400),
}


@pytest.mark.parametrize("way", list(SERVERS))
def test_a_key_that_the_provider_sends_back_is_kept_out_of_everything(
    tmp_path: Path,
    toy: Callable[..., SearchConfig],
    way: str,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    with SERVERS[way]() as server:
        model = connect("openai:loopback", base_url=server.url, retry=QUICK)
        config = toy(tmp_path, rounds=1, per_niche=1, model=model.name, base_url=server.url)
        folder = Search(config, {model.name: model}).run().folder
    for options in ((), ("--failed",), ("--json",), ("--call", "r0.planner.a0"), ("--follow",)):
        assert run(["trace", str(folder), *options]) == 0
    shown = capfd.readouterr()
    assert "r0.planner.a0" in shown.out  # there was something to leak it
    assert KEY not in shown.out + shown.err
    assert KEY not in caplog.text
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {"run.sqlite", "events.jsonl", "report.html"} <= {path.name for path in files}
    assert [path.name for path in files if KEY.encode() in path.read_bytes()] == []


def test_an_address_with_a_password_is_not_taken_and_not_repeated(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    address = f"http://me:{KEY}@127.0.0.1:9/v1"
    code = run(["search", "--base-url", address, "--output", str(tmp_path / "runs")])
    shown = capfd.readouterr()
    assert (code, shown.out) == (2, "")
    assert "OPENAI_BASE_URL" in shown.err
    assert KEY not in shown.err
    with pytest.raises(ValidationError) as refused:
        SearchConfig(base_url=address)
    assert KEY not in str(refused.value)
    assert not (tmp_path / "runs").exists()
