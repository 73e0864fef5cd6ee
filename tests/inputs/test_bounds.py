"""Every number that a caller can give has both ends, and one sentence for what lies beyond."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

from pelnas.app.main import app, run
from pelnas.app.options import OPTIONS
from pelnas.architecture import Shape
from pelnas.cache import Cache
from pelnas.config import Measurement, SearchConfig, load_config
from pelnas.devices.host import HostDevice
from pelnas.directives import parse
from pelnas.errors import ConfigError, DirectiveError
from pelnas.inputs.bounds import TRAINING
from pelnas.spaces import get_space


def unbounded(schema: Any, place: str = "") -> Iterator[str]:
    """Numbers of a JSON schema that lack an end."""
    if isinstance(schema, list):
        for part in schema:
            yield from unbounded(part, place)
    if not isinstance(schema, dict):
        return
    if schema.get("type") in ("integer", "number") and not {"maximum", "minimum"} <= schema.keys():
        yield place
    for name, part in schema.items():
        yield from unbounded(part, f"{place}.{name}")


def test_every_setting_that_is_a_number_has_both_ends() -> None:
    schema = SearchConfig.model_json_schema(mode="validation")
    assert list(unbounded(schema)) == []


def numbers(typer_app: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every option that is a number, of every command: its name and what is said of it."""
    for group in typer_app.registered_groups:
        yield from numbers(group.typer_instance, f"{path} {group.name}")
    for command in typer_app.registered_commands:
        hints = get_type_hints(command.callback, include_extras=True)
        for name, hint in hints.items():
            kinds = {kind for part in get_args(hint)[:1] for kind in (part, *get_args(part))}
            if kinds & {int, float}:
                yield f"{path} {command.callback.__name__} {name}", get_args(hint)[1]


def test_every_option_that_is_a_number_is_a_setting_or_has_both_ends() -> None:
    settings = {*OPTIONS, *TRAINING, "lr"}
    found = dict(numbers(app))
    loose = [
        name
        for name, option in found.items()
        if name.split()[-1] not in settings and None in (option.min, option.max)
    ]
    assert loose == []
    assert len(found) > 40


@pytest.mark.parametrize(
    "text",
    [
        "seed = 18446744073709551616",
        "seed = -1",
        "rounds = 1000000000000",
        "per_niche = 1000000000000",
        "parents = 1000000000000",
        "rules = 1000000000000",
        'concurrency = ["openai=999999"]',
        "[budget]\nminutes = 1e308",
        "[budget]\ndollars = 1e308",
        "[budget]\ntokens = 99999999999999999999",
        "[scoring]\nresolution = 100000",
        "[scoring]\nresolution = 4096\nbatch = 512",
        "[scoring]\nreference = 1000000000000",
        "[scoring]\nworkers = 100000",
        "[measurement]\nthreads = 100000",
        "[measurement]\nrepeats = 1000000000000",
        "[measurement]\nwarmup = 1000000000000",
        "[measurement]\nbatch = 1000000000000",
    ],
)
def test_what_lies_beyond_is_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "s.toml").write_text(text)
    with pytest.raises(ConfigError, match=r"^[^\n]{1,400}$"):
        load_config(tmp_path / "s.toml")


@pytest.mark.parametrize(
    "words",
    [
        ["search", "--seed", str(2**64), "--estimate"],
        ["search", "--max-minutes", "1e308", "--estimate"],
        ["search", "--max-dollars", "nan", "--estimate"],
        ["search", "--rounds", "9" * 4_000, "--estimate"],
        ["ui", "--port", "65536"],
        ["mcp", "--http", "--port", "-1"],
        ["steer", "last", "/stop", "--wait", "1e308"],
        ["steer", "last", "/stop", "--wait", "nan"],
        ["trace", "last", "--niche", "-1"],
        ["trace", "last", "--round", str(2**64)],
        ["bench", "--seeds", str(10**12)],
        ["train", "last", "--limit-minutes", "nan"],
        ["train", "last", "--threads", "100000"],
        ["proxies", "suggest", "--count", str(10**12)],
        ["runs", "--output", "x" * 5_000],
        ["front", "last", "--output", "ä" * 200],
        ["score", "1", "--space", "tiny", "--dataset", "x" + "9" * 5_000, "--device", "nowhere"],
    ],
)
def test_a_command_says_it_in_one_line(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(words)
    err = capsys.readouterr().err
    if words[0] != "runs":  # none are there
        assert code == 2
        assert len(err.splitlines()) == 1
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "text", ["/rounds 999999999", "/budget minutes 1e300", "/focus niche 1000"]
)
def test_a_command_to_a_search_is_bounded_alike(text: str) -> None:
    with pytest.raises(DirectiveError):
        parse(text)


def test_the_largest_numbers_can_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime

    class Patient(onnxruntime.SessionOptions):  # type: ignore[misc]
        """Has idle threads sleep: 256 that look for work without a rest take seconds of all cores."""

        def __init__(self) -> None:
            super().__init__()
            self.add_session_config_entry("session.intra_op.allow_spinning", "0")

    monkeypatch.setattr(onnxruntime, "SessionOptions", Patient)
    config = load_config(None, {"seed": 2**63 - 1, "measurement": {"threads": 256}})
    space, cache = get_space("tiny"), Cache(tmp_path / "cache.sqlite")
    measurement = Measurement(threads=config.measurement.threads, warmup=1, repeats=1)
    (cost,) = HostDevice(space, Shape.square(10, 8), measurement, cache).costs([space.at(7)])
    assert cost.latency_ms > 0
    assert json.loads(config.model_dump_json())["seed"] == 2**63 - 1
