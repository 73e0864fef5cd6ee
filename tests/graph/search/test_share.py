"""The share of the designs that falls to a model beside the built-in designer."""

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fakes import NO_RULES, SPACE, members_asked_for, proposed, role_of

from pelnas import Search, SearchConfig
from pelnas.agents.testing.scripted import ScriptedModel
from pelnas.architecture import Candidate, Cost, Design, Evaluation, Prediction, candidate_id
from pelnas.archive import Archive
from pelnas.calls.call import Message
from pelnas.config import load_config
from pelnas.directives import parse
from pelnas.errors import ConfigError, DirectiveError
from pelnas.graph.runs.replay import replay
from pelnas.graph.search.credit import LEAST, MOST, START, by_designs
from pelnas.graph.search.share import models_part
from pelnas.recording import open_recording
from pelnas.report.shares import share_rows
from pelnas.store import RunStore

Settings = Callable[..., SearchConfig]


@pytest.fixture
def settings(toy: Settings, tmp_path: Path) -> Settings:
    return partial(toy, tmp_path, rounds=3, per_niche=4)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.29, 0.3, 0.5, 0.999, 1.0])
@pytest.mark.parametrize("wanted", [1, 2, 7, 10])
def test_the_shares_of_all_rounds_add_up(share: float, wanted: int) -> None:
    parts = [models_part(share, wanted * k, wanted) for k in range(200)]
    assert all(0 <= part <= wanted for part in parts)
    assert abs(sum(parts) - share * wanted * 200) < 1
    assert max(parts) - min(parts) <= 1


def test_two_designs_a_round_at_three_tenths() -> None:
    assert [models_part(0.3, 2 * k, 2) for k in range(5)] == [0, 1, 0, 1, 1]


def designing(messages: Sequence[Message], schema: dict[str, Any]) -> str:
    """As many new cells as are asked for."""
    role = role_of(schema)
    if role != "designer":
        return json.dumps(NO_RULES if role == "reflection" else {"niches": []})
    count = int(re.search(r"Make these (\d+) designs", messages[1].content)[1])  # type: ignore[index]
    return json.dumps(proposed(members_asked_for(messages, count + 4)))


def searched(config: SearchConfig) -> tuple[RunStore, ScriptedModel]:
    model = ScriptedModel(designing)
    folder = Search(config, {model.name: model}).run().folder
    return RunStore.read(folder), model


