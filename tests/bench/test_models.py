"""Models as designers side by side, from the same first networks."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from fakes import PoolHere, members_asked_for, proposed

from pelnas import SearchConfig
from pelnas.agents.testing.server import LoopbackServer
from pelnas.bench.models import cell_of, cells_of, plans, rows, to_markdown
from pelnas.bench.search import run
from pelnas.bench.search.problem import Cell
from pelnas.bench.search.results import Result, Results
from pelnas.calls.call import Message

pytest.importorskip("langchain_openai", reason="the extra 'openai' is not installed")


def designing(messages: Sequence[Message], schema: dict[str, Any]) -> str:
    """New networks of the niche, and of each answer one that is none."""
    found = re.search(r"Make these (\d+) designs", messages[1].content)
    count = int(found[1]) if found else 1
    return json.dumps(proposed(["a b c d", *members_asked_for(messages, count)]))


@pytest.fixture(scope="module")
def results(tiny_tables: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Result]:
    folder = tmp_path_factory.mktemp("models")
    cell = Cell("tiny", "toy10", "toy", "table")
    kept = Results(folder)
    with LoopbackServer(designing) as server:
        config = SearchConfig(
            data=tiny_tables,
            output=folder / "runs",
            space="tiny",
            per_niche=4,
            niches=3,
            base_url=server.url,
        )
        for plan in plans(config, cell, ["openai:any"], seeds=1, budget=24):
            run.run(plan, kept, 1, lambda _: None, Event(), PoolHere())
        for plan in plans(config, cell, ["openai:any"], seeds=1, budget=24):
            assert not plan.missing(kept.read())
    return kept.read()


def test_searches_of_a_seed_begin_with_the_same_networks_which_count(results: list[Result]) -> None:
    assert [result.error for result in results] == [""] * 4
    assert len({tuple(sorted(result.tried[:12])) for result in results}) == 1
    assert len({tuple(result.tried) for result in results}) > 2
    assert {result.evaluations for result in results} == {24}


def test_what_a_model_proposed_and_what_it_brought(results: list[Result]) -> None:
    evolver, random, less, whole = rows(results)
    assert (evolver.model, random.model) == ("builtin:evolver", "builtin:random")
    assert (less.share, whole.share) == (0.3, 1.0)
    assert (evolver.valid, evolver.calls, random.designs) == (None, 0, 12)
    assert 0 < less.designs < whole.designs <= 12
    assert whole.valid is not None
    assert 0.5 < whole.valid < 1
    assert whole.duplicate == 0
    assert whole.gained_per_call is not None
    assert whole.gained_per_call >= 0
    assert whole.deviation is None


def test_the_table_is_markdown_without_folders(results: list[Result]) -> None:
    table = to_markdown(rows(results))
    assert table.count("\n| openai:any |") == 2
    assert {line.count("|") for line in table.splitlines() if line.startswith("|")} == {17}
    assert all(len(cells_of(row)) == 16 for row in rows(results))


def test_a_made_accuracy_judges_where_the_data_set_is_one(layer_costs: Path) -> None:
    """Of a space that no table covers; here by the built-in designers, which every table begins with."""
    cell, kept = cell_of("fbnet", "additive-0", "toy"), Results(layer_costs)
    config = SearchConfig(
        data=layer_costs, output=layer_costs / "runs", space="fbnet", per_niche=2, niches=3
    )
    (references,) = plans(config, cell, [], seeds=1, budget=12)
    run.run(references, kept, 1, lambda _: None, Event(), PoolHere())
    evolver, random = rows(kept.read())
    assert evolver.cell.accuracy == "known-truth"
    assert 0 < evolver.front_hv < 1
    assert 0 < random.front_hv < 1
