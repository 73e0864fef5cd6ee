"""Run folders of strangers, through every door: nothing runs, nothing outside is written, no key leaves."""

import asyncio
import io
import json
import os
import pickle
import shutil
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import ormsgpack
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from starlette.testclient import TestClient

from pelnas import Search
from pelnas.agents.testing.server import LoopbackServer
from pelnas.app.main import run
from pelnas.app.mcp.tools import server
from pelnas.app.web.server import make_app
from pelnas.directives import parse
from pelnas.errors import AddressError, InputError, RunError, StoreError
from pelnas.graph.session.open_runs import Sessions
from pelnas.store import RunStore, sums
from pelnas.store.conversations import TALKS
from pelnas.training import checkpoint

CANARY = "sk-canary-4711"
LONGEST = 60  # seconds of a door; a pipe that is read would take for ever


class Stranger(NamedTuple):
    """A run folder that somebody sent, and what of the user's lies beside it."""

    folder: Path
    mine: Path  # a file of the user's
    empty: Path  # another one, which holds nothing
    home: Path  # a folder of the user's
    watched: Callable[[], Any]  # for a block: nothing runs, nothing outside is written

    @property
    def output(self) -> Path:
        return self.folder.parent


@pytest.fixture
def stranger(
    made: Path, tmp_path: Path, watching: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Stranger]:
    """A finished run in a folder of runs; whoever opens it is watched, and must end."""
    source, output, home = next(made.glob("*-other")), tmp_path / "runs", tmp_path / "home"
    output.mkdir()
    home.mkdir()
    folder = Path(shutil.copytree(source, output / source.name))
    mine, empty = home / ".bashrc", home / ".hushlogin"
    mine.write_text("export MINE=1\n")
    empty.touch()
    place = tmp_path / "here"
    place.mkdir()
    monkeypatch.chdir(place)
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)

    def too_long(_: int, __: FrameType | None) -> None:
        raise AssertionError(f"waited for more than {LONGEST} s")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(LONGEST)
    state = Path(os.environ["PELNAS_STATE"])
    try:
        yield Stranger(folder, mine, empty, home, lambda: watching(output, state))
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    assert mine.read_text() == "export MINE=1\n"
    assert empty.read_text() == ""
    assert sorted(each.name for each in home.iterdir()) == [".bashrc", ".hushlogin"]
    assert list(place.iterdir()) == []
    assert [each for each in tmp_path.rglob("OWNED") if each.exists()] == []


# -- doors ------------------------------------------------------------------------------


Door = Callable[[Stranger], None]


def command(*arguments: object, lines: str = "") -> int:
    """A command in this process, with lines on its standard input; one sentence where it refuses."""
    before = sys.stdin, sys.stdout, sys.stderr
    error = io.StringIO()
    sys.stdin = io.TextIOWrapper(io.BytesIO(lines.encode()), encoding="utf-8")
    sys.stdout, sys.stderr = io.StringIO(), error
    try:
        code = run([str(argument) for argument in arguments])
    finally:
        sys.stdin, sys.stdout, sys.stderr = before
    error_text = error.getvalue()
    assert "Traceback" not in error_text
    assert code in (0, 1, 2), error_text
    if code == 2:
        assert len(error_text.strip().splitlines()[-1]) < 2_100
    return code


def resume(stranger: Stranger) -> None:
    command("resume", stranger.folder, "--rounds", 2)


def fork(stranger: Stranger) -> None:
    command("fork", stranger.folder, "--rounds", 2, "--no-start")


def chat(stranger: Stranger) -> None:
    command("chat", stranger.folder, "--model", "run", lines="/front\n/rules\nwhat is best?\n")


def steer(stranger: Stranger) -> None:
    command("steer", stranger.folder, "/rounds 3")


def look(stranger: Stranger) -> None:
    for name in ("front", "rules", "directives", "trace"):
        command(name, stranger.folder)
    command("runs", "--output", stranger.output)


def export(stranger: Stranger) -> None:
    command("replay", stranger.folder, "--export", stranger.output / "recording.zip")


def verify(stranger: Stranger) -> None:
    command("verify", stranger.folder)
    command("verify", stranger.folder, "--repair")


