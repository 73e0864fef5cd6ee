"""Between kills a run is renamed, copied, cut from its power, damaged, and its clock is stepped.

However that goes, it ends as an undisturbed run does, every evaluation made once; or it is
refused in one sentence, and ends so once it was restored.
"""

import ctypes
import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from fork_server import Start, forking

from pelnas import SearchConfig
from pelnas.report.verification import verify
from pelnas.store import RunStore

ROUNDS = 200
CHILD = Path(__file__).with_name("killed_search.py")
POWER = Path(__file__).with_name("power.c")
COMMITS = 150  # a run makes more than four hundred
LONGEST = 300.0  # seconds that one process may take on a busy machine
REFUSED = 3  # exit code of a process whose run was refused

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


@dataclass(frozen=True)
class Disk:
    """What would be left after a power cut of the files below a folder: see ``power.c``."""

    library: ctypes.CDLL
    kept: Path

    def sync(self, folder: Path) -> None:
        """Have everything in a folder on disk, as it would be long after it was copied there."""
        for path in (*folder.rglob("*"), folder):
            handle = os.open(path, os.O_RDONLY)
            try:
                assert self.library.fsync(handle) == 0
            finally:
                os.close(handle)

    def cut(self, folder: Path) -> None:
        """Leave of a folder what was synced."""
        command = ["stat", "--format=%i %W %w", str(folder)]
        found = subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=600
        ).stdout
        inode, second, moment = found.split(" ", 2)
        nanoseconds = int(moment.split(".")[1].split()[0])
        identity = self.kept / f"{inode}-{second}-{nanoseconds}"
        shutil.rmtree(folder)
        self._restore(identity, folder)
        self.sync(folder)

    def _restore(self, listing: Path, folder: Path) -> None:
        folder.mkdir()
        if not listing.exists():
            return
        for line in listing.read_text().splitlines():
            identity, kind, name = line.split(" ", 2)
            if kind == "d":
                self._restore(self.kept / identity, folder / name)
            elif (self.kept / identity).exists():
                shutil.copyfile(self.kept / identity, folder / name)
            else:
                (folder / name).touch()


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disk]:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler for the disk that forgets: apt-get install gcc")
    folder = tmp_path_factory.mktemp("power")
    library = folder / "power.so"
    command = [compiler, "-shared", "-fPIC", "-O2", "-o", str(library), str(POWER), "-ldl"]
    subprocess.run(command, check=True, timeout=60)
    (folder / "disk").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POWER_DISK", str(folder / "disk"))
        patch.setenv("LD_PRELOAD", str(library))
        yield Disk(ctypes.CDLL(str(library)), folder / "disk")


@pytest.fixture(scope="module")
def start(disk: Disk) -> Iterator[Start]:
    """Starts a process on a run, whose files are on that disk."""
    with forking(CHILD) as started:
        yield partial(started, pictures=False)


# -- what happens between two kills ---------------------------------------------------------


def nothing(run: Path, _disk: Disk, _chance: random.Random) -> Path:
    return run


def rename(run: Path, disk: Disk, chance: random.Random) -> Path:
    renamed = run.rename(run.with_name(f"moved {chance.randrange(10**6)}"))
    disk.sync(run.parent)
    return renamed


def copy(run: Path, disk: Disk, chance: random.Random) -> Path:
    """Copied away and back, as to another disk."""
    moved = Path(shutil.copytree(run, run.with_name(f"copy-{chance.randrange(10**6)}")))
    shutil.rmtree(run)
    disk.sync(run.parent)
    return moved


def power_cut(run: Path, disk: Disk, _chance: random.Random) -> Path | None:
    """``None``: it came before the run was made for good, which had not planned anything yet."""
    with RunStore.read(run) as store:
        begun = bool(store.plans())
    disk.cut(run.parent)
    return run if begun or run.is_dir() else None


def flip(run: Path, _disk: Disk, chance: random.Random) -> Path:
    names = ("run.sqlite", "run.sqlite-wal", "events.jsonl", "run.json")
    files = [run / name for name in names if (run / name).is_file() and (run / name).stat().st_size]
    path = chance.choice(files)
    data = bytearray(path.read_bytes())
    for _ in range(chance.choice((1, 1, 64))):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)
    return run


def truncate(run: Path, _disk: Disk, chance: random.Random) -> Path:
    names = ("run.sqlite", "run.sqlite-wal", "events.jsonl", "run.json")
    path = chance.choice([run / name for name in names if (run / name).is_file()])
    data = path.read_bytes()
    path.write_bytes(data[: chance.randrange(len(data) + 1)])
    return run


def remove(run: Path, _disk: Disk, chance: random.Random) -> Path:
    name = chance.choice(
        ("run.sqlite", "run.sqlite-wal", "run.sqlite-shm", "events.jsonl", "run.json")
    )
    (run / name).unlink(missing_ok=True)
    return run


def plant(run: Path, _disk: Disk, chance: random.Random) -> Path:
    (run / "checkpoints.sqlite").write_bytes(chance.randbytes(500))
    return run


