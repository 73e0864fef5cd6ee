"""``~`` is the home wherever a path may be written: options, settings and the environment."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import typer

from pelnas.agents.models.catalogue import FOLDERS, _named_folders
from pelnas.agents.models.gguf import LocalModel
from pelnas.agents.models.human import HandModel
from pelnas.app.main import _Command, app
from pelnas.cache import default_cache
from pelnas.config import SearchConfig, load_config, with_settings
from pelnas.errors import ConfigError, ModelError
from pelnas.graph.serve.policy import SETTINGS_FILE, Policy
from pelnas.inputs.paths import expanded
from pelnas.store import RunStore, find_run

Pelnas = Callable[..., Any]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home, beside a working folder in which nothing may appear."""
    (tmp_path / "home").mkdir()
    (tmp_path / "work").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "work")
    yield tmp_path / "home"
    assert list((tmp_path / "work").iterdir()) == []


def _paths() -> list[str]:
    def holds_path(annotation: Any) -> bool:
        return annotation is Path or any(map(holds_path, get_args(annotation)))

    fields = SearchConfig.model_fields.items()
    return [name for name, field in fields if holds_path(field.annotation)]


def test_every_setting_that_is_a_path_is_read_so(home: Path) -> None:
    assert {"images", "data", "labels", "rules_from", "output", "prompts"} <= set(_paths())
    for name in _paths():
        several = isinstance(getattr(SearchConfig(), name), tuple)
        found = getattr(load_config(None, {name: ["~/x"] if several else "~/x"}), name)
        assert found == ((home / "x",) if several else home / "x"), name
        assert getattr(with_settings(SearchConfig(), {name: "~/x"}), name) == found


def test_every_command_reads_its_options_so() -> None:
    def leaves(command: Any) -> Iterator[Any]:
        inner = getattr(command, "commands", {}).values()
        yield from (leaf for each in inner for leaf in leaves(each))
        if not inner:
            yield command

    assert all(isinstance(leaf, _Command) for leaf in leaves(typer.main.get_command(app)))


def test_options_and_a_run_by_its_folder(home: Path, pelnas: Pelnas) -> None:
    with RunStore.create(SearchConfig(space="tiny", output=home / "nets")) as store:
        folder = store.folder
    code, out, _ = pelnas("runs", "--output=~/nets", "--json")
    assert code == 0
    assert [run["name"] for run in json.loads(out)["runs"]] == [folder.name]
    assert find_run(Path("none"), f"~/nets/{folder.name}") == folder
    assert pelnas("replay", f"~/nets/{folder.name}", "--export=~/shared.zip")[0] == 0
    assert (home / "shared.zip").is_file()


def test_the_environment(home: Path, monkeypatch: pytest.MonkeyPatch, pelnas: Pelnas) -> None:
    monkeypatch.setenv("PELNAS_CACHE", "~/cache")
    assert default_cache().path.parent == home / "cache"
    monkeypatch.setenv(FOLDERS, "~/models")
    assert _named_folders() == [home / "models"]
    (home / "own.toml").write_text("rounds = 3\n")
    monkeypatch.setenv(SETTINGS_FILE, "~/own.toml")
    assert Policy.from_environment().settings({}, home).rounds == 3
    monkeypatch.setenv("PELNAS_DATA", "~/tables")
    assert str(home / "tables") in pelnas("doctor", "--json")[1]


def test_models_that_are_files_or_folders(home: Path) -> None:
    HandModel("~/questions").close()
    assert (home / "questions").is_dir()
    with pytest.raises(ModelError, match=str(home / "none.gguf")):
        LocalModel("~/none.gguf")


def test_a_home_that_nobody_has_is_refused() -> None:
    with pytest.raises(ConfigError, match="home is known, found '~nobody-here/x'"):
        expanded(Path("~nobody-here/x"))
    with pytest.raises(ConfigError, match="write the home out"):
        load_config(None, {"output": "~nobody-here/x"})
