"""Every way in, each with inputs beside the valid ones, and what may come of them.

A door draws an input from a generator of random numbers, so that a seed and a number
name it for ever. What comes of it is an answer or one sentence; anything else fails.
"""

import asyncio
import contextlib
import io
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import ground as valid
import mutations
from ground import SPACE, Ground

from pelnas.errors import AnswerError, InputError

KEY = "sk-fuzz-0a1b2c3d4e5f6071"  # stands in the environment, and nowhere else
LONGEST = 6_000  # characters of one sentence


class Door(ABC):
    """One way in. ``share``: how many of a thousand inputs come to it."""

    name: str
    share: int

    @abstractmethod
    def draw(self, rng: random.Random) -> Any:
        """An input; ``repr`` shows it."""

    @abstractmethod
    def knock(self, given: Any) -> None:
        """Hand it in. Whatever is raised is a fault."""

    def sound(self) -> None:
        """AssertionError: the door lets nobody in, so that nothing is tried."""


@contextlib.contextmanager
def one_sentence() -> Iterator[None]:
    """What the caller can act on is an answer, if it is a sentence."""
    try:
        yield
    except (InputError, AnswerError) as error:
        said = str(error)
        assert said, "an error without a word"
        assert len(said) <= LONGEST, f"a sentence of {len(said)} characters"
        assert KEY not in said, "the key"


@dataclass
class _Scratch(Door):
    """A folder of its own for each input."""

    ground: Ground

    @contextlib.contextmanager
    def folder(self) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(dir=self.ground.root) as place:
            yield Path(place)


@dataclass
class Predicates(Door):
    ground: Ground
    name: str = "predicates"
    share: int = 100

    def draw(self, rng: random.Random) -> str:
        known = "nor_conv_3x3 >= 2 and avg_pool_3x3@0->1 == 0 and flops < 1.5e6"
        return mutations.text(rng, known)

    def knock(self, given: str) -> None:
        from pelnas.predicate import parse_predicate

        with one_sentence():
            found = parse_predicate(given, SPACE.feature_names)
            assert parse_predicate(str(found)) == found
            found.holds({"nor_conv_3x3": 2.0})


COMMANDS = (
    "/focus latency<=5 latency>=2", "/focus niche 1", "/ban avg_pool_3x3@0->1 in niche 2",
    "/require nor_conv_3x3", "/limit latency<=5 parameters<=300000 in niche 2", "/pin 12",
    "/weigh latency 2", '/rule add "More of it" nor_conv_3x3 >= 2 helps accuracy in niche 1',
    '/rule edit p1 "Less" none <= 1 hurts latency', "/rule retire p1", "/rounds 20",
    "/budget minutes 10", "/budget dollars none", "/model designer openai:gpt", "/pause", "/resume",
    "/stop", "/undo d1",
)  # fmt: skip


def _command(rng: random.Random) -> str:
    seed = f"/seed {SPACE.format(SPACE.at(rng.randrange(SPACE.size)))}"
    return mutations.text(rng, rng.choice((*COMMANDS, seed)))


@dataclass
class Directives(Door):
    ground: Ground
    name: str = "directives"
    share: int = 130

    def draw(self, rng: random.Random) -> str:
        return _command(rng)

    def knock(self, given: str) -> None:
        from pelnas.directives import parse

        with one_sentence():
            order = parse(given)
            assert parse(order.command) == order
            self._client.say(self._client.check(order))

    @cached_property
    def _client(self) -> Any:
        from pelnas.graph.session.steering_client import SteeringClient

        return SteeringClient.open(self.ground.open)


@dataclass
class Settings(_Scratch):
    name: str = "toml"
    share: int = 120

    def draw(self, rng: random.Random) -> bytes:
        text = mutations.text(rng, valid.TOML).encode(
            "utf-8", "surrogateescape" if False else "replace"
        )
        return mutations.data(rng, text) if rng.random() < 0.2 else text

    def knock(self, given: bytes) -> None:
        from pelnas.config import load_config

        with self.folder() as place, one_sentence():
            (place / "s.toml").write_bytes(given)
            load_config(place / "s.toml").model_dump_json()


