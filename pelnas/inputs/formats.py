"""Files and texts that others made: one bounded reader for each format.

Whoever wrote a file may have meant harm, and disks and copies do damage. Every
reader here bounds what it takes in (bytes, depth, digits) and raises
``UnreadableError`` and nothing else, with the reason alone: the caller says
what was expected there and what to do. Anything but a regular file is refused
before it is opened, since reading a pipe may wait for ever.
"""

import csv
import io
import json
import lzma
import math
import os
import stat
import struct
import tokenize
import tomllib
import zipfile
import zlib
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pelnas.errors import UnreadableError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pyarrow import Table

MEBIBYTE = 2**20
DOCUMENT = 64 * MEBIBYTE  # bytes of a document that is read as a whole
DEEPEST = 64  # levels of a document; nothing of ours has more than six
LARGEST_INTEGER = 2**63 - 1  # what SQLite and JSON of other programs can hold
INFLATION = 200  # times its size that an archive may unpack to; text and tables stay below 50
SMALL = 64 * MEBIBYTE  # bytes that an archive may always unpack to
HEADER = 10_000  # characters of the header of an array
FIRST_LINE = 64 * 1024  # bytes of the names of a table's columns
ROWS = 100_000_000  # of a Parquet file

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
#: What the standard library raises for archives that are damaged, encrypted or of unknown methods.
_OF_ARCHIVES = (
    OSError, EOFError, KeyError, IndexError, ValueError, RuntimeError, OverflowError, MemoryError,
    TypeError, SyntaxError, struct.error, zlib.error, lzma.LZMAError, zipfile.BadZipFile,
    tokenize.TokenError,
)  # fmt: skip


def regular(path: Path) -> Path:
    """The path itself, where it is a regular file. UnreadableError: it is not, or cannot be seen."""
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError) as error:  # ValueError: a null character
        raise UnreadableError(_reason(error)) from None
    if not stat.S_ISREG(mode):
        raise UnreadableError(_KINDS.get(stat.S_IFMT(mode), "no regular file"))
    return path


def read_bytes(path: Path, limit: int = DOCUMENT) -> bytes:
    """All bytes of a regular file. UnreadableError: another kind, more than ``limit`` bytes."""
    regular(path)
    try:
        # Should the file have become a pipe meanwhile, opening it does not wait for a writer.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with open(handle, "rb") as file:
            found = file.read(limit + 1)
    except OSError as error:
        raise UnreadableError(_reason(error)) from None
    if len(found) > limit:
        raise UnreadableError(f"more than {limit} bytes")
    return found


def read_text(path: Path, limit: int = DOCUMENT) -> str:
    """A file of UTF-8, a byte order mark left out. UnreadableError: other bytes, see ``read_bytes``."""
    try:
        return read_bytes(path, limit).decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise UnreadableError(f"bytes that are no UTF-8 ({error.reason})") from None


def parse_json(text: str | bytes, *, strict: bool = True, unique: bool = False) -> Any:
    """The value of a JSON text.

    ``strict``: refuse what Python writes and others cannot read: NaN, infinity, and half
    a character (a lone surrogate). ``unique``: refuse an object that has a name twice, of
    which JSON takes the last. UnreadableError: no JSON, nested deeper than ``DEEPEST``, or
    integers beyond 64 bits.
    """
    try:
        found = json.loads(text, object_pairs_hook=_unique if unique else None)
    except RecursionError:
        raise UnreadableError(_too_deep()) from None
    except json.JSONDecodeError as error:
        raise UnreadableError(f"no JSON ({error.msg}, line {error.lineno})") from None
    except ValueError as error:  # bytes that are no UTF-8, or a number of thousands of digits
        raise UnreadableError(_reason(error)) from None
    return _bounded(found, strict=strict)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise UnreadableError(f"{name[:80]!r} twice in one object")
        found[name] = value
    return found


def read_json(path: Path, limit: int = DOCUMENT, *, strict: bool = True) -> Any:
    """The value of a JSON file, as ``parse_json``. UnreadableError."""
    return parse_json(read_text(path, limit), strict=strict)


