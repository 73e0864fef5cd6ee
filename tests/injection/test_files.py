"""File names and what stands in files: runs, images, labels, prompts, recordings."""

import csv
import json
import os
import sqlite3
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pelnas import Search, SearchConfig
from pelnas.agents.testing.scripted import ScriptedModel
from pelnas.app.main import run
from pelnas.errors import ImagesError, PelnasError, PromptError
from pelnas.images import load_images
from pelnas.prompts import load_prompt
from pelnas.recording import export, open_recording
from pelnas.spaces import get_space
from pelnas.store import RunStore, sums
from pelnas.traces.text import visible

SPACE = get_space("tiny")
RunCommand = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run_command(capsys: pytest.CaptureFixture[str]) -> RunCommand:
    """A command in this process: how it ended, and what it wrote."""

    def command(*arguments: object) -> tuple[int, str, str]:
        code = run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return command


def file_name(attempt: str) -> str:
    """The attempt as a name that a file may have."""
    name = attempt.replace("/", "\u2215").replace("\0", "").encode("utf-8", "replace")[:120]
    return name.decode("utf-8", "ignore").strip(".") or "name"


def refused(outcome: tuple[int, str, str]) -> str:
    code, out, err = outcome
    assert (code, out, err.count("\n")) == (2, "", 1), outcome
    assert err == visible(err)
    assert len(err) < 2_100
    return err


def test_the_name_of_a_run_stays_below_its_folder(
    begun: Path, guard: Any, attempt: str, settings: Callable[..., SearchConfig], tiny_tables: Path
) -> None:
    output = begun.parent / "named"
    guard.allow(output)
    if "\ud800" in attempt or "\0" in attempt:
        with pytest.raises(ValueError, match=r"UTF-8|a null"):
            settings(output, tiny_tables, name=attempt)
        return
    search = Search(settings(output, tiny_tables, name=attempt))
    search.session.close()
    folder = search.folder
    assert folder.parent == output
    assert [each.name for each in output.iterdir()] == [folder.name]
    assert folder.name == visible(folder.name)
    assert not set(folder.name) & set("/\\ $`<>\"'*?;|&(){}[]\n")


def test_paths_on_the_command_line_are_read_or_refused(
    begun: Path, guard: Any, attempt: str, run_command: RunCommand
) -> None:
    common = ("search", "--space", "tiny", "--output", begun.parent)
    if "\0" in attempt or "\ud800" in attempt:
        return  # no command line holds these
    for option in ("--images", "--data", "--config", "--labels", "--prompts"):
        needs = ("--accuracy", "few-shot") if option == "--labels" else ()
        if option == "--data":
            needs = ("--accuracy", "table", "--device", "toy", "--dataset", "toy10")
        refused(run_command(*common, *needs, option, attempt))


def test_images_are_named_by_anything(
    begun: Path, guard: Any, attempt: str, run_command: RunCommand
) -> None:
    from PIL import Image

    photos = begun.parent.parent / "photos"
    guard.allow(photos)
    for name in (file_name(attempt), "plain"):
        (photos / name).mkdir(parents=True)
        for index in range(4):
            Image.new("RGB", (8, 8), (index, 0, 0)).save(photos / name / f"{index}{name[:9]}.png")
    images = load_images(photos, 8)
    assert images.classes == 2
    assert images.pixels([0]).shape == (1, 3, 8, 8)
    broken = photos / file_name(attempt) / "broken.png"
    broken.write_text(attempt, errors="replace")
    with pytest.raises(ImagesError, match=r"broken\.png"):
        load_images(photos, 8).pixels(list(range(9)))


def test_labels_hold_architectures_and_numbers_only(
    begun: Path, guard: Any, attempt: str, run_command: RunCommand
) -> None:
    labels = begun.parent.parent / "labels.csv"
    guard.allow(labels.parent)
    for row in ([attempt, "50"], ["0", attempt], [attempt] * 9, [f"=cmd|' /C {attempt}'!A0", "1"]):
        with labels.open("w", newline="", encoding="utf-8", errors="replace") as file:
            csv.writer(file).writerows([["architecture", "accuracy"], row])
        options = ("--space", "tiny", "--accuracy", "few-shot", "--labels", labels)
        refused(run_command("search", *options, "--output", begun.parent))


