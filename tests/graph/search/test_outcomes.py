"""One directive of every kind in a real search: the report tells what became of each."""

import html
import json
import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from pelnas import Search, SearchConfig
from pelnas.agents.testing.scripted import ScriptedModel
from pelnas.calls.call import Message
from pelnas.directives import VERBS
from pelnas.graph.session.steering_client import SteeringClient
from pelnas.report import summary
from pelnas.spaces import get_space
from pelnas.store import Event, RunStore

SPACE = get_space("tiny")
SEED, PIN = (SPACE.format(SPACE.at(index)) for index in (67, 31))
MODEL = "scripted:designs"
CLAIM = '"{}" skip_connect >= 1 helps accuracy'
MEASURED = r"R\w+ is [\w-]+ \((?:effect [+-]\d\.\d\d|not measured)\), shown for \d+ designs?"
#: When it is asked (round, kind of event), what, and what the report says of it.
ASKED: tuple[tuple[int, str, str, str], ...] = (
    (0, "round-planned", "/ban avg_pool_3x3", r""),
    (0, "round-planned", "/limit latency<=7.8", r""),
    (0, "learned", "/require skip_connect in niche 0", r""),
    (0, "learned", "/focus niche 1", r""),
    (0, "learned", f"/seed {SEED}", r"tried as r1n\dc\d in round 2: score [\d.]+, [\d.]+ ms"),
    (0, "learned", f"/pin {PIN}", r"already tried as r0n0c\d in round 1: score [\d.]+, [\d.]+ ms"),
    (0, "learned", "/weigh latency 2", r"weighed in the choice of [1-9]\d* designs by evolution"),
    (0, "learned", "/rule add " + CLAIM.format("Keep a way."), MEASURED),
    (1, "learned", "/rule edit {rule} " + CLAIM.format("Keep one way."), MEASURED),
    (1, "learned", "/rule add \"Be small.\" none >= 2 hurts accuracy", MEASURED),
    (2, "learned", "/rule retire {newest}", r"R\w+ was shown for 0 designs since"),
    (2, "learned", "/undo d4", r"took back: spend most designs on niche 1"),
    (2, "learned", f"/model designer {MODEL}", r"[1-9]\d* designs? by it since"),
    (2, "learned", "/rounds 9", r"5 of 9 rounds begun"),
    (2, "learned", "/budget evaluations 900", r"\d\d evaluations spent of 900"),
    (2, "learned", "/share 1", r"[1-9]\d* designs? by models since"),
    (3, "evaluated", "/pause", r"the search waited \d+ s"),
    (3, "paused", "/resume", r"ended the wait of d17"),
    (4, "round-planned", "/stop", r"stopped after round 5 by d19 \(ann\)"),
)  # fmt: skip


def designs(messages: Sequence[Message], schema: dict[str, Any]) -> str:
    """Cells of the niche that was asked for, some of which are new."""
    rng = random.Random(messages[-1].content)
    niche = re.search(r"niche (\d) only", messages[0].content)
    assert niche is not None
    every = [SPACE.format(SPACE.at(index)) for index in range(SPACE.size)]
    here = [cell for cell in every if min(cell.count("conv"), 2) == int(niche[1])]
    cells = rng.sample([cell for cell in here if "avg_pool" not in cell], 7)
    return json.dumps({"designs": [{"architecture": c, "operation": "sample"} for c in cells]})


@pytest.fixture(scope="module")
def steered_run(tmp_path_factory: pytest.TempPathFactory, tiny_tables: Path) -> Path:
    """The folder of the search, which is over."""
    config = SearchConfig(
        space="tiny", device="toy", dataset="toy10", data=tiny_tables, accuracy="table", rounds=7,
        per_niche=3, output=tmp_path_factory.mktemp("steered") / "runs",
    )  # fmt: skip
    search = Search(config, {MODEL: ScriptedModel(designs, name=MODEL)})
    waiting, rounds = list(ASKED), [0]

    def watch(event: Event) -> None:
        rounds.append(rounds[-1] if event.round is None else event.round)
        while waiting and waiting[0][:2] == (rounds[-1], event.kind):
            _, _, command, _ = waiting.pop(0)
            with SteeringClient.open(search.folder) as client:
                rules = sorted(client.store.rules(), key=lambda rule: rule.born)
                mine = [rule.id for rule in rules if rule.author == "person"]
                known = {"rule": mine[0], "newest": mine[-1]} if mine else {}
                client.give(command.format(**known), "ann", f"please {command[1:]}, won't you?")

    search.run(watch)
    assert waiting == []
    return search.folder


def cells(page: str) -> Iterator[str]:
    """The text of each row of the report's table of directives."""
    section = page.partition("<h2>Directives</h2>")[2].partition("</table>")[0]
    for row in section.split("<tr>")[2:]:
        yield html.unescape(re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", row)))


def test_every_kind_is_asked_for() -> None:
    assert {command.split()[0] for _, _, command, _ in ASKED} == set(VERBS)


def test_the_report_tells_who_asked_what_since_when_and_what_came_of_it(steered_run: Path) -> None:
    with RunStore.read(steered_run) as store:
        rows = summary(store)["directives"]
        given = store.directives()
    shown = list(cells((steered_run / "report.html").read_text()))
    assert len(rows) == len(shown) == len(given) == len(ASKED)
    for row, text, directive, (round_, _, command, outcome) in zip(
        rows, shown, given, ASKED, strict=True
    ):
        assert directive.effect is not None, row
        assert (row["author"], row["status"]) == ("ann", directive.status), row
        assert row["words"] == f"please {command[1:]}, won't you?"
        assert row["round"] == directive.effect.round in (round_, round_ + 1), row
        assert re.fullmatch(outcome, row["outcome"]), row
        place = f"round {row['round'] + 1}, {row['node']}"
        for part in (row["id"], "ann", row["words"], row["asks"], place, row["outcome"]):
            assert part in text


def test_what_holds_networks_back_is_counted_by_niche_and_share(steered_run: Path) -> None:
    with RunStore.read(steered_run) as store:
        ban, limit, require, focus = summary(store)["directives"][:4]
        evaluations = store.evaluations()
    for row in (ban, limit, require):
        assert row["refused"] + row["avoided"] > 0
        assert row["niches"]
        assert (row["aside"], row["share_after"]) == (row["aside"], 1.0) or row is require
    assert set(require["niches"]) == {0}
    inside = [e.candidate.niche == 1 for e in evaluations if 1 <= e.candidate.round <= 2]
    assert focus["status"] == "undone"
    assert focus["share_after"] == pytest.approx(sum(inside) / len(inside))


def test_the_command_tells_the_same(
    steered_run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pelnas.app.main import run

    assert run(["directives", str(steered_run), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    expected = {"run": steered_run.name, "directives": rows_of(steered_run), "waiting": []}
    assert document == json.loads(json.dumps(expected))
    assert run(["directives", str(steered_run)]) == 0
    table = capsys.readouterr().out
    for row in document["directives"]:
        assert row["id"] in table
        assert row["outcome"][:12] in table


def rows_of(folder: Path) -> list[dict[str, Any]]:
    with RunStore.read(folder) as store:
        return list(summary(store)["directives"])
