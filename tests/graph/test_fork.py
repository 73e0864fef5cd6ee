"""Forks: the same rounds onward where nothing differs, and only what differs done anew."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from pelnas import Search, SearchConfig
from pelnas.architecture import Architecture, Cost, Prediction
from pelnas.devices import DEVICES, Device
from pelnas.graph.fork import fork
from pelnas.predictors import PREDICTORS, AccuracyPredictor
from pelnas.spaces import get_space
from pelnas.store import RunStore

SPACE = get_space("tiny")
ROUNDS = 5


def config(tmp_path: Path, tables: Path, **changes: Any) -> SearchConfig:
    values: dict[str, Any] = {
        "space": "tiny",
        "device": "toy",
        "dataset": "toy10",
        "data": tables,
        "accuracy": "table",
        "rounds": ROUNDS,
        "per_niche": 4,
        "output": tmp_path / "runs",
    }
    return SearchConfig(**(values | changes))


@pytest.fixture
def whole(tmp_path: Path, tiny_tables: Path) -> Path:
    """The folder of a finished run of five rounds."""
    return Search(config(tmp_path, tiny_tables)).run().folder


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """How often each architecture was costed or scored by a real device and a real predictor.

    Device ``slower`` takes twice as long as its formula for ``toy``; predictor ``plain``
    counts operations.
    """
    counts: Counter[str] = Counter()

    class Slower(Device):
        name, source = "slower", "computed by a formula"

        def costs(self, architectures: Sequence[Architecture]) -> Iterator[Cost]:
            for architecture in architectures:
                counts[f"cost {SPACE.format(architecture)}"] += 1
                yield Cost(100.0 + slow(SPACE.format(architecture)))

    class Plain(AccuracyPredictor):
        name, unit, source = "plain", "points", "counted operations"

        def predict(self, architectures: Sequence[Architecture]) -> Iterator[Prediction]:
            for architecture in architectures:
                counts[f"score {SPACE.format(architecture)}"] += 1
                yield Prediction(plain(SPACE.format(architecture)))

    monkeypatch.setitem(DEVICES, "slower", lambda *_: Slower())
    monkeypatch.setitem(PREDICTORS, "plain", lambda *_: Plain())
    return counts


def slow(text: str) -> float:
    return float(sum(map(ord, text)) % 97) + SPACE.index(SPACE.parse(text)) / 1000


def plain(text: str) -> float:
    return 3.0 * text.count("3x3") + text.count("1x1") + SPACE.index(SPACE.parse(text)) / 1000


def digest(folder: Path) -> dict[str, str]:
    """Every file; but for the index of a log, which whoever reads may write."""
    files = (f for f in folder.rglob("*") if f.is_file() and f.suffix != ".sqlite-shm")
    return {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def rules(store: RunStore) -> str:
    return json.dumps([rule.to_dict() for rule in store.rules()])


# -- nothing differs ------------------------------------------------------------------


@pytest.mark.parametrize("round_", range(ROUNDS - 1))
def test_a_fork_under_the_same_settings_does_what_its_run_did(whole: Path, round_: int) -> None:
    before = digest(whole)
    result = fork(whole, round_).run()
    assert digest(whole) == before
    assert (result.folder / "front.json").read_bytes() == (whole / "front.json").read_bytes()
    with RunStore.read(whole) as expected, RunStore.read(result.folder) as store:
        assert store.evaluations() == expected.evaluations()
        assert store.refusals() == expected.refusals()
        assert rules(store) == rules(expected)
        own = [e for e in expected.evaluations() if e.candidate.round > round_]
        assert store.spent().evaluations == len(own)
        assert store.spent_before().evaluations == len(expected.evaluations()) - len(own)
        told = Counter(e.data["candidate"] for e in store.events() if e.kind == "evaluated")
        assert told == Counter(c.id for c in store.candidates())
        assert store.ignored() == 0
        assert store.complete_rounds() == list(range(ROUNDS))


def test_where_it_comes_from_is_told(whole: Path) -> None:
    result = fork(whole, 2, {"per_niche": 3, "name": "other"}).run()
    with RunStore.read(result.folder) as store:
        origin = store.origin()
        assert origin is not None
        assert (origin.run, origin.round, origin.settings) == (whole.name, 2, {"per_niche": (4, 3)})
        assert (origin.scores, origin.costs) == (True, True)
        (event,) = [event for event in store.events() if event.kind == "run-forked"]
        assert event.data["message"] == f"{whole.name} after round 2, with per_niche 3"
        assert store.name.endswith("-other")
        assert len([c for c in store.candidates() if c.round == 3]) == 9


def test_evaluations_are_not_done_again(
    tmp_path: Path, tiny_tables: Path, counted: Counter[str]
) -> None:
    settings = config(tmp_path, tiny_tables, device="slower", accuracy="plain", rounds=3)
    folder = Search(settings).run().folder
    counted.clear()
    result = fork(folder, 1, {"seed": 0, "parents": 4}).run()
    with RunStore.read(result.folder) as store:
        new = [c.architecture for c in store.candidates(2)]
        assert sorted(counted) == sorted(f"{half} {t}" for half in ("cost", "score") for t in new)
        assert set(counted.values()) == {1}