@dataclass
class Changes(Door):
    """Settings by dotted name, as ``fork --set`` takes them."""

    ground: Ground
    name: str = "settings"
    share: int = 60

    def draw(self, rng: random.Random) -> dict[str, Any]:
        from pelnas.config import SearchConfig

        names = [
            *SearchConfig.model_fields,
            "scoring.batch",
            "budget.minutes",
            "measurement.threads",
        ]
        name = rng.choice(names)
        if rng.random() < 0.2:
            name = mutations.text(rng, name)
        return {name: rng.choice((rng.choice(mutations.NUMBERS), rng.choice(mutations.TEXTS)))}

    def knock(self, given: dict[str, Any]) -> None:
        from pelnas.config import differences, with_settings

        with one_sentence():
            base = self.ground.config()
            differences(base, with_settings(base, given))


@dataclass
class Labels(_Scratch):
    name: str = "labels"
    share: int = 70

    def draw(self, rng: random.Random) -> bytes:
        text = mutations.text(rng, valid.labels()).encode("utf-8", "replace")
        return mutations.data(rng, text) if rng.random() < 0.3 else text

    def knock(self, given: bytes) -> None:
        from pelnas.predictors.labels import check_labels, read_labels

        with self.folder() as place, one_sentence():
            (place / "labels.csv").write_bytes(given)
            check_labels(read_labels(place / "labels.csv", SPACE))


@dataclass
class Images(_Scratch):
    name: str = "images"
    share: int = 60

    def draw(self, rng: random.Random) -> tuple[str, bytes]:
        kind = rng.choice(("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM"))
        return kind.lower(), mutations.data(rng, valid.image(kind))

    def knock(self, given: tuple[str, bytes]) -> None:
        from pelnas.images import load_images

        kind, data = given
        with self.folder() as place, one_sentence():
            for name, content in (("a", data), ("b", valid.image("PNG"))):
                (place / name).mkdir()
                (place / name / f"1.{kind if name == 'a' else 'png'}").write_bytes(content)
            load_images(place, 8).batch(2, 0)


@dataclass
class Arrays(_Scratch):
    name: str = "npz"
    share: int = 60

    def draw(self, rng: random.Random) -> bytes:
        return mutations.data(rng, valid.npz(rng))

    def knock(self, given: bytes) -> None:
        from pelnas.images import load_images

        with self.folder() as place, one_sentence():
            (place / "i.npz").write_bytes(given)
            load_images(place / "i.npz", 8).batch(2, 0)


@dataclass
class PictureTables(_Scratch):
    name: str = "parquet"
    share: int = 40

    def draw(self, rng: random.Random) -> bytes:
        return mutations.data(rng, valid.picture_table(rng))

    def knock(self, given: bytes) -> None:
        from pelnas.images import load_images

        with self.folder() as place, one_sentence():
            (place / "i.parquet").write_bytes(given)
            images = load_images(place / "i.parquet", 8)
            images.batch(min(4, len(images.train)), 0)


@dataclass
class Tables(_Scratch):
    name: str = "tables"
    share: int = 30

    def draw(self, rng: random.Random) -> tuple[str, bytes]:
        name = rng.choice(("costs.parquet", "accuracies.parquet"))
        return name, mutations.data(rng, (self.ground.tables / name).read_bytes())

    def knock(self, given: tuple[str, bytes]) -> None:
        from pelnas import tables

        with self.folder() as place, one_sentence():
            name, data = given
            (place / name).write_bytes(data)
            dataset, *_ = tables.datasets(place)
            if name == "costs.parquet":
                for device in tables.devices(place):
                    for column in tables.cost_columns(place, dataset, device).values():
                        tables.Lookup(column, SPACE)
            else:
                tables.Lookup(tables.accuracy_column(place, dataset), SPACE)


@dataclass
class Recordings(_Scratch):
    name: str = "recordings"
    share: int = 20

    def draw(self, rng: random.Random) -> bytes:
        return mutations.data(rng, self.ground.recording.read_bytes())

    def knock(self, given: bytes) -> None:
        from pelnas.recording import open_recording

        with self.folder() as place, one_sentence():
            (place / "r.zip").write_bytes(given)
            with open_recording(place / "r.zip") as recording:
                recording.store.evaluations()