def parse_toml(text: str) -> dict[str, Any]:
    """The table of a TOML text. UnreadableError: as ``parse_json``."""
    try:
        found = tomllib.loads(text)
    except RecursionError:
        raise UnreadableError(_too_deep()) from None
    except ValueError as error:  # TOMLDecodeError, or a number of thousands of digits
        raise UnreadableError(_reason(error)) from None
    return dict(_bounded(found, strict=True))


def read_toml(path: Path, limit: int = MEBIBYTE) -> dict[str, Any]:
    """The table of a TOML file. UnreadableError."""
    return parse_toml(read_text(path, limit))


# -- tables of text -----------------------------------------------------------------


def csv_columns(path: Path) -> tuple[str, ...]:
    """The names in the first line of a CSV file, no more of which is read. UnreadableError."""
    regular(path)
    try:
        with path.open("rb") as file:
            first = file.readline(FIRST_LINE)
        names = next(csv.reader([first.decode("utf-8-sig")], strict=True), [])
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UnreadableError(_reason(error)) from None
    return tuple(name.strip() for name in names)


def read_csv(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """The rows of a CSV file with a header, each its values in these columns without blanks.

    UnreadableError: no such column, a row with more or fewer values than the header
    (its line is named), or what ``read_text`` refuses.
    """
    reader = csv.reader(io.StringIO(read_text(path)), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        missing = [name for name in columns if name not in header]
        if missing:
            raise UnreadableError(f"no column {missing[0]}")
        places = {name: header.index(name) for name in columns}
        rows = []
        for row in reader:
            if row and len(row) != len(header):
                raise UnreadableError(
                    f"{len(row)} values in line {reader.line_num} under {len(header)} columns"
                )
            rows += [{name: row[place].strip() for name, place in places.items()}] if row else []
    except csv.Error as error:
        raise UnreadableError(f"no CSV ({error}, line {reader.line_num})") from None
    return rows


def what_failed(error: OSError) -> str:
    """The sentence for what the system refused where nobody foresaw it."""
    where = f" for {error.filename}" if error.filename else ""
    return (
        f"the system refused what was to be done{where} ({error.strerror or error}): free disk"
        " space, or correct the path or its permissions"
    )


# -- archives -----------------------------------------------------------------------


@contextmanager
def open_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """A ZIP archive for a block. UnreadableError: for whatever goes wrong in it with the archive."""
    with archive_errors(), zipfile.ZipFile(regular(path)) as archive:
        yield archive


@contextmanager
def archive_errors() -> Iterator[None]:
    """UnreadableError in place of everything that a damaged archive or array raises in a block."""
    try:
        yield
    except _OF_ARCHIVES as error:
        raise UnreadableError(_reason(error)) from None


def unpack(archive: zipfile.ZipFile, name: str, target: Path, limit: int) -> None:
    """Write a member of an archive to a file, piece by piece.

    UnreadableError: no such member, a damaged one, more than ``limit`` bytes, or
    far more than its share of the archive.
    """
    member = archive.getinfo(name)
    check_member(member, limit)
    with archive.open(member) as packed, target.open("wb") as file:
        while piece := packed.read(MEBIBYTE):
            file.write(piece)


def check_member(member: zipfile.ZipInfo, limit: int) -> None:
    """UnreadableError: a member that unpacks to more than ``limit``, or to far more than it holds.

    The sizes are those that the archive states; ``zipfile`` reads no more than that.
    """
    size = member.file_size
    if size > limit:
        raise UnreadableError(f"{member.filename!r}, which unpacks to more than {limit} bytes")
    if size > SMALL and size > INFLATION * member.compress_size:
        raise UnreadableError(
            f"{member.filename!r}, which unpacks to more than {INFLATION} times its size"
        )


def read_arrays(path: Path, names: Collection[str] | None = None) -> "dict[str, NDArray[Any]]":
    """The plain arrays of an ``.npz`` file by name, only those of ``names`` if given.

    An array that is not asked for is not read and has its place with no values.
    UnreadableError: a damaged file, pickles, or arrays beyond half of the memory.
    """
    import numpy as np

    arrays: dict[str, NDArray[Any]] = {}
    left = memory() // 2
    with open_zip(path) as archive:
        for member in archive.infolist():
            name = member.filename.removesuffix(".npy")
            if names is not None and name not in names:
                arrays[name] = np.empty(0)
                continue
            check_member(member, left)
            arrays[name] = _array(archive, member)
            left -= arrays[name].nbytes
    return arrays


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> "NDArray[Any]":
    """One array, once its header is found to fit what the archive holds of it."""
    import warnings

    from numpy.lib import format as npy

    with archive.open(member) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # headers of Python 2 are read all the same
        head = io.BytesIO(file.read(HEADER + 16))
        version = npy.read_magic(head)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, _, kind = read(head, max_header_size=HEADER)
        if kind.hasobject:
            raise UnreadableError(f"pickled objects in {member.filename!r}")
        if min(shape, default=0) < 0 or math.prod(shape) * kind.itemsize > member.file_size:
            raise UnreadableError(
                f"an array {member.filename!r} of shape {shape}, more than the file holds of it"
            )
    with archive.open(member) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found: NDArray[Any] = npy.read_array(file, allow_pickle=False, max_header_size=HEADER)
        return found


def memory() -> int:
    """Bytes of this machine's memory, as far as the system says; 4 GiB where it does not."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 4 * 1024**3


# -- Parquet ----------------------------------------------------------------------


@contextmanager
def parquet_errors() -> Iterator[None]:
    """UnreadableError in place of everything that a damaged Parquet file raises in a block."""
    from pyarrow import ArrowException

    try:
        yield
    except (
        ArrowException, OSError, ValueError, TypeError, KeyError, IndexError, OverflowError,
        MemoryError, NotImplementedError,
    ) as error:  # fmt: skip
        raise UnreadableError(_reason(error)) from None


def parquet_schema(path: Path) -> Any:
    """The schema of a Parquet file. UnreadableError: another kind of file, a damaged one."""
    from pyarrow import parquet

    with parquet_errors():
        return parquet.read_schema(regular(path))


def parquet_table(path: Path, columns: Sequence[str]) -> "Table":
    """Some columns of a Parquet file. UnreadableError: damaged, or more rows than fit the memory."""
    from pyarrow import parquet

    with parquet_errors(), parquet.ParquetFile(regular(path)) as file:
        rows = file.metadata.num_rows
        if rows > min(ROWS, memory() // 256):
            raise UnreadableError(f"{rows} rows, more than this machine's memory is for")
        # read_table imports half of PyArrow for it, and threads keep more memory than a table has
        table = file.read(columns=list(columns), use_threads=False)
        missing = [name for name in columns if name not in table.column_names]
        if missing:
            raise UnreadableError(f"no column {missing[0]}")
        return table


# -- all of them ---------------------------------------------------------------------


def _bounded(document: Any, *, strict: bool) -> Any:
    """The document, once nothing in it is too deep, too large or no text."""
    waiting = [(document, 1)]
    while waiting:
        value, depth = waiting.pop()
        kind = type(value)
        if kind is dict or kind is list:
            if depth > DEEPEST:
                raise UnreadableError(_too_deep())
            inside = (*value, *value.values()) if kind is dict else value
            depth += 1
            waiting.extend([(part, depth) for part in inside])
        elif kind is not str or strict:  # most of all that is read
            _check_plain(value, strict)
    return document


def _check_plain(value: Any, strict: bool) -> None:
    if isinstance(value, int) and abs(value) > LARGEST_INTEGER:
        raise UnreadableError("a whole number of more than 64 bits")
    if strict and isinstance(value, float) and not math.isfinite(value):
        raise UnreadableError("a number that is not finite")
    if strict and isinstance(value, str) and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise UnreadableError("half a character (a lone surrogate)") from None


def _too_deep() -> str:
    return f"more than {DEEPEST} levels inside each other"


def _reason(error: BaseException) -> str:
    """What an exception says, in one line: some say nothing, some a whole screen."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = str(error).strip().strip("'\"")
    return text.splitlines()[0][:200] if text else type(error).__name__