def replay(stranger: Stranger) -> None:
    command("replay", stranger.folder, "--output", stranger.output)


def page(stranger: Stranger) -> None:
    app = make_app(stranger.output, "secret")
    browser = TestClient(app, base_url="http://127.0.0.1:8123", raise_server_exceptions=False)
    browser.headers["Authorization"] = "Bearer secret"
    place = f"/api/runs/{stranger.folder.name}"
    for address in (
        "/api/runs",
        place,
        f"{place}/rules",
        f"{place}/timeline",
        f"{place}/candidates",
    ):
        assert browser.get(address).status_code not in (401, 403, 500)


def host(stranger: Stranger) -> None:
    async def ask() -> None:
        async with Client(server(stranger.output)) as client:
            for tool in ("runs", "status", "front", "estimate_search"):
                await client.call_tool(tool, {})
            await client.call_tool("follow_search", {"seconds": 0})
            for resource in (await client.list_resources()).resources:
                with suppress(MCPError):
                    await client.read_resource(str(resource.uri))

    asyncio.run(ask())


def served(stranger: Stranger) -> None:
    sessions = Sessions(stranger.output)
    with suppress(InputError):
        sessions.get(stranger.folder.name)
    sessions.close(stranger.folder.name)


DOORS: dict[str, Door] = {
    "resume": resume, "fork": fork, "chat": chat, "steer": steer, "look": look, "export": export,
    "replay": replay, "verify": verify, "page": page, "host": host, "served": served,
}  # fmt: skip


def enter(stranger: Stranger, door: Door) -> None:
    with stranger.watched():
        door(stranger)


@pytest.fixture(params=DOORS.values(), ids=DOORS.keys())
def door(request: pytest.FixtureRequest) -> Door:
    return lambda stranger: enter(stranger, request.param)


# -- links and pipes ----------------------------------------------------------------------

FILES = (
    "events.jsonl", "conversations.jsonl", ".conversations.lock", ".lock", ".host", "report.html",
    "front.json", "front.csv", "front.png", "labels.csv",
)  # fmt: skip
STORES = ("run.json", "run.sqlite", "run.sqlite-wal", "run.sqlite-shm", "run.sqlite-journal")


def links(stranger: Stranger) -> None:
    """Every file that is written, as a link to one file of the user's."""
    for name in FILES:
        (stranger.folder / name).unlink(missing_ok=True)
        (stranger.folder / name).symlink_to(stranger.mine)


def links_to_nothing(stranger: Stranger) -> None:
    for name in FILES:
        (stranger.folder / name).unlink(missing_ok=True)
        (stranger.folder / name).symlink_to(stranger.home / f"new-{name}")


def linked_folders(stranger: Stranger) -> None:
    for name in ("knowledge", "training"):
        shutil.rmtree(stranger.folder / name, ignore_errors=True)
        (stranger.folder / name).symlink_to(stranger.home)


def linked_events(stranger: Stranger) -> None:
    """To a file whose beginning fits, so that the events would only be appended to it."""
    (stranger.folder / "events.jsonl").unlink()
    (stranger.folder / "events.jsonl").symlink_to(stranger.empty)


def pipes(stranger: Stranger) -> None:
    for name in ("events.jsonl", TALKS, "labels.csv", ".host"):
        (stranger.folder / name).unlink(missing_ok=True)
        os.mkfifo(stranger.folder / name)


def endless(stranger: Stranger) -> None:
    for name in ("events.jsonl", TALKS, "labels.csv", ".host"):
        (stranger.folder / name).unlink(missing_ok=True)
        (stranger.folder / name).symlink_to("/dev/zero")


@pytest.mark.parametrize(
    "plant",
    [links, links_to_nothing, linked_folders, linked_events, pipes, endless],
    ids=lambda p: p.__name__,
)
def test_links_and_pipes(stranger: Stranger, plant: Door, door: Door) -> None:
    plant(stranger)
    door(stranger)