@dataclass
class Stores(_Scratch):
    """Run folders of others, and of bad disks."""

    name: str = "stores"
    share: int = 35

    def draw(self, rng: random.Random) -> tuple[str, bytes]:
        files = ("run.sqlite", "run.sqlite", "run.sqlite", "run.json", "events.jsonl")
        name = rng.choice(files)
        data = (self.ground.run / name).read_bytes()
        if name == "run.sqlite" and rng.random() < 0.6:
            return name, _changed_row(rng, self.ground.run / name)
        if name == "run.json" and rng.random() < 0.7:
            changed = mutations.value(rng, json.loads(data))
            return name, json.dumps(changed).encode()
        return name, mutations.data(rng, data)

    def knock(self, given: tuple[str, bytes]) -> None:
        from pelnas.store import list_runs

        name, data = given
        with self.folder() as place:
            folder = place / self.ground.run.name
            shutil.copytree(self.ground.run, folder, ignore=shutil.ignore_patterns("knowledge"))
            (folder / name).write_bytes(data)
            list_runs(place)
            for question in _QUESTIONS:
                with one_sentence():
                    question(folder)


def _changed_row(rng: random.Random, file: Path) -> bytes:
    """The database with values in some of its rows that do not belong there."""
    with tempfile.TemporaryDirectory() as place:
        copy = Path(place) / "copy.sqlite"
        shutil.copy(file, copy)
        connection = sqlite3.connect(copy, isolation_level=None)
        with contextlib.closing(connection):
            connection.execute("PRAGMA journal_mode = DELETE")
            found = (
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
            )
            tables = [name for (name,) in connection.execute(found)]
            for _ in range(rng.choice((1, 3))):
                table = rng.choice(tables)
                columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
                column, odd = rng.choice(columns), rng.choice(_CELLS)
                with contextlib.suppress(sqlite3.Error):
                    old = connection.execute(f"SELECT {column} FROM {table}").fetchone()  # noqa: S608
                    if isinstance((old or (None,))[0], str) and rng.random() < 0.5:
                        odd = mutations.text(rng, old[0]).encode("utf-8", "replace").decode()
                    connection.execute(
                        f"UPDATE {table} SET {column} = ? WHERE rowid IN"  # noqa: S608
                        f" (SELECT rowid FROM {table} LIMIT ?)",
                        (odd, rng.choice((1, 1, 100))),
                    )
        return copy.read_bytes()


_CELLS = (
    None, "", "x", b"\xff\x00", -1, 0, 10**6, 2**63 - 1, -(2**63), 1.5, 1e308, float("inf"),
    "[]", "{}", "[1]", '{"a": 1}', "null", "NaN", "9" * 400, "[" * 5_000, "r9n9c9",
)  # fmt: skip


def _asked(name: str, *options: object) -> Callable[[Path], None]:
    """A question to a stored run, as the tools ask it."""

    def ask(folder: Path) -> None:
        from pelnas.store import RunStore
        from pelnas.tools import answers, directive_outcomes

        with RunStore.read(folder) as store:
            where = answers if hasattr(answers, name) else directive_outcomes
            json.dumps(getattr(where, name)(store, *options), default=str)

    return ask


def _reported(folder: Path) -> None:
    from pelnas.report import front_points, niche_rows
    from pelnas.store import RunStore

    with RunStore.read(folder) as store:
        front_points(store)
        niche_rows(store)
        store.events()
        store.calls()


def _verified(folder: Path) -> None:
    from pelnas.report.verification import verify

    for problem in verify(folder):
        assert str(problem)


def _estimated(folder: Path) -> None:
    from pelnas.graph.estimate.estimate import estimate
    from pelnas.graph.session.problem import ground_of
    from pelnas.store import RunStore

    with RunStore.read(folder) as store:
        config = store.config.model_copy(update={"output": folder.parent})
    estimate(config, ground_of(config).partition)


_QUESTIONS = (
    _asked("status"), _asked("front"), _asked("rules", True), _asked("tried", 0),
    _asked("directives"), _reported, _verified, _estimated,
)  # fmt: skip


@dataclass
class Answers(Door):
    """What models say; replies of servers have a fuzz of their own beside this one."""

    ground: Ground
    name: str = "answers"
    share: int = 80

    def draw(self, rng: random.Random) -> tuple[str, str]:
        kind, answer = rng.choice(list(valid.answers().items()))
        changed = mutations.value(rng, answer) if rng.random() < 0.6 else answer
        try:
            said = valid.prose(changed, rng)
        except (ValueError, RecursionError):
            said = "{"
        return kind, mutations.text(rng, said) if rng.random() < 0.5 else said

    def knock(self, given: tuple[str, str]) -> None:
        from pelnas.agents import answer_schema, planner, reflection
        from pelnas.agents.models.json_answer import read_answer

        kind, said = given
        schemas = {
            "PlanAnswer": planner.PlanAnswer,
            "DesignAnswer": answer_schema.Designs,
            "ReflectAnswer": reflection.ReflectAnswer,
        }
        found, problem = read_answer(said, schemas[kind])
        assert (found is None) == bool(problem)
        assert len(problem) <= LONGEST