def test_prompts_of_a_run_are_text_with_known_variables(
    begun: Path, guard: Any, settings: Callable[..., SearchConfig], tiny_tables: Path
) -> None:
    """What looks like another language of templates reaches the model as it stands."""
    own, output = begun.parent.parent / "prompts", begun.parent / "own"
    guard.allow(own, output, Path(os.environ["PELNAS_STATE"]))  # where it is noted who named them
    own.mkdir()
    text = "{0.__class__} %(rules)s ${7*6131} {% for x in [1] %} {{ \"x\".upper() }} {#c#} __import__('os')"
    (own / "planner.md").write_text(f"# System\nplanner {text}\n# User\n{{{{niches}}}} {text}\n")
    model = ScriptedModel(lambda _m, _s: "no")
    config = settings(output, tiny_tables, prompts=own, planner_model=model.name, rounds=1)
    Search(config, {model.name: model}).run()
    system, user = model.requests[0][:2]
    assert text in system.content
    assert text in user.content
    assert "{{niches}}" not in user.content
    for unknown in ("os", "config", "self", "__class__"):
        (own / "planner.md").write_text(f"# System\nplanner\n# User\n{{{{{unknown}}}}}\n")
        with pytest.raises(PromptError, match=f"unknown variable '{unknown}'"):
            load_prompt("planner", own).render({"niches": "none"})


@pytest.fixture
def recorded(begun: Path) -> Path:
    """A true recording in one file."""
    file = begun.parent.parent / "shared.zip"
    export(next(begun.parent.glob("*-other")), file)
    return file


@pytest.fixture
def apart(guard: Any, recorded: Path) -> None:
    """What the tests of recordings write themselves."""
    guard.allow(recorded.with_name("evil.zip"), recorded.with_name("replayed"))


def rewritten(recorded: Path, change: Callable[[zipfile.ZipFile, dict[str, bytes]], None]) -> Path:
    """The recording with something changed."""
    with zipfile.ZipFile(recorded) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    file = recorded.with_name("evil.zip")
    with zipfile.ZipFile(file, "w") as archive:
        change(archive, members)
    return file


@pytest.mark.parametrize(
    "name", ["../OWNED", "/OWNED", "a/../../OWNED", "..\\OWNED", "run.json/../OWNED"]
)
def test_a_recording_unpacks_its_two_members_only(recorded: Path, apart: None, name: str) -> None:
    def add(archive: zipfile.ZipFile, members: dict[str, bytes]) -> None:
        for member, content in members.items():
            archive.writestr(member, content)
        archive.writestr(name, "owned")

    with open_recording(rewritten(recorded, add)) as recording:
        assert recording.store.status == "finished"
        assert sorted(
            p.name for p in recording.store.folder.iterdir() if p.suffix in (".json", ".sqlite")
        ) == [
            "run.json",
            "run.sqlite",
        ]


def test_a_link_in_a_recording_is_no_link(recorded: Path, apart: None) -> None:
    def link(archive: zipfile.ZipFile, members: dict[str, bytes]) -> None:
        archive.writestr("run.json", members["run.json"])
        entry = zipfile.ZipInfo("run.sqlite")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(entry, "/etc/passwd")

    with pytest.raises(PelnasError) as refusal, open_recording(rewritten(recorded, link)):
        pass
    assert "\n" not in str(refusal.value)


def test_settings_of_a_recording_choose_no_place_to_write(
    recorded: Path, apart: None, run_command: RunCommand, tmp_path: Path
) -> None:
    def move(archive: zipfile.ZipFile, members: dict[str, bytes]) -> None:
        settings = json.loads(members["run.json"])
        settings |= {
            "output": str(tmp_path / "OWNED"),
            "name": "../../OWNED",
            "model": "hand:/OWNED",
        }
        archive.writestr("run.json", json.dumps(settings))
        archive.writestr("run.sqlite", members["run.sqlite"])

    file = rewritten(recorded, move)
    run_command("replay", file, "--output", tmp_path / "replayed")


def test_a_store_with_attempts_in_it_is_shown_as_text(
    begun: Path, guard: Any, attempt: str, run_command: RunCommand
) -> None:
    """Another's run: every text in it may have been written by hand."""
    other = next(begun.parent.glob("*-other"))
    forged = begun.parent / "forged"
    guard.allow(forged)
    forged.mkdir()
    for file in ("run.json", "run.sqlite"):
        (forged / file).write_bytes((other / file).read_bytes())
    with sqlite3.connect(forged / "run.sqlite") as store:
        sums.register(store)
        text = attempt[:5_000].encode("utf-8", "replace").decode()
        for table, column in (("designs", "rationale"), ("designs", "author"), ("run", "reason"),
                              ("plans", "focus"), ("niches", "label")):  # fmt: skip
            store.execute(f"UPDATE {table} SET {column} = ?", (text,))  # noqa: S608
    store.close()
    with RunStore.read(forged) as read:
        best = read.evaluations()[0].id
    for command in (("front",), ("explain", best), ("trace", "--candidate", best), ("runs",)):
        named = (forged.name,) if command[0] != "runs" else ()
        code, out, err = run_command(command[0], *named, *command[1:], "--output", begun.parent)
        assert code in (0, 2)
        assert out == visible(out)
        assert err == visible(err)
