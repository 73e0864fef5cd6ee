"""Every reader of a format is bounded, and has one error for all that can be wrong with a file."""

import io
import os
import socket
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from pelnas.agents.models.gguf import _check_file
from pelnas.cache import Cache
from pelnas.config import load_config
from pelnas.errors import (
    ConfigError,
    ImagesError,
    ModelError,
    PromptError,
    ReplayError,
    StoreError,
    UnreadableError,
)
from pelnas.images import load_images
from pelnas.inputs import formats
from pelnas.predictors.labels import read_labels
from pelnas.prompts import load_prompt
from pelnas.recording import open_recording
from pelnas.spaces import get_space
from pelnas.store.folder import CONFIG, DATABASE
from pelnas.tables import datasets

DEEP = 100_000


# -- what is no file ----------------------------------------------------------------


@pytest.fixture(params=["pipe", "socket", "folder", "device", "nothing", "long", "null"])
def no_file(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A path that has no regular file: reading some of them would wait for ever."""
    path = tmp_path / "thing"
    bound = socket.socket(socket.AF_UNIX)
    if request.param == "pipe":
        os.mkfifo(path)
    elif request.param == "folder":
        path.mkdir()
    elif request.param == "socket":
        bound.bind(str(path))
    odd = {"device": Path("/dev/zero"), "long": tmp_path / ("x" * 300), "null": tmp_path / "a\0b"}
    with bound:
        yield odd.get(request.param, path)


@pytest.mark.parametrize(
    "read",
    [
        formats.read_bytes,
        formats.read_toml,
        formats.read_json,
        formats.read_arrays,
        formats.parquet_schema,
        lambda path: formats.parquet_table(path, []),
    ],
)
def test_what_is_no_regular_file_is_refused_at_once(
    no_file: Path, read: Callable[[Path], Any]
) -> None:
    with pytest.raises(UnreadableError, match=r"^[^\n]+$"):
        read(no_file)


def test_no_reader_of_the_package_waits_for_a_pipe(tmp_path: Path) -> None:
    names = ("s.toml", "labels.csv", "images.npz", "images.parquet", "r.zip", "planner.md")
    for name in (*names, "cache.sqlite", "model.gguf"):
        os.mkfifo(tmp_path / name)
    with pytest.raises(ConfigError, match="a pipe"):
        load_config(tmp_path / "s.toml")
    with pytest.raises(formats.UnreadableError, match="a pipe"):
        formats.read_bytes(tmp_path / "labels.csv")
    with pytest.raises(Exception, match="a pipe"):
        read_labels(tmp_path / "labels.csv", get_space("tiny"))
    for name in ("images.npz", "images.parquet"):
        with pytest.raises(ImagesError):
            load_images(tmp_path / name, 8)
    with pytest.raises(ReplayError, match="a pipe"), open_recording(tmp_path / "r.zip"):
        pass
    with pytest.raises(PromptError, match="a pipe"):
        load_prompt("planner", tmp_path)
    with pytest.raises(StoreError, match="a pipe"):
        Cache(tmp_path / "cache.sqlite")
    with pytest.raises(ModelError, match="a pipe"):
        _check_file(tmp_path / "model.gguf")


# -- documents ------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "[" * DEEP,
        "[" * 500 + "]" * 500,
        '{"a":' * 500 + "1" + "}" * 500,
        "9" * 5_000,
        "9" * 30,
        "1e999",
        "NaN",
        "[-Infinity]",
        r'"\ud800"',
        r'{"\ud800": 1}',
        "",
        "{",
        b"\xff\xfe",
        b'"\xff"',
    ],
)
def test_json_without_end_or_sense_is_one_error(text: str | bytes) -> None:
    with pytest.raises(UnreadableError, match=r"^[^\n]{1,200}$"):
        formats.parse_json(text)


def test_json_is_read_as_it_was_written() -> None:
    assert formats.parse_json('{"a": [1, 2.5, null, "ä", 9223372036854775807]}') == {
        "a": [1, 2.5, None, "ä", 2**63 - 1]
    }
    assert formats.parse_json("[Infinity]", strict=False) == [float("inf")]


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * DEEP,
        "a = " + "[" * 500 + "]" * 500,
        ".".join("a" * 2_000) + " = 1",
        "seed = " + "9" * 5_000,
        "seed = 0x" + "f" * 5_000,
        "temperature = inf",
        'a = "',
        "a = 1\na = 2",
    ],
)
def test_settings_without_end_or_sense_are_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "s.toml").write_text(text)
    with pytest.raises(ConfigError, match=r"^expected a TOML file of settings at [^\n]{1,400}$"):
        load_config(tmp_path / "s.toml")


def test_a_file_larger_than_its_format_needs_is_refused(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text("# " + "x" * (2 * formats.MEBIBYTE))
    with pytest.raises(ConfigError, match="more than"):
        load_config(tmp_path / "s.toml")


# -- recordings -------------------------------------------------------------------


def recording(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(CONFIG, members.get("config", b"{}"))
        archive.writestr(DATABASE, members.get("database", b"x" * 1_000))
    return path


def refused(path: Path) -> str:
    with pytest.raises(ReplayError, match=r"^[^\n]+$") as caught, open_recording(path):
        pass
    return str(caught.value)


def test_what_unpacks_to_far_more_than_it_holds_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open(DATABASE, "w", force_zip64=True) as member,
    ):
        archive_zeros = bytes(16 * formats.MEBIBYTE)
        for _ in range(8):
            member.write(archive_zeros)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(CONFIG, "{}")
    assert "times its size" in refused(path)


def flags(data: bytearray, signature: bytes, offset: int, value: int) -> None:
    """Set a field of 16 bits in each header of this kind."""
    start = data.find(signature)
    while start >= 0:
        struct.pack_into("<H", data, start + offset, value)
        start = data.find(signature, start + 4)


def test_an_encrypted_recording_is_refused(tmp_path: Path) -> None:
    path = recording(tmp_path / "r.zip")
    data = bytearray(path.read_bytes())
    flags(data, b"PK\x03\x04", 6, 1)
    flags(data, b"PK\x01\x02", 8, 1)
    path.write_bytes(data)
    assert "encrypted" in refused(path)


def test_a_recording_of_an_unknown_method_is_refused(tmp_path: Path) -> None:
    path = recording(tmp_path / "r.zip")
    data = bytearray(path.read_bytes())
    flags(data, b"PK\x03\x04", 8, 97)
    flags(data, b"PK\x01\x02", 10, 97)
    path.write_bytes(data)
    assert "compression" in refused(path)


def test_a_damaged_stream_in_a_recording_is_refused(tmp_path: Path) -> None:
    path = recording(tmp_path / "r.zip", database=os.urandom(5_000))
    data = bytearray(path.read_bytes())
    place = data.find(b"PK\x03\x04", 10) + 60
    data[place : place + 40] = b"\xff" * 40
    path.write_bytes(data)
    refused(path)


# -- arrays -----------------------------------------------------------------------


def archive_of(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)
    return path


def array_text(values: np.ndarray[Any, Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "shape", ["(4000000000, 32, 32)", "(-1,)", "(" + "9" * 5_000 + ",)", "((((1,),),),)", "(1.5,)"]
)
def test_the_shape_of_an_array_is_not_believed(tmp_path: Path, shape: str) -> None:
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    data = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(100)
    path = archive_of(tmp_path / "a.npz", images=data, labels=array_text(np.arange(4)))
    with pytest.raises(ImagesError, match=r"^expected plain arrays [^\n]{1,500}$"):
        load_images(path, 8)


def test_arrays_that_unpack_to_far_more_than_the_file_are_refused(tmp_path: Path) -> None:
    zeros = array_text(np.zeros((100, 1_000, 1_000), np.uint8))
    path = archive_of(tmp_path / "a.npz", images=zeros, labels=array_text(np.arange(100) % 2))
    with pytest.raises(ImagesError, match="times its size"):
        load_images(path, 8)


def test_arrays_that_nobody_asks_for_are_not_read(tmp_path: Path) -> None:
    zeros = array_text(np.zeros((100, 1_000, 1_000), np.uint8))
    images = np.random.default_rng(0).integers(0, 255, (6, 8, 8), np.uint8)
    path = archive_of(
        tmp_path / "a.npz", x=array_text(images), y=array_text(np.arange(6) % 2), more=zeros
    )
    assert load_images(path, 8).classes == 2


# -- Parquet ------------------------------------------------------------------------


def test_a_damaged_page_of_images_is_one_sentence(tmp_path: Path) -> None:
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG")
    rows = [buffer.getvalue() + os.urandom(200) for _ in range(40)]
    path = tmp_path / "i.parquet"
    table = pa.table({"image": rows, "label": [n % 2 for n in range(40)]})
    parquet.write_table(table, path, compression="zstd", use_dictionary=False)
    data = bytearray(path.read_bytes())
    data[60:400] = os.urandom(340)
    path.write_bytes(data)
    with pytest.raises(ImagesError, match=r"^[^\n]+$"):
        load_images(path, 8).batch(8, 0)


def test_a_table_cut_short_or_damaged_is_one_sentence(tiny_tables: Path, tmp_path: Path) -> None:
    whole = (tiny_tables / "accuracies.parquet").read_bytes()
    for kept in (0, 3, len(whole) // 2, len(whole) - 5):
        (tmp_path / "t.parquet").write_bytes(whole[:kept])
        with pytest.raises(Exception, match="expected a parquet file") as caught:
            datasets(tmp_path)
        assert "\n" not in str(caught.value)


def test_a_column_that_a_table_lacks_is_named(tiny_tables: Path) -> None:
    with pytest.raises(UnreadableError, match="no column energy"):
        formats.parquet_table(tiny_tables / "costs.parquet", ["arch_str", "energy"])