@dataclass
class Web(Door):
    """The page's interface, in process."""

    ground: Ground
    name: str = "web"
    share: int = 110

    def draw(self, rng: random.Random) -> tuple[str, str, bytes, dict[str, str]]:
        run = self.ground.run.name
        path = rng.choice(
            (
                "/api/runs", f"/api/runs/{run}", f"/api/runs/{run}/candidates",
                f"/api/runs/{run}/candidates/r0n0c0", f"/api/runs/{run}/growth",
                f"/api/runs/{run}/niches", f"/api/runs/{run}/rules", f"/api/runs/{run}/timeline",
                f"/api/runs/{run}/timeline/1", f"/api/runs/{run}/calls/r0.plan",
                f"/api/runs/{run}/directives", "/api/starts/0", "/api/session",
                f"/api/compare?run={run}&run={run}", "/static/main.js",
            )
        )  # fmt: skip
        method, body = "GET", b""
        if rng.random() < 0.6:
            method = "POST"
            path, sent = rng.choice(
                (
                    ("/api/runs", {"space": "tiny", "device": "nowhere", "rounds": 2, "seed": 1,
                                   "max_minutes": 1.5, "name": "x", "temperature": 0.1}),
                    (f"/api/runs/{self.ground.open.name}/talk", {"talk": "t", "line": _command(rng)}),
                )
            )  # fmt: skip
            body = _json_bytes(rng, sent)
        if rng.random() < 0.4:
            path = mutations.text(rng, path).replace("#", "%23")
        headers = {"content-type": "application/json"}
        if rng.random() < 0.1:
            headers[rng.choice(("last-event-id", "origin", "content-type"))] = rng.choice(
                ("9" * 30, "-1", "x", "http://evil", "text/plain", "\x1b")
            )
        return method, path, body, headers

    def sound(self) -> None:
        """A valid request is let in: else nothing behind the guard is tried."""
        asked = ("GET", f"/api/runs/{self.ground.run.name}", b"", {"accept": "*/*"})
        assert asyncio.run(self._ask(*asked))[0] == 200

    def knock(self, given: tuple[str, str, bytes, dict[str, str]]) -> None:
        method, path, body, headers = given
        if "/events" in path:
            return  # a stream, which has no end
        status, text = asyncio.run(self._ask(method, path, body, headers))
        assert 200 <= status < 500, f"{status}: {text[:300]}"
        assert KEY not in text, "the key"
        if status >= 400:
            assert len(text) <= LONGEST, text[:300]
            assert "Traceback" not in text

    async def _ask(
        self, method: str, path: str, body: bytes, headers: dict[str, str]
    ) -> tuple[int, str]:
        """One request as a server hands it to the application: no client has corrected it."""
        own = dict(self._client.headers.items()) | headers
        place, _, query = path.partition("?")
        raw = quote(place, errors="replace")
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method,
            "scheme": "http", "path": unquote(raw), "raw_path": raw.encode(),
            "query_string": quote(query, safe="=&%+", errors="replace").encode(), "root_path": "",
            "headers": [(n.lower().encode("latin-1"), v.encode("latin-1")) for n, v in own.items()]
            + [(b"host", self._client.base_url.netloc)],
            "client": ("127.0.0.1", 9), "server": ("127.0.0.1", 8123), "state": {},
        }  # fmt: skip
        sent = [{"type": "http.request", "body": body, "more_body": False}]
        replies: list[Any] = []

        async def receive() -> Any:
            return sent.pop() if sent else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            replies.append(message)

        await self._client.app(scope, receive, send)
        text = b"".join(message.get("body", b"") for message in replies).decode("utf-8", "replace")
        return replies[0]["status"], text

    @cached_property
    def _client(self) -> Any:
        from app.web.test_api import client_of

        from pelnas.app import launch

        class NoChild:
            """What was found fit to begin is not begun."""

            def __init__(self, command: list[str], **_: Any) -> None:
                for part in command:
                    os.fsencode(part)
                    assert "\0" not in part

            def wait(self) -> int:
                return 0

            def poll(self) -> int:
                return 0

        launch.subprocess = _Like(subprocess, Popen=NoChild)  # type: ignore[attr-defined]
        return client_of(self.ground.runs)


