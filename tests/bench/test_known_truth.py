from itertools import product
from pathlib import Path

import numpy as np
import pytest

from pelnas.bench.known_truth import (
    EVOLVER,
    NSGA2,
    RANDOM,
    KnownProblem,
    bench_known_truth,
    means,
)
from pelnas.config import SearchConfig
from pelnas.devices.layered import LayerCosts, LayeredDevice, LayerTable
from pelnas.errors import DataError, DatasetError, DeviceError
from pelnas.pareto import minimised, non_dominated
from pelnas.predictors.known_truth import KINDS, Kind, Truth
from pelnas.spaces import SearchSpace, get_space


def device(space: SearchSpace) -> LayeredDevice:
    rng = np.random.default_rng(4)
    costs = {
        layer: {op: float(rng.random()) for op in options}
        for layer, options in enumerate(space.choices)
    }
    return LayeredDevice(LayerTable(Path("costs.csv"), "toy", LayerCosts(1.0, costs)), space)


@pytest.mark.parametrize("kind", KINDS)
def test_the_exact_front_is_that_of_all_networks(kind: Kind) -> None:
    space = get_space("nasbench201")  # 15,625 networks can be listed
    problem = KnownProblem.of(space, device(space), Truth.draw(space, kind, 3))
    every = [space.of(genes) for genes in product(range(5), repeat=6)]
    latency = np.array([problem.device.latency(each) for each in every])
    accuracy = np.array([problem.truth.accuracy(each) for each in every])
    front = non_dominated(minimised(latency, accuracy))
    assert problem.latency == pytest.approx(np.sort(latency[front]))
    assert problem.accuracy == pytest.approx(np.sort(accuracy[front]))
    best = [each for each, kept in zip(every, front, strict=True) if kept]
    assert problem.judge(best) == (pytest.approx(1.0), pytest.approx(0.0, abs=1e-9))
    assert problem.judge(best[:1])[0] < 1


def config(data: Path, tmp_path: Path) -> SearchConfig:
    return SearchConfig(space="fbnet", data=data, output=tmp_path / "runs", per_niche=5)


def test_the_built_in_designer_is_ahead_of_both_baselines_at_equal_budget(
    layer_costs: Path, tmp_path: Path
) -> None:
    budgets = {EVOLVER: (150,), NSGA2: (150,), RANDOM: (150,)}
    found = list(
        bench_known_truth(config(layer_costs, tmp_path), None, ["additive-2"], [0], budgets)
    )
    ratio = {one.method: one.ratio for one in found}
    assert ratio[EVOLVER] > ratio[NSGA2] > ratio[RANDOM]
    assert {one.evaluations for one in found} == {150}
    assert [row.searches for row in means(found)] == [1, 1, 1]


@pytest.mark.parametrize(
    ("devices", "truths", "error"),
    [
        (["nowhere"], ["additive-0"], DeviceError),
        (None, ["cifar10"], DatasetError),
    ],
)
def test_what_is_not_there_is_said(
    layer_costs: Path,
    tmp_path: Path,
    devices: list[str] | None,
    truths: list[str],
    error: type[Exception],
) -> None:
    with pytest.raises(error):
        list(
            bench_known_truth(config(layer_costs, tmp_path), devices, truths, [0], {RANDOM: (60,)})
        )


def test_a_folder_without_costs_per_layer_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="costs per layer"):
        list(
            bench_known_truth(
                config(tmp_path, tmp_path), None, ["additive-0"], [0], {RANDOM: (60,)}
            )
        )