def test_the_model_gets_its_share_and_sees_what_the_program_designed(
    settings: Settings, tmp_path: Path
) -> None:
    config = settings(designer_model="scripted:answers", designer_share=0.5)
    store, model = searched(config)
    with store:
        for niche in range(3):
            place = store.candidates(round_=0, niche=niche)
            models = [c.slot for c in place if c.design.author == model.name]
            assert models == list(range(len(place)))[-(len(place) // 2) :]
        by = Counter(c.design.author for c in store.candidates())
        assert 0 < by[model.name] <= 18  # what it designs again, evolution replaces
        first = store.candidates(round_=0, niche=0)[0]
    asked = next(r[1].content for r in model.requests if "niche 0 only" in r[0].content)
    written = SPACE.in_letters(SPACE.parse(first.architecture))
    assert written in asked.partition("Designs of the program")[2]
    with open_recording(store.folder) as recording:
        assert replay(recording, tmp_path / "again").same_front


def test_a_small_model_is_shown_what_it_can_choose(settings: Settings) -> None:
    """All niches share the system prompt, which is then read once; parents are those of the table."""
    model = ScriptedModel(lambda *_: json.dumps({"edits": []}))
    config = settings(
        designer_model=model.name, designer_share=0.5, question_form="edits", rounds=4, per_niche=6
    )
    with RunStore.read(Search(config, {model.name: model}).run().folder):
        asked = [[m.content for m in r] for r in model.requests if "list of edits" in r[0].content]
    assert len({system for system, *_ in asked}) == 1
    later = [user for _, user, *_ in asked if "±" in user.partition("of the parents:")[2]]
    assert later
    for user in later:
        table, _, shared = user.partition("Designs of the program")
        assert re.search(r"^\d+ networks?, none of which you can choose$", shared, re.M)
        expected = shared.partition("of the parents:\n")[2].partition("\n\n")[0].splitlines()
        named = re.findall(r"^(r\d+n\d+c\d+) \|", table, re.M)
        assert [line.split()[0] for line in expected] == named


def test_a_share_of_nothing_asks_no_designer(settings: Settings) -> None:
    store, model = searched(settings(designer_model="scripted:answers", designer_share=0.0))
    with store:
        assert {c.design.author for c in store.candidates()} == {"builtin:evolver"}
    assert not model.requests


def test_the_share_of_a_running_search_can_be_changed(settings: Settings) -> None:
    model = ScriptedModel(designing)
    config = settings(designer_model=model.name, rounds=2)
    search = Search(config, {model.name: model})
    search.session.store.append_directive(parse("/share 0.5"), "person", "half of it")
    with RunStore.read(search.run().folder) as store:
        by = Counter(c.design.author for c in store.candidates(round_=0))
    assert by == {"scripted:answers": 6, "builtin:evolver": 6}


def test_a_share_that_adapts_follows_from_what_is_stored(
    settings: Settings, tmp_path: Path
) -> None:
    config = settings(designer_model="scripted:answers", designer_share="auto", rounds=4)
    store, _ = searched(config)
    with store:
        rows = share_rows(store)
        set_ = [e for e in store.events() if e.kind == "share-set"]
    assert [row.niche for row in rows] == [0, 1, 2]
    assert {row.shares[:2] for row in rows} == {(START, START)}  # the first round gives no credit
    assert all(LEAST <= share <= MOST for row in rows for share in row.shares)
    assert len(set_) == 4 * 3
    assert "Share of the designers' model" in (store.folder / "report.html").read_text()
    with open_recording(store.folder) as recording:
        again = replay(recording, tmp_path / "again")
    assert again.same_front
    with RunStore.read(again.result.folder) as other:
        assert share_rows(other) == rows


def evaluated(round_: int, slot: int, author: str, latency: float, score: float) -> Evaluation:
    design = Design(f"{round_}-{slot}", author, "mutation")
    candidate = Candidate(candidate_id(round_, 0, slot), round_, 0, slot, design)
    return Evaluation(candidate, Prediction(score), Cost(latency), parameters=0, flops=0.0)


def test_the_side_whose_designs_widen_the_front_more_gets_more() -> None:
    first = [evaluated(0, 0, "builtin:evolver", 1.0, 50.0), evaluated(0, 1, "m", 9.0, 90.0)]
    better = evaluated(1, 0, "m", 3.0, 88.0)
    worse = evaluated(1, 1, "builtin:evolver", 5.0, 60.0)
    found = by_designs(Archive([*first, better, worse], 1), 0, 2)
    assert found.model > found.program
    assert START < found.share <= MOST
    swapped = by_designs(
        Archive(
            [
                *first,
                evaluated(1, 0, "m", 5.0, 60.0),
                evaluated(1, 1, "builtin:evolver", 3.0, 88.0),
            ],
            1,
        ),
        0,
        2,
    )
    assert swapped.share == pytest.approx(1 - found.share)
    assert by_designs(Archive(first, 1), 0, 1).share == START


@pytest.mark.parametrize("share", ["some", -0.1, 1.1, float("nan"), True, "1e999"])
def test_a_share_that_is_none_is_refused_in_a_sentence(settings: Settings, share: object) -> None:
    with pytest.raises(ConfigError, match="expected a share of designs of 0 to 1 or auto, found"):
        load_config(None, {"designer_share": share})


def test_auto_is_a_directive() -> None:
    order = parse("/share auto")
    assert order.command == "/share auto"
    with pytest.raises(DirectiveError):
        parse("/share automatic")