@pytest.mark.parametrize("name", STORES)
def test_a_store_that_lies_elsewhere_is_not_opened(stranger: Stranger, name: str) -> None:
    """It may be another run of the user's: neither this one nor that one is written."""
    place, elsewhere = stranger.folder / name, stranger.output / f"other-{name}"
    if place.exists():
        place.rename(elsewhere)
    else:
        elsewhere.write_bytes(b"")
    before = elsewhere.read_bytes()
    place.symlink_to(elsewhere)
    for door in DOORS.values():
        enter(stranger, door)
    assert elsewhere.read_bytes() == before


# -- paths ----------------------------------------------------------------------------------


def altered(stranger: Stranger, statement: str, *values: Any) -> None:
    """With checksums that fit: whoever can write the file can write these, too."""
    with closing(sqlite3.connect(stranger.folder / "run.sqlite")) as store, store:
        sums.register(store)
        store.execute(statement, values)


@pytest.mark.parametrize(
    "weights", ["../../home/.bashrc", "../run.sqlite", "{home}/.bashrc", "run.sqlite"]
)
def test_weights_lead_nowhere_else(stranger: Stranger, weights: str) -> None:
    name = weights.format(home=stranger.home)
    (stranger.folder / "training").mkdir()
    altered(stranger, "INSERT INTO images VALUES (1, 'mine', 'd1')")
    altered(
        stranger,
        "INSERT INTO trainings (id, architecture, seed, validation_accuracy, test_accuracy, epochs,"
        " best_epoch, seconds, images, settings, weights, finished)"
        " VALUES ('a', 'x', 0, 80, 79, 3, 2, 1.5, 'd1', '{}', ?, 1.0)",
        name,
    )
    for door in (fork, chat, look, page):
        enter(stranger, door)
    with RunStore.read(stranger.folder) as store, pytest.raises(RunError, match="was altered"):
        store.trainings()


# -- what would run ---------------------------------------------------------------------------


class Touch:
    """Unpickled, it starts a process."""

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("touch OWNED",)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_training_under_way_is_no_program(stranger: Stranger, protocol: int) -> None:
    """Its checkpoint is read as tensors and plain values, or not at all."""
    planted = stranger.folder / "a.checkpoint.pt"
    planted.write_bytes(pickle.dumps(Touch(), protocol))
    with stranger.watched(), pytest.raises(StoreError, match="to train anew"):
        checkpoint.load(planted)


def test_checkpoints_of_a_graph_are_not_even_read(stranger: Stranger, door: Door) -> None:
    """What LangGraph's serializer would import and call."""
    program = ormsgpack.packb(ormsgpack.Ext(0, ormsgpack.packb(("os", "system", "touch OWNED"))))
    file = stranger.folder / "checkpoints.sqlite"
    file.unlink(missing_ok=True)
    with closing(sqlite3.connect(file)) as saved, saved:
        saved.execute(
            "CREATE TABLE checkpoints (thread_id, checkpoint_ns, checkpoint_id,"
            " parent_checkpoint_id, type, checkpoint, metadata)"
        )
        saved.execute(
            "CREATE TABLE writes (thread_id, checkpoint_ns, checkpoint_id, task_id, idx, channel,"
            " type, value)"
        )
        row = (stranger.folder.name, "1f0", "msgpack", program, b"{}")
        saved.execute("INSERT INTO checkpoints VALUES (?, '', ?, NULL, ?, ?, ?)", row)
    door(stranger)


@pytest.mark.parametrize("door", [resume, fork, served], ids=["resume", "fork", "served"])
def test_a_knowledge_base_is_made_anew(stranger: Stranger, door: Door) -> None:
    """Its index, and the program that Chroma is told to embed with, are the stranger's."""
    knowledge = stranger.folder / "knowledge"
    shutil.rmtree(knowledge, ignore_errors=True)
    index = knowledge / "2b6d9a5e-5d0c-4c3e-9d0f-000000000000"
    index.mkdir(parents=True)
    for name in ("index_metadata.pickle", "data_level0.bin", "header.bin"):
        (index / name).write_bytes(pickle.dumps(Touch()))
    (knowledge / "chroma.sqlite3").write_bytes(b"SQLite format 3\0" + bytes(5_000))
    enter(stranger, door)
    if door is resume:
        with RunStore.read(stranger.folder) as store:
            assert store.status == "finished"
            assert len(store.complete_rounds()) == 2
        assert not index.exists()


