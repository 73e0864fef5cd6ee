"""What Chroma's files hold: an index is made from memory that nothing was written to before."""

from pathlib import Path

import numpy as np
import pytest

from pelnas.rules.chroma import close_to_others, embedded, hang_up

KEY = b"sk-not-a-real-key-"
SPACE = {"hnsw": {"space": "cosine"}}


def indexed(folder: Path, count: int) -> Path:
    """The folder of the index of so many vectors."""
    client, rng = embedded(folder), np.random.default_rng(0)
    rows = client.create_collection("rules", configuration=SPACE, embedding_function=None)
    rows.add(ids=[str(i) for i in range(count)], embeddings=rng.standard_normal((count, 8)))
    hang_up(client)
    (header,) = folder.rglob("header.bin")
    return header.parent


def nearest(folder: Path) -> str:
    client = embedded(folder)
    first = np.random.default_rng(0).standard_normal((1, 8))
    found = client.get_collection("rules", embedding_function=None).query(first, n_results=1)
    hang_up(client)
    return found["ids"][0][0]


def test_what_lay_in_memory_is_not_kept(tmp_path: Path) -> None:
    index = indexed(tmp_path, 5)
    files = [index / name for name in ("data_level0.bin", "length.bin")]
    sizes = [file.stat().st_size for file in files]
    for file, size in zip(files, sizes, strict=True):
        file.write_bytes((KEY * size)[:size])
    close_to_others(tmp_path)
    assert [file.stat().st_size for file in files] == sizes
    assert all(not any(file.read_bytes()) for file in files)
    assert nearest(tmp_path) == "0"


def test_vectors_that_are_kept_stay(tmp_path: Path) -> None:
    """From a thousand on Chroma writes them into the index."""
    index = indexed(tmp_path, 1_100)
    files = [index / name for name in ("data_level0.bin", "length.bin")]
    before = [file.read_bytes() for file in files]
    for file in files:
        with file.open("ab") as end:
            end.write(KEY)
    close_to_others(tmp_path)
    empty = bytes(len(KEY))
    assert [file.read_bytes() for file in files] == [kept + empty for kept in before]
    assert nearest(tmp_path) == "0"


@pytest.mark.parametrize("content", [b"", b"\x01", b"\xff" * 100])
def test_a_header_that_says_nothing_of_use_changes_nothing(tmp_path: Path, content: bytes) -> None:
    index = indexed(tmp_path, 5)
    (index / "header.bin").write_bytes(content)
    before = (index / "length.bin").read_bytes()
    close_to_others(tmp_path)
    assert (index / "length.bin").read_bytes() == before
