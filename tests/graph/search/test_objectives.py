"""Searches for several costs, or with limits from the start, through the whole graph."""

import json
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from pelnas import Search, SearchConfig
from pelnas.architecture import Shape
from pelnas.errors import ConfigError, DeviceError
from pelnas.graph.runs.fork import fork
from pelnas.objectives import Objectives
from pelnas.pareto import non_dominated
from pelnas.report import front_points
from pelnas.report.difference import difference
from pelnas.spaces import get_space
from pelnas.store import RunStore
from pelnas.tools import answers
from pelnas.tools.explain import explain

Toy = Callable[..., SearchConfig]
SPACE = get_space("tiny")
BOTH = ("latency", "energy")


@pytest.fixture(scope="module")
def tables(tiny_tables: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy tables, a device ``meter`` that tells energy, and one that runs no convolution."""
    folder = tmp_path_factory.mktemp("energy")
    for file in tiny_tables.glob("*.parquet"):
        (folder / file.name).write_bytes(file.read_bytes())
    rows = [SPACE.at(index) for index in range(SPACE.size)]
    features = [SPACE.features(row) for row in rows]
    costs = {
        "arch_str": [SPACE.format(row) for row in rows],
        "toy10__meter_latency": [1 + 3 * f["nor_conv_3x3"] + f["nor_conv_1x1"] for f in features],
        "toy10__meter_energy": [1 + (7 * i % 11) / 2 for i in range(SPACE.size)],
        "toy10__weak_latency": [-1.0 if f["convolutions"] else 1.0 for f in features],
    }
    parquet.write_table(pa.table(costs), folder / "meter.parquet")
    return folder


@pytest.fixture
def settings(toy: Toy, tables: Path, tmp_path: Path) -> Callable[..., SearchConfig]:
    def made(**changes: Any) -> SearchConfig:
        given: dict[str, Any] = {"data": tables, "device": "meter", "rounds": 3, "per_niche": 4}
        return toy(tmp_path, **(given | changes))

    return made


def test_three_objectives_that_may_look_at_everything_find_the_exact_front(
    settings: Toy, tables: Path
) -> None:
    result = Search(settings(objectives=BOTH, rounds=9, per_niche=20)).run()
    accuracy = dict(_column(tables, "toy10_val"))
    latency, energy = (dict(_column(tables, f"meter_{name}")) for name in BOTH)
    texts = sorted(latency)
    points = np.array([(latency[t], energy[t], -accuracy[t]) for t in texts])
    true = {tuple(point) for point in points[non_dominated(points)].tolist()}
    assert {(p.latency_ms, p.energy_mj, -p.score) for p in result.front} == true
    front = json.loads((result.folder / "front.json").read_text())
    assert len(front) == len(result.front)


def _column(folder: Path, wanted: str) -> list[tuple[str, float]]:
    for file in sorted(folder.glob("*.parquet")):
        table = parquet.read_table(file)
        name = next((n for n in table.column_names if wanted in n), None)
        if name is not None:
            return list(zip(table["arch_str"].to_pylist(), table[name].to_pylist(), strict=True))
    raise AssertionError(wanted)


def test_what_a_run_with_three_objectives_answers(settings: Toy) -> None:
    folder = Search(settings(objectives=BOTH)).run().folder
    with RunStore.read(folder) as store:
        objectives = Objectives.of(store.config.objectives)
        evaluations, points = store.evaluations(), front_points(store)
        by_id = {e.id: e for e in evaluations}
        front = [by_id[point.id] for point in points]
        assert not any(objectives.dominates(a, b) for a, b in product(evaluations, front))
        # Some of it is on the front for its energy alone.
        assert any(Objectives.of(["latency"]).dominates(a, b) for a, b in product(front, front))
        assert answers.status(store)["best"] == {
            "id": max(points, key=lambda p: p.score).id,
            "score": max(p.score for p in points),
        }
        beaten = next(e for e in evaluations if e.id not in {p.id for p in points})
        assert explain(store, beaten.id)["on_front"] is False
        assert explain(store, front[0].id)["rank"] == 1
        metrics = {rule.metric for rule in store.rules()}
        assert metrics <= {"accuracy", "latency", "energy"}
        found = difference(store, store)
        assert found.hypervolume is not None
        assert found.hypervolume[0] == found.hypervolume[1] > 0


def test_memory_and_size_are_counted_where_they_are_asked_for(settings: Toy) -> None:
    config = settings(device="toy", objectives=("memory",))
    with RunStore.read(Search(config).run().folder) as store:
        for point in front_points(store):
            counted = SPACE.footprint(SPACE.parse(point.architecture), _shape(store))
            assert (point.memory, point.size) == (counted.memory, counted.size)
            assert point.to_dict()["memory"] == counted.memory
    with RunStore.read(Search(settings()).run().folder) as store:
        assert all(e.memory is e.size is None for e in store.evaluations())
        assert "memory" not in front_points(store)[0].to_dict()


def _shape(store: RunStore) -> Shape:
    sources = store.sources()
    return Shape(sources.classes, *store.config.scoring.size, sources.channels)


@pytest.mark.parametrize(
    ("limit", "holds"),
    [
        ("energy<=3", lambda point: point.energy_mj <= 3),
        ("latency<=4", lambda point: point.latency_ms <= 4),
        ("size<=30000", lambda point: point.size <= 30_000),
        ("parameters<=8000", lambda point: point.parameters <= 8000),
    ],
)
def test_nothing_over_a_limit_is_on_the_front(
    settings: Toy, limit: str, holds: Callable[[Any], bool]
) -> None:
    folder = Search(settings(limits=(limit,))).run().folder
    with RunStore.read(folder) as store:
        points = front_points(store)
        assert points
        assert all(map(holds, points))
        (given,) = store.directives()
        assert (given.status, given.order.command) == ("active", f"/limit {limit}")
    again = fork(folder, 0).run().folder  # which keeps the limit, once
    with RunStore.read(again) as store:
        assert [d.order.command for d in store.directives()] == [f"/limit {limit}"]
        assert all(map(holds, front_points(store)))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"device": "toy", "objectives": BOTH}, "expected a device that tells energy, found toy"),
        ({"device": "toy", "limits": ("energy<=5",)}, "limit 'energy<=5': this run's device does"),
        ({"limits": ("latency<=0.5",)}, "no network of tiny can satisfy this: ask for less"),
        ({"limits": ("latency<=3", "accuracy>=99", "latency>=4")}, "together with d1"),
        ({"limits": ("power<=3",)}, "limit 'power<=3': "),
        ({"limits": ("memory<=10",)}, "no network of tiny can satisfy this: ask for less"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_there_is_a_run(
    settings: Toy, tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said.replace("(", r"\(")):
        Search(settings(**changes))
    assert not list((tmp_path / "runs").glob("*"))


def test_a_device_that_runs_nothing_of_a_niche_is_refused(settings: Toy) -> None:
    with pytest.raises(DeviceError, match=r"found weak, which can run none of niche 1 \(one conv"):
        Search(settings(device="weak"))


def test_a_fork_keeps_objectives(settings: Toy) -> None:
    folder = Search(settings()).run().folder
    with pytest.raises(ConfigError, match="a fork keeps the objectives of its run"):
        fork(folder, 0, {"objectives": "latency,energy"})


def test_the_figure_of_three_objectives_draws_each_pair(
    settings: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pelnas.report import figure, pairs, two_fronts

    drawn: list[pairs.Pair] = []

    def draw(axes: Any, archive: Any, pair: pairs.Pair, *rest: Any) -> None:
        drawn.append(pair)
        pairs.draw_pair(axes, archive, pair, *rest)

    monkeypatch.setattr(figure, "draw_pair", draw)

    def beside(axes: Any, pair: pairs.Pair, unit: str) -> None:
        drawn.append(pair)
        pairs.name_axes(axes, pair, unit)

    monkeypatch.setattr(two_fronts, "name_axes", beside)
    with RunStore.read(Search(settings(objectives=BOTH)).run().folder) as store:
        assert figure.render(store, figure.LIGHT).startswith(b"\x89PNG")
        assert two_fronts.render_two(store, store).startswith(b"\x89PNG")
    names = [(pair.right.name, pair.up.name if pair.up else "score") for pair in drawn]
    assert names == 2 * [("latency", "score"), ("energy", "score"), ("latency", "energy")]