def test_what_lies_where_the_user_works_configures_nothing(stranger: Stranger) -> None:
    """Who goes into a stranger's folder gets no settings of libraries from there."""
    (stranger.folder / ".env").write_text(
        "CHROMA_API_IMPL=chromadb.api.fastapi.FastAPI\nCHROMA_SERVER_HOST=127.0.0.1\n"
    )
    (stranger.folder / "matplotlibrc").write_text("text.usetex: True\n")
    os.chdir(stranger.folder)
    with stranger.watched():
        assert command("resume", stranger.folder, "--rounds", 2) == 0


# -- what would be sent -----------------------------------------------------------------------


class Listening(LoopbackServer):
    """Whatever is asked of it."""

    def __init__(self) -> None:
        super().__init__(lambda _messages, _schema: "{}")


@pytest.fixture
def listener() -> Iterator[Listening]:
    """The server that the settings of a stranger name; nobody may ask it anything."""
    with Listening() as server:
        yield server


def renamed(stranger: Stranger, **settings: Any) -> None:
    """Sealed anew: a stranger's run need not have been another one before."""
    file = stranger.folder / "run.json"
    text = json.dumps(json.loads(file.read_text()) | settings)
    file.write_text(text)
    altered(stranger, "UPDATE settings SET body = ?", text)


def by_settings(stranger: Stranger, url: str) -> None:
    renamed(stranger, base_url=url, model="openai:x")


def by_fallback(stranger: Stranger, url: str) -> None:
    renamed(stranger, base_url=url, planner_model="hand:there", planner_fallbacks=["openai:x"])


def by_order(stranger: Stranger, url: str) -> None:
    """No role has a model yet; an order in the store brings it into play."""
    renamed(stranger, base_url=url)
    altered(stranger, "UPDATE run SET finished = NULL, reason = ''")
    with RunStore.open(stranger.folder) as store:
        store.append_directive(parse("/model designer openai:x"), "mallory", "", after=0)


@pytest.mark.parametrize("named", [by_settings, by_fallback, by_order], ids=lambda n: n.__name__)
def test_no_key_leaves_to_an_address_of_a_stranger(
    stranger: Stranger, listener: Listening, named: Any, door: Door
) -> None:
    named(stranger, listener.url)
    door(stranger)
    assert listener.requests == []


def test_a_conversation_loads_no_file_that_a_stranger_names(stranger: Stranger) -> None:
    for model in (f"local:{stranger.mine}", f"hand:{stranger.home}"):
        renamed(stranger, model=model)
        with stranger.watched():
            assert command("chat", stranger.folder, "--model", "run", lines="well?\n") == 2


@pytest.mark.parametrize("named", [by_settings, by_fallback, by_order], ids=lambda n: n.__name__)
def test_it_is_the_address_for_which_such_a_run_is_refused(stranger: Stranger, named: Any) -> None:
    """The plants above are whole runs: nothing else keeps them from going on."""
    named(stranger, "http://127.0.0.1:1/v1")
    with pytest.raises(AddressError, match=r"http://127\.0\.0\.1:1/v1"):
        Search.resume(stranger.folder, rounds=2)


PLACES = {
    "hand": {"designer_model": "hand:{home}"},
    "hand below the home": {"designer_model": "hand:~/questions"},
    "local": {"model": "local:{home}/.bashrc"},
    "prompts": {"prompts": "{home}", "model": "openai:x"},
}


@pytest.mark.parametrize("settings", PLACES.values(), ids=PLACES.keys())
@pytest.mark.parametrize("door", [resume, fork, served], ids=["resume", "fork", "served"])
def test_no_file_of_the_user_is_what_a_stranger_names(
    stranger: Stranger, settings: dict[str, str], door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(stranger.home))
    renamed(stranger, **{k: v.format(home=stranger.home) for k, v in settings.items()})
    with RunStore.read(stranger.folder) as store:
        before = len(store.events())
    enter(stranger, door)
    with RunStore.read(stranger.folder) as store:
        assert len(store.events()) == before
