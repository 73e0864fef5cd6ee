"""``pelnas knowledge``: listed, found, exported, forgotten; and bad input in one sentence."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Pelnas = Callable[..., Any]


@pytest.fixture
def known(pelnas: Pelnas, table_options: list[str], tmp_path: Path) -> str:
    """The base that a search left its rules in."""
    place = str(tmp_path / "knowledge")
    limits = ("--rounds", "3", "--per-niche", "8", "--output", tmp_path / "runs", "--json")
    summary = pelnas("search", *table_options, *limits, "--knowledge", place).json()
    assert summary["knowledge"]["claims"] == 0
    return place


def test_what_a_search_left_is_listed_found_exported_and_forgotten(
    pelnas: Pelnas, known: str
) -> None:
    at = ("--knowledge", known)
    whole = pelnas("knowledge", "export", "--json", *at).json()
    assert whole
    assert {rule["status"] for rule in whole} == {"in-force"}
    assert all(rule["evidence"] and rule["scope"]["space"] == "tiny" for rule in whole)
    lines = pelnas("knowledge", "export", *at).out.splitlines()
    assert [json.loads(line) for line in lines] == whole

    listed = pelnas("knowledge", "list", "--limit", "2", "--json", *at).json()
    strongest = sorted((rule["measured"] for rule in whole), reverse=True)[:2]
    assert [rule["measured"] for rule in listed] == strongest
    assert f"2 of {len(whole)} rules" in pelnas("knowledge", "list", "--limit", "2", *at).out

    feature = whole[0]["conditions"][0][0].partition("@")[0]
    found = pelnas("knowledge", "search", feature, "--limit", "1", "--json", *at).json()
    assert feature in found[0]["predicate"]

    assert pelnas("knowledge", "forget", whole[0]["id"], "--json", *at).json() == {"forgotten": 1}
    rest = pelnas("knowledge", "forget", "--run", whole[0]["run"], "--json", *at).json()
    assert rest == {"forgotten": len(whole) - 1}
    assert "no rules" in pelnas("knowledge", "list", *at).out


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (("knowledge", "list"), "it is off by PELNAS_KNOWLEDGE"),
        (("knowledge", "forget"), "expected what to forget"),
        (("knowledge", "forget", "x", "--all"), "expected what to forget"),
        (
            ("knowledge", "list", "--knowledge", "ftp://x"),
            "expected the address of a Chroma server",
        ),
        (("knowledge", "list", "--knowledge", "http://me:secret@x"), "without user, password"),
        (("search", "--knowledge", "x", "--no-knowledge"), "expected one knowledge base or none"),
    ],
)
def test_bad_input_is_one_sentence(pelnas: Pelnas, given: tuple[str, ...], sentence: str) -> None:
    outcome = pelnas(*given)
    assert outcome.code == 2
    assert sentence in outcome.err
    assert "secret" not in outcome.err
    assert outcome.err.count("\n") == 1