class _Like:
    """A module with some names replaced."""

    def __init__(self, module: Any, **names: Any) -> None:
        self.__dict__.update(vars(module) | names)


def _json_bytes(rng: random.Random, sent: Any) -> bytes:
    how = rng.random()
    if how < 0.6:
        try:
            return json.dumps(mutations.value(rng, sent)).encode()
        except (ValueError, RecursionError):
            return b"[" * 20_000
    if how < 0.9:
        return mutations.text(rng, json.dumps(sent)).encode("utf-8", "replace")
    return mutations.data(rng, json.dumps(sent).encode())


@dataclass
class Mcp(Door):
    """The tools of the MCP server, in process."""

    ground: Ground
    name: str = "mcp"
    share: int = 40

    def draw(self, rng: random.Random) -> tuple[str, dict[str, Any]]:
        run, cell = self.ground.run.name, SPACE.format(SPACE.at(rng.randrange(SPACE.size)))
        tool, sent = rng.choice(
            (
                ("runs", {}), ("status", {"run": run}), ("front", {"run": run}),
                ("explain", {"run": run, "architecture": "r0n0c0"}),
                ("compare", {"run": run, "first": cell, "second": "r0n0c1"}),
                ("nearest", {"run": run, "architecture": cell}),
                ("afford", {"run": run, "latency_ms": 4.5}), ("niches", {"run": run}),
                ("tried", {"run": run, "niche": 1}), ("rules", {"run": run, "every": True}),
                ("score", {"run": run, "architecture": cell}),
                ("latency", {"run": run, "architecture": cell}), ("directives", {"run": run}),
                ("call", {"run": run, "id": "r0.plan"}),
                ("steer", {"run": self.ground.open.name, "command": _command(rng)}),
            )
        )  # fmt: skip
        return tool, mutations.value(rng, sent) if sent else {"x": mutations.odd(rng)}

    def knock(self, given: tuple[str, dict[str, Any]]) -> None:
        tool, sent = given
        if not isinstance(sent, dict):
            return
        self._loop.run_until_complete(self._asked(tool, sent))

    async def _asked(self, tool: str, sent: dict[str, Any]) -> None:
        from mcp import Client
        from mcp.shared.exceptions import MCPError

        async with Client(self._server) as client:
            try:
                answer = await client.call_tool(tool, sent)
            except (MCPError, ValueError, TypeError, RecursionError, OverflowError):
                return  # refused by the protocol, or by the client itself
        said = "".join(getattr(part, "text", "") for part in answer.content)
        assert KEY not in said, "the key"
        assert "Traceback" not in said
        assert "Error executing tool" not in said or "Error" not in said.split(":", 2)[-1][:40], (
            said
        )

    @cached_property
    def _loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.new_event_loop()

    @cached_property
    def _server(self) -> Any:
        from pelnas.app.mcp.tools import server

        return server(self.ground.runs)


def called(place: Path, words: list[str]) -> tuple[int, str, str]:
    """The program, called in this process in a folder: exit code, output and errors."""
    from pelnas.app.main import run
    from pelnas.app.web.server import Site

    Site.serve = Site.close  # type: ignore[method-assign]
    before = Path.cwd()
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", errors="strict") for _ in range(2))
    err.reconfigure(errors="backslashreplace")
    os.chdir(place)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run(words)
    except SystemExit as ended:
        code = int(ended.code or 0)
    finally:
        os.chdir(before)
    texts = []
    for stream in (out, err):
        stream.flush()
        texts.append(stream.buffer.getvalue().decode())  # type: ignore[attr-defined]
    return code, texts[0], texts[1]


def check_answer(code: int, out: str, err: str) -> None:
    """AssertionError: neither an answer nor one sentence."""
    assert code in (0, 1, 2), f"exit code {code}: {err[-500:]}"
    for said in (out, err):
        assert "Traceback" not in said, said[-2_000:]
        assert KEY not in said, "the key"
        assert "\x1b" not in said, f"an escape: {said[:500]!r}"
    if code == 2:
        assert err.strip().splitlines()[-1:] == [err.strip()], f"not one sentence: {err[:900]}"


#: What Python reports (``sys.audit``) when a program is run or a name of a pickle is looked up.
RUNS = {"pickle.find_class", "os.system", "os.exec", "os.posix_spawn", "subprocess.Popen"}


