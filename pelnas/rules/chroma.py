"""How Chroma is started: without telemetry, without a model to embed with, closed to others."""

import os
import queue
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar, cast
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import httpx
    from chromadb.api.client import Client as Started
    from chromadb.config import Settings

Client = TypeVar("Client")

PRIVATE_FILE, PRIVATE_FOLDER = 0o600, 0o700  # Chroma's own are as the umask says
PATIENCE = 10.0  # seconds for each answer of a server; Chroma's own client waits without end
PORT = 8000  # of `chroma run`
HEADER = "header.bin"  # of an index of vectors
_HEADER = struct.Struct("<iQQQQ")  # version, offset, room for, vectors there are, bytes of each
_FLOAT = 4  # bytes


def embedded(folder: Path) -> "Started":
    """Chroma in this process over a folder. ChromaError, OSError, ValueError: it cannot start."""
    import chromadb
    from chromadb.api.shared_system_client import SharedSystemClient
    from chromadb.errors import ChromaError

    try:
        settings = _settings().model_copy()  # Chroma writes the folder into it
        return cast("Started", chromadb.PersistentClient(folder, settings=settings))
    except ChromaError:
        # Chroma keeps the half-started system and would hand it out at the next try.
        SharedSystemClient._identifier_to_system.pop(str(folder), None)
        raise


def served(address: str) -> "Started":
    """The client of a server such as ``http://127.0.0.1:8000``, started by ``chroma run``.

    ValueError and errors of Chroma or httpx: nobody answers there, or it is no Chroma server.
    """
    import chromadb
    import httpx

    parts = urlsplit(address)
    secure = parts.scheme == "https"
    port = parts.port or (443 if secure else PORT)
    settings = _settings().model_copy()
    client = _in_time(
        lambda: chromadb.HttpClient(parts.hostname or "", port, ssl=secure, settings=settings)
    )
    for session in _sessions(client):
        session.timeout = httpx.Timeout(PATIENCE)
    return cast("Started", client)


def hang_up(client: "Started") -> None:
    """Close a client; of a server's, its connections, too, which Chroma leaves open."""
    client.close()
    for session in _sessions(client):
        session.close()


def _sessions(client: Any) -> "Iterator[httpx.Client]":
    import httpx

    for part in ("_server", "_admin_client"):
        server = getattr(client, part, None)
        for holder in (server, getattr(server, "_server", None)):
            session = getattr(holder, "_session", None)
            if isinstance(session, httpx.Client):
                yield session


def _in_time(connect: Callable[[], Client]) -> Client:
    """What a server that may never answer is asked while the client is made."""
    ended: queue.SimpleQueue[Client | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            ended.put(connect())
        except Exception as error:  # noqa: BLE001 - raised in the thread that waits
            ended.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        found = ended.get(timeout=PATIENCE)
    except queue.Empty:
        raise ValueError(f"no answer within {PATIENCE:g} seconds") from None
    if isinstance(found, Exception):
        raise found
    return found


def close_to_others(folder: Path) -> None:
    """Chroma's files hold what models said, and at first whatever lay in this process's memory.

    To be called when they were made, by whoever has the folder's lock.
    """
    for place, folders, files in os.walk(folder):
        if HEADER in files:
            _clear_unused(Path(place))
        for name in folders:
            os.chmod(os.path.join(place, name), PRIVATE_FOLDER)
        for name in files:
            with suppress(FileNotFoundError):  # a log that SQLite has just put away
                os.chmod(os.path.join(place, name), PRIVATE_FILE)


def _clear_unused(index: Path) -> None:
    """Fill the unused places of an index with zeros.

    Its files are made for a hundred vectors, from memory that nothing was written to before:
    keys of models were found in them (chroma-core/chroma, issue 7688).
    """
    with _opened(index / HEADER) as header:
        found = header.read(_HEADER.size)
    if len(found) < _HEADER.size:
        return
    _, _, _, count, size = _HEADER.unpack(found)
    for name, width in (("data_level0.bin", size), ("length.bin", _FLOAT)):
        with suppress(FileNotFoundError), _opened(index / name) as file:
            total = os.fstat(file.fileno()).st_size
            if total > count * width:
                file.truncate(count * width)
                file.truncate(total)  # what is added is zero


def _opened(file: Path) -> BinaryIO:
    """A file to read and write, which is no link."""
    no_link = getattr(os, "O_NOFOLLOW", 0)
    return open(file, "r+b", opener=lambda path, flags: os.open(path, flags | no_link))


@cache  # hundreds of fields, each looked up in the environment
def _settings() -> "Settings":
    from chromadb.config import Settings

    # Chroma would read a file .env where the user works, whoever put it there.
    own: dict[str, Any] = {"_env_file": None, "anonymized_telemetry": False}
    return Settings(**own)