HARMLESS = (nothing, rename, copy, power_cut, power_cut)
HARMFUL = (flip, flip, truncate, remove, plant)


@dataclass
class Search:
    """One search that is disturbed until it has ended by itself."""

    start: Start
    disk: Disk
    config: SearchConfig
    chance: random.Random
    longest: float
    happened: Counter[str]

    def step(self, run: Path | None) -> tuple[int, Path | None]:
        """Work on the run for a while: the exit code of the process, and where the run is."""
        by_clock = self.chance.random() < 0.4
        process = self.start(
            self.config,
            folder="" if run is None else str(run),
            commits=0 if by_clock else self.chance.randint(1, COMMITS),
            clock=self.chance.choice((0.0, 0.0, -15.0, 3600.0, -86400.0)),
        )
        process.join(self.chance.uniform(0, self.longest) if by_clock else LONGEST)
        process.kill()
        process.join(60)
        assert process.exitcode in (0, REFUSED, -signal.SIGKILL)
        made = [each for each in self.config.output.glob("*") if not each.name.startswith(".")]
        assert len(made) <= 1
        return process.exitcode, made[0] if made else None

    @property
    def refusal(self) -> str:
        """What the last process that was refused said."""
        return (self.config.output.parent / "refusal").read_text()

    def disturb(self, run: Path) -> Path | None:
        """Let something happen to the run; what it cannot bear is refused, and taken back.

        ``None``: the run is to be begun anew.
        """
        self.happened["disturbed"] += 1
        what = self.chance.choice(HARMLESS + HARMFUL)
        self.happened[what.__name__] += 1
        if what in HARMLESS:
            return what(run, self.disk, self.chance)
        before = Path(shutil.copytree(run, self.config.output.parent / "before"))
        what(run, self.disk, self.chance)
        process = self.start(self.config, folder=str(run), commits=self.chance.randint(1, COMMITS))
        process.join(LONGEST)
        assert process.exitcode in (0, REFUSED, -signal.SIGKILL), what
        if process.exitcode == REFUSED:
            self.happened["refused"] += 1
            shutil.rmtree(run)
            shutil.copytree(before, run)
        shutil.rmtree(before)
        self.disk.sync(run.parent)
        return run

    def through(self) -> Path:
        """The folder of the run once it has ended by itself."""
        code, run = self.step(None)
        while code != 0 and not self.has_ended(run):
            assert code != REFUSED, f"{self.happened}: {self.refusal}"
            if run is not None:
                run = self.disturb(run)
            code, run = self.step(run)
        assert run is not None
        if code != 0:  # killed as the end was stored, maybe before events.jsonl had it
            RunStore.open(run).close()
        return run

    @staticmethod
    def has_ended(run: Path | None) -> bool:
        """Whether the kill came after the end was stored."""
        if run is None:
            return False
        with RunStore.read(run) as store:
            return store.status == "finished"


def check_same(run: Path, whole: Path) -> None:
    assert (run / "front.json").read_bytes() == (whole / "front.json").read_bytes()
    with RunStore.read(run) as store, RunStore.read(whole) as expected:
        assert store.evaluations() == expected.evaluations()
        assert store.ignored() == 0
        rules, expected_rules = ([r.to_dict() for r in s.rules()] for s in (store, expected))
        assert json.dumps(rules) == json.dumps(expected_rules)
        evaluated = Counter(e.data["candidate"] for e in store.events() if e.kind == "evaluated")
        assert evaluated == Counter(candidate.id for candidate in store.candidates())
        answers = [sorted((c.id, c.answer) for c in s.calls()) for s in (store, expected)]
        assert answers[0] == answers[1]
    missing = {f"{name} is missing" for name in ("front.csv", "front.png", "report.html")}
    assert {problem.text for problem in verify(run)} <= missing


@pytest.mark.parametrize("model", ["builtin:evolver", "scripted:answers"])
def test_whatever_happens_between_kills_nothing_is_lost_or_done_twice(
    tmp_path: Path, toy: Callable[..., SearchConfig], start: Start, disk: Disk, model: str
) -> None:
    settings = partial(toy, rounds=4, per_niche=5, model=model)

    def undisturbed(name: str) -> tuple[Path, float]:
        config = settings(tmp_path / name)
        began = time.monotonic()
        process = start(config)
        process.join(LONGEST)
        assert process.exitcode == 0
        (run,) = config.output.glob("2*")
        return run, time.monotonic() - began

    undisturbed("first")  # loads what is loaded late
    assert any(disk.kept.iterdir()), "nothing that a process syncs is kept"
    whole, longest = undisturbed("whole")
    chance, happened, runs = random.Random(f"disturbed {model}"), Counter[str](), 0
    while happened["disturbed"] < ROUNDS // 2:
        config = settings(tmp_path / f"run-{runs}")
        config.output.mkdir(parents=True)
        disk.sync(config.output.parent)
        check_same(Search(start, disk, config, chance, longest, happened).through(), whole)
        runs += 1
    print(dict(happened), f"in {runs} runs")
    assert happened["refused"] > 0
    assert all(happened[what.__name__] > 0 for what in HARMLESS + HARMFUL)