class _Watch:
    """What was run in a block; one hook of the interpreter for all, since none can be taken off."""

    def __init__(self) -> None:
        self.watching, self.ran = False, list[str]()
        sys.addaudithook(self._heard)

    def _heard(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.watching and event in RUNS:
            self.ran.append(f"{event} {arguments}"[:200])

    @contextlib.contextmanager
    def nothing_runs(self) -> Iterator[None]:
        self.watching, self.ran = True, []
        try:
            yield
        finally:
            self.watching = False
        assert not self.ran, f"was run: {self.ran}"


_watch = _Watch()


def _content(folder: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


class _Takes(_Scratch):
    """Files that become tables: as a whole, so that every search can use the folder, or not at all."""

    def taken(self, place: Path, words: list[str], kept: Path) -> None:
        from pelnas.importing.listing import listed

        before = _content(kept)
        with _watch.nothing_runs():
            code, out, err = called(place, [*words, "--to", str(kept)])
        check_answer(code, out, err)
        assert not (place / "ran").exists(), "was run"
        if code:
            assert _content(kept) == before, "something is left of what was refused"
            return
        assert len(_content(kept)) > len(before), "nothing is kept"
        assert listed(kept), "nothing is listed"
        answer = called(place, ["data", "list", "--data", str(kept)])
        assert answer[0] == 0, answer[2]
        check_answer(*answer)


@dataclass
class Imports(_Takes):
    """Tables that people have: ``data import``."""

    name: str = "imports"
    share: int = 60

    def draw(self, rng: random.Random) -> tuple[str, bytes, list[str]]:
        name, content = rng.choice((valid.release, valid.json_table, valid.csv_table,
                                    valid.parquet_table, valid.layer_table))(rng)  # fmt: skip
        options = [
            ["--space", rng.choice(("tiny", "nasbench201", "fbnet", "odd"))], ["--complete"],
            ["--duplicates", "first"], ["--unit", rng.choice(("s", "us"))], ["--json"],
            ["--dataset", rng.choice((*mutations.TEXTS, "toy10", "a__b"))],
            ["--latency", f"{rng.choice((*mutations.TEXTS, 'pi'))}=x__pi_latency"],
            ["--accuracy", "val=x__pi_latency"], ["--architectures", "x__pi_latency"],
        ]  # fmt: skip
        chosen = [rng.choice(options) for _ in range(rng.choice((0, 0, 1, 2)))]
        words = [_as_argument(word) for option in chosen for word in option]
        return name, content, words

    def knock(self, given: tuple[str, bytes, list[str]]) -> None:
        name, content, words = given
        with self.folder() as place:
            (place / name).write_bytes(content)
            kept = place / "kept"
            kept.mkdir()
            shutil.copy(self.ground.tables / "costs.parquet", kept)
            self.taken(place, ["data", "import", name, *words], kept)

    def sound(self) -> None:
        """What was not changed is taken in."""
        for make in (valid.json_table, valid.csv_table, valid.parquet_table, valid.layer_table):
            with self.folder() as place:
                name, content = make(None)
                (place / name).write_bytes(content)
                assert called(place, ["data", "import", name, "--to", "kept"])[0] == 0, name
        with self.folder() as place:
            name, content = valid.release(None)
            (place / name).write_bytes(content)
            assert called(place, ["data", "import", name, "--to", "kept"])[0] == 0, name


@dataclass
class Boards(_Takes):
    """What a board answered: ``device fit``."""

    name: str = "boards"
    share: int = 30

    def draw(self, rng: random.Random) -> tuple[bytes, bytes]:
        manifest, results = valid.board()
        if rng.random() < 0.3:
            manifest = json.dumps(mutations.value(rng, json.loads(manifest))).encode()
        text = mutations.text(rng, results.decode()).encode("utf-8", "replace")
        return manifest, mutations.data(rng, text) if rng.random() < 0.2 else text

    def knock(self, given: tuple[bytes, bytes]) -> None:
        manifest, results = given
        with self.folder() as place:
            (place / "manifest.json").write_bytes(manifest)
            (place / "results.csv").write_bytes(results)
            (place / "kept").mkdir()
            words = ["device", "fit", "results.csv", "--name", "board"]
            self.taken(place, words, place / "kept")

    def sound(self) -> None:
        self.knock(valid.board())


@dataclass
class CommandLine(_Scratch):
    """The program, called in this process; a few times in one of its own."""

    name: str = "commands"
    share: int = 30
    processes: int = 40  # one of so many inputs is tried in a process of its own

    def draw(self, rng: random.Random) -> tuple[bool, list[str]]:
        words = list(rng.choice(self._valid(rng)))
        for _ in range(rng.choice((1, 1, 2))):
            place = rng.randrange(len(words))
            match rng.randrange(6):
                case 0:
                    words[place] = mutations.text(rng, words[place])
                case 1:
                    words.insert(place + 1, rng.choice(mutations.TEXTS))
                case 2:
                    words[place] = rng.choice(mutations.NUMBERS)
                case 3:
                    words.append(rng.choice(("--json", "--help", "--seed", "--rounds", "--output")))
                case _:
                    words[-1] = rng.choice((*mutations.NUMBERS, *mutations.TEXTS))
        alone = rng.randrange(self.processes) == 0
        return alone, [_as_argument(word) for word in words]

    def _valid(self, rng: random.Random) -> list[list[str]]:
        run, output = self.ground.run.name, ["--output", str(self.ground.runs)]
        search = ["search", "--space", "tiny", "--data", str(self.ground.tables), "--device", "toy",
                  "--accuracy", "table", "--estimate", *output]  # fmt: skip
        number = [("--rounds", "3"), ("--per-niche", "2"), ("--seed", "1"), ("--batch", "8"),
                  ("--max-minutes", "2.5"), ("--max-dollars", "1"), ("--temperature", "1"),
                  ("--reference", "16"), ("--concurrency", "openai=4"), ("--max-calls", "9")]  # fmt: skip
        texts = [("--name", "x"), ("--model", "openai:gpt"), ("--labels", "l.csv"),
                 ("--images", "folder"), ("--config", "s.toml"), ("--rules-from", run),
                 ("--partition", "flops"), ("--dataset", "toy10"), ("--prior", "transfer")]  # fmt: skip
        return [
            [*search, *rng.choice(number)], [*search, *rng.choice(number)],
            [*search, *rng.choice(texts)], ["front", run, *output], ["rules", run, *output],
            ["explain", "r0n0c0", "--run", run, *output], ["runs", *output],
            ["steer", self.ground.open.name, _command(rng), *output],
            ["directives", run, *output], ["trace", run, *output, "--niche", "1", "--round", "0"],
            ["diff", run, self.ground.open.name, *output], ["spaces"],
            ["devices", "--data", str(self.ground.tables)],
            ["score", "12", "--space", "tiny", "--accuracy", "table", "--data",
             str(self.ground.tables), "--dataset", "toy10"],
            ["latency", "12", "--space", "tiny", "--device", "toy", "--data",
             str(self.ground.tables), "--dataset", "toy10"],
            ["fork", run, *output, "--round", "0", "--set", "seed=3", "--rounds", "1", "--name", "f"],
            ["resume", run, *output], ["verify", run, *output], ["ui", run, *output, "--port", "0"],
            ["train", run, "r0n0c0", *output, "--epochs", "0"],
            ["replay", run, *output, "--export", "x.zip"],
            ["models"], ["proxies", "suggest", "--space", "tiny", "--count", "3"],
        ]  # fmt: skip

    def knock(self, given: tuple[bool, list[str]]) -> None:
        alone, words = given
        with self.folder() as place:
            answer = (self._process if alone else called)(place, words)
        check_answer(*answer)

    def _process(self, place: Path, words: list[str]) -> tuple[int, str, str]:
        command = [sys.executable, "-m", "pelnas", *words]
        if "ui" in words:
            return 0, "", ""
        done = subprocess.run(
            command,
            cwd=place,
            capture_output=True,
            timeout=60,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        return done.returncode, *(
            part.decode("utf-8", "replace") for part in (done.stdout, done.stderr)
        )


def _as_argument(word: str) -> str:
    """A word as a system hands it over: any bytes but null, those that are no UTF-8 escaped."""
    data = word.replace("\0", "").encode("utf-8", "surrogatepass")
    return data.decode("utf-8", "surrogateescape")


DOORS: tuple[Callable[[Ground], Door], ...] = (
    Predicates, Directives, Settings, Changes, Labels, Images, Arrays, PictureTables, Tables,
    Recordings, Stores, Answers, Web, Mcp, CommandLine, Imports, Boards,
)  # fmt: skip
