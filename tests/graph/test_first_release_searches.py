"""Searches find today what the code of the first release found, to the byte."""

import zipfile
from pathlib import Path

import pytest
from recorded_searches import record

from pelnas.graph.search import nodes
from pelnas.report import write_front

FOUND = Path(__file__).parents[1] / "data" / "first_release_searches.zip"


def test_they_find_what_the_first_release_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nodes, "write_all", write_front)  # pictures take most of the time
    with zipfile.ZipFile(FOUND) as archive:
        before = {name: archive.read(name).decode() for name in archive.namelist()}
    now = record(tmp_path)
    assert list(now) == list(before)
    for name, text in before.items():
        assert now[name].splitlines() == text.splitlines(), name
        assert now[name] == text, name
