"""The process that ``warm`` forks: it imports what most commands need, and forks for each request.

A request is the length of a JSON text, with the three standard files and a socket, and then that
text. A process in between is the parent of the one that is asked for: it writes its id to the
socket, waits, and writes its code. There are two servers: the second is forked when it is asked
first, and imports torch as well, for which each fork then takes longer.
"""

import atexit
import gc
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
import traceback
from base64 import b64decode
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from importlib import import_module
from itertools import dropwhile
from types import SimpleNamespace
from typing import Any, NoReturn

EARLY = (
    "pelnas.app.main", "pelnas.graph.runs.search", "pelnas.graph.runs.fork",
    "pelnas.graph.chat.console", "pelnas.agents.testing.scripted", "pelnas.report",
    "pelnas.app.display.progress", "pelnas.app.launch", "chromadb", "chromadb.api.rust",
    "pyarrow.parquet", "moocore", "prompt_toolkit", "rich.live",
)  # fmt: skip
LATE = (
    "pelnas.pool.process", "pelnas.proxies.engine", "pelnas.runtimes.exports", "torch.onnx",
    "torch.optim", "onnxruntime", "scipy.stats", "sklearn.ensemble", "langchain_openai", "mcp",
    "mcp.server.streamable_http_manager", "uvicorn", "selenium.webdriver.chrome.webdriver",
    "pelnas.app.mcp.tools",
)  # fmt: skip
BLANK = b64decode(  # a picture of one white pixel, as PNG
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAsTj2FAAAAABJRU5ErkJggg=="
)


def serve(tests: socket.socket, *servers: socket.socket) -> Callable[[], None]:
    """Returns in the processes that were asked for only, with what they are to do."""
    first, *later = servers
    while True:
        ready = select.select([tests, *servers], [], [])[0]
        if tests in ready:  # they have ended
            _reap()
            os._exit(0)
        if any(each in ready for each in later):
            if os.fork() == 0:
                first.close()
                _import(LATE)
                return serve(tests, *later)
            servers, later = (first,), []
            continue
        with first.accept()[0] as connection:
            request, files = _read(connection)
        if not files:  # whoever asked has ended meanwhile
            continue
        if os.fork() == 0:
            for each in (tests, *servers):
                each.close()
            if _forked(files):
                return _prepared(request, files)
        for file in files:
            os.close(file)
        _reap()


def _import(modules: Iterable[str]) -> None:
    for module in modules:
        with suppress(ImportError):  # of an extra
            import_module(module)
    gc.collect()
    gc.freeze()  # what is never looked at again is never copied


def _read(connection: socket.socket) -> tuple[Any, list[int]]:
    length, files, _, _ = socket.recv_fds(connection, 12, 4)
    if not files:
        return None, []
    body = b""
    while part := connection.recv(int(length) - len(body)):
        body += part
    return json.loads(body), files


def _reap() -> None:
    """What has ended so far."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _forked(files: list[int]) -> bool:
    """True in the process that was asked for; the one in between waits for it, and ends here."""
    pid = os.fork()
    if pid == 0:
        return True
    *ends, status = files
    for file in (0, 1, 2, *ends):
        os.close(file)
    os.write(status, b"%-12d" % pid)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with suppress(OSError):  # nobody asks any more
        os.write(status, b"%-12d" % code)
    os._exit(0)


def _prepared(request: dict[str, Any], files: list[int]) -> Callable[[], None]:
    if request["session"]:
        os.setsid()
    for number, file in enumerate(files[:3]):
        os.dup2(file, number)
    for file in files:
        os.close(file)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["cwd"])
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        old = getattr(sys, name)
        stream = open(  # noqa: SIM115 - it stays
            number, "r" if number == 0 else "w", encoding=old.encoding, errors=old.errors,
            buffering=1 if number == 2 else -1, closefd=False,
        )  # fmt: skip
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if "relay" in request:
        _relay_searches(request["relay"])
    program = _program(request["arguments"])
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[1:1] = [path for path in paths if path and path not in sys.path]
    return program


def _relay_searches(relay: list[str]) -> None:
    def relayed(command: Sequence[str], **options: Any) -> "subprocess.Popen[bytes]":
        return subprocess.Popen([*relay, *command[1:]], **options)

    others = vars(subprocess) | {"Popen": relayed}
    import_module("pelnas.app.launch").subprocess = SimpleNamespace(**others)  # type: ignore[attr-defined]


def _draw_nothing() -> None:
    """As in the tests themselves: nobody looks at the pictures of a search."""
    import_module("pelnas.report.summary").render = lambda *_: BLANK  # type: ignore[attr-defined]


def _program(arguments: list[str]) -> Callable[[], None]:
    """What ``python`` with these arguments does."""
    what, *rest = dropwhile(("-u", "-B").__contains__, arguments)  # of a worker of xdist
    if what == "-c":
        code = rest.pop(0)
        sys.argv, sys.path[0] = ["-c", *rest], ""
        return lambda: exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})  # noqa: S102
    if what == "-m":
        module = rest.pop(0)
        sys.argv, sys.path[0] = [module, *rest], os.getcwd()
        return lambda: runpy.run_module(module, run_name="__main__", alter_sys=True) and None
    sys.argv, sys.path[0] = [what, *rest], os.path.dirname(what)
    return lambda: runpy.run_path(what, run_name="__main__") and None


def _end(code: int | str | None) -> NoReturn:
    """As multiprocessing ends a forked process: taking the interpreter apart would copy all of it."""
    if isinstance(code, str):
        print(code, file=sys.stderr)
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(1 if isinstance(code, str) else code or 0)


def _do(program: Callable[[], None]) -> NoReturn:
    code: int | str | None = 0
    try:
        program()
    except SystemExit as over:
        code = over.code
    except BaseException as error:  # noqa: BLE001 - as the interpreter does
        traceback.print_exc()
        if isinstance(error, KeyboardInterrupt):
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGINT)
        code = 1
    _end(code)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _import(EARLY)
    _draw_nothing()
    numbers = (os.dup(0), *map(int, sys.argv[1:]))
    _do(serve(*(socket.socket(fileno=number) for number in numbers)))
