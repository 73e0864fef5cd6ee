"""A device is learned from a few networks, and a predicted deviation means what it says."""

import numpy as np
import pytest

from pelnas.architecture import Architecture, Shape
from pelnas.devices.cost_features import CostFeatures
from pelnas.devices.few_shot import Belief, LatencyModel
from pelnas.devices.other_devices import OtherDevices, Source
from pelnas.devices.selection import chosen, farthest_first, informative
from pelnas.spaces import get_space

TINY = get_space("tiny")
EVERY = [TINY.at(place) for place in range(TINY.size)]
OPERATIONS = {"none": 0.1, "skip_connect": 0.3, "nor_conv_1x1": 2.0, "nor_conv_3x3": 3.0}


def latencies(seed: int, noise: float = 0.02, scale: float = 1.0) -> np.ndarray:
    """What a device with a cost of each operation and 1 ms for anything takes, with noise."""
    rng = np.random.default_rng(seed)
    costs = {op: cost * rng.uniform(0.7, 1.4) for op, cost in OPERATIONS.items()}
    sums = [1 + sum(costs.get(op, 1.0) for op in TINY.chosen(each)) for each in EVERY]
    return scale * np.array(sums) * np.exp(noise * rng.standard_normal(len(sums)))


def others(*seeds: int) -> OtherDevices:
    columns = {Source(f"device{seed}", "x", "latency"): latencies(seed) for seed in seeds}
    return OtherDevices(TINY, columns)


def learned(
    count: int, features: CostFeatures, truth: np.ndarray, belief: Belief | None = None
) -> tuple[LatencyModel, np.ndarray]:
    rest = np.random.default_rng(0).permutation(TINY.size)
    rows = features.rows([EVERY[i] for i in rest[:count]])
    model = LatencyModel(
        features, rows, truth[rest[:count]].tolist(), belief or Belief.usual(features)
    )
    return model, rest[count:]


class TestModel:
    def test_latencies_of_other_networks_are_expected_within_a_few_percent(self) -> None:
        features, truth = CostFeatures(TINY, Shape()), latencies(1)
        model, rest = learned(40, features, truth)
        found = model.expect(features.rows([EVERY[i] for i in rest]))
        assert np.median(np.abs(found.latency / truth[rest] - 1)) < 0.05
        assert (found.low < found.latency).all()
        assert (found.latency < found.high).all()
        assert found.low.min() > 0

    def test_two_thirds_of_the_truth_lie_within_one_deviation(self) -> None:
        features = CostFeatures(TINY, Shape())
        inside = []
        for seed in range(6):
            truth = latencies(seed, noise=0.1)
            model, rest = learned(40, features, truth)
            found = model.expect(features.rows([EVERY[i] for i in rest]))
            inside.append(np.mean((truth[rest] > found.low) & (truth[rest] < found.high)))
        assert 0.55 < np.mean(inside) < 0.82  # 510 networks of a normal noise

    def test_the_unit_of_latency_does_not_matter(self) -> None:
        features = CostFeatures(TINY, Shape())
        rows = features.rows(EVERY)
        slow, _ = learned(20, features, latencies(3))
        fast, _ = learned(20, features, latencies(3, scale=1e-3))
        assert 1e-3 * slow.expect(rows).latency == pytest.approx(fast.expect(rows).latency)

    def test_held_out_error_is_that_of_leaving_out(self) -> None:
        """Against a model that is fitted to the others, with the weights that all had."""
        features, truth = CostFeatures(TINY, Shape()), latencies(2, noise=0.1)
        model, _ = learned(30, features, truth)
        assert model.held_out.count == 30
        assert 0.01 < model.held_out.error < 0.2
        assert model.held_out.spearman > 0.8

    def test_equal_latencies_are_no_error(self) -> None:
        features = CostFeatures(TINY, Shape())
        model, _ = learned(5, features, np.full(TINY.size, 2.0))
        assert model.expect(features.rows(EVERY)).latency == pytest.approx(2.0, rel=0.05)

    def test_what_is_far_from_all_that_was_measured_is_marked(self) -> None:
        features, truth = CostFeatures(TINY, Shape()), latencies(1, noise=0.001)
        convolutions = [i for i, each in enumerate(EVERY) if set(each.genes) <= {2, 3}]
        rows = features.rows([EVERY[i] for i in convolutions])
        model = LatencyModel(features, rows, truth[convolutions].tolist(), Belief.usual(features))
        assert not model.expect(rows).extrapolated.any()
        pools = features.rows([TINY.of((4, 4, 4)), TINY.of((0, 0, 0))])
        assert model.expect(pools).extrapolated.all()


class TestOtherDevices:
    def test_they_help_where_little_was_measured(self) -> None:
        known, truth = others(1, 2, 3), latencies(9)
        alone, beside = CostFeatures(TINY, Shape()), CostFeatures(TINY, Shape(), known)
        belief = known.belief(Shape(), "x")
        assert belief is not None
        errors = []
        for features, prior in ((alone, None), (beside, belief)):
            model, rest = learned(6, features, truth, prior)
            found = model.expect(features.rows([EVERY[i] for i in rest]))
            errors.append(np.median(np.abs(found.latency / truth[rest] - 1)))
        assert errors[1] < errors[0]

    def test_a_device_is_left_out_with_all_its_metrics_and_data_sets(self) -> None:
        columns = {
            Source(device, dataset, metric): latencies(1)
            for device in ("a", "b")
            for dataset in ("x", "y")
            for metric in ("latency", "energy")
        }
        known = OtherDevices(TINY, columns)
        left = known.without("a")
        assert left is not None
        assert left.devices == ("b",)
        assert left.values(EVERY[:3]).shape == (3, 4)
        assert left.without("b") is None

    def test_networks_that_a_device_cannot_run_do_not_count_as_fast(self) -> None:
        refusing = latencies(2)
        refused = np.arange(TINY.size) % 4 == 0
        refusing[refused] = -1.0
        columns = {
            Source("a", "x", "latency"): latencies(1),
            Source("b", "x", "latency"): refusing,
        }
        whole = {**columns, Source("b", "x", "latency"): latencies(2)}
        found = OtherDevices(TINY, columns).values(EVERY)
        assert np.isfinite(found).all()
        known = OtherDevices(TINY, whole).values(EVERY)
        assert np.corrcoef(found[refused, 1], known[refused, 1])[0, 1] > 0.6

    def test_a_data_set_that_no_other_device_has_is_learned_for_from_another(self) -> None:
        known = others(1, 2, 3)
        here, elsewhere = known.belief(Shape(), "x"), known.belief(Shape(), "any")
        assert here is not None
        assert elsewhere is not None
        assert elsewhere.logs.tolist() == here.logs.tolist()

    def test_one_device_says_nothing_about_weights(self) -> None:
        assert others(1).belief(Shape(), "x") is None


class TestChoice:
    def test_farthest_first_by_hand(self) -> None:
        points = np.array([[0.0], [1.0], [4.0], [10.0]])
        assert farthest_first(points, 4, start=1).tolist() == [1, 3, 2, 0]
        assert farthest_first(points, 9, start=0).tolist() == [0, 3, 2, 1]

    def test_an_informative_choice_reduces_variance_step_by_step(self) -> None:
        """Against the posterior variance by the inverse of the whole matrix."""
        features = CostFeatures(TINY, Shape())
        rows, belief = features.rows(EVERY), Belief.usual(features)
        judged = rows.take(slice(0, 30))
        picked = informative(features, belief, rows, judged, 3)

        def left(indices: list[int]) -> float:
            own = rows.take(np.array(indices))
            total = features.total(belief.weights, own, own) + belief.noise * np.eye(len(indices))
            across = features.total(belief.weights, judged, own)
            explained = np.einsum("ij,jk,ik->i", across, np.linalg.inv(total), across)
            return float((features.diagonal(belief.weights, judged) - explained).mean())

        for step in range(3):
            before = picked[:step].tolist()
            best = min(range(TINY.size), key=lambda i: left([*before, i]) if i not in before else 9)
            assert left([*before, int(picked[step])]) == pytest.approx(left([*before, best]))

    def test_a_choice_is_of_different_networks_and_follows_from_its_seed(self) -> None:
        features = CostFeatures(TINY, Shape())
        rows, belief = features.rows(EVERY), Belief.usual(features)
        one, same = (
            chosen(features, belief, rows, 90, np.random.default_rng(4)).tolist() for _ in "ab"
        )
        assert one == same
        assert len(set(one)) == 90
        assert len(chosen(features, belief, rows, 900, np.random.default_rng(4))) == TINY.size


class TestFeatures:
    @pytest.mark.parametrize("name", ["tiny", "nasbench201", "mnasnet", "fbnet", "autoformer"])
    def test_kernels_are_symmetric_positive_and_sum_as_they_say(self, name: str) -> None:
        space = get_space(name)
        features = CostFeatures(space, Shape.square(10, 224))
        rng = np.random.default_rng(1)
        rows = features.rows([space.sample(rng) for _ in range(12)])
        kernels = features.kernels(rows, rows)
        assert len(kernels) == len(features.names) == len(Belief.usual(features).weights)
        weights = np.linspace(0.1, 1, len(kernels))
        total = features.total(weights, rows, rows)
        assert total == pytest.approx(np.tensordot(weights, kernels, axes=1))
        assert np.diag(total) == pytest.approx(features.diagonal(weights, rows))
        assert total == pytest.approx(total.T)
        assert np.linalg.eigvalsh(total).min() > -1e-9

    def test_an_edge_whose_output_is_not_used_is_not_executed(self) -> None:
        space = get_space("nasbench201")
        none = space.operations.index("none")
        genes = [2] * 6
        genes[4] = genes[2] = none  # node 1 reaches neither node 2 nor the output
        found = set(space.executed(tuple(genes)))
        assert found == {1, 2, 3, 4, 5}  # 0->1 feeds nothing
        work = space.workload(Architecture(space.name, tuple(genes)), Shape())
        assert work["chosen"]["nor_conv_1x1"] == 4
        assert work["executed"]["nor_conv_1x1"] == 3
        assert work["live"]["nor_conv_1x1"] == 3

    def test_work_of_a_mobile_network_adds_up_to_its_flops(self) -> None:
        """Without stem, head and classifier, which no choice changes."""
        space = get_space("mnasnet")
        shape = Shape.square(1000, 224)
        rng = np.random.default_rng(3)
        fixed = set()
        for _ in range(5):
            plain = [
                gene if place % 4 != 3 else 0 for place, gene in enumerate(space.sample(rng).genes)
            ]
            architecture = space.of(tuple(plain))
            work = space.workload(architecture, shape)["total"]
            fixed.add(space.flops(architecture, shape) - work["pointwise"] - work["depthwise"])
            blocks = space.workload(architecture, shape)["blocks"]
            parts = [value for name, value in blocks.items() if name.startswith("layers@")]
            assert sum(parts) == work["layers"]
        assert len(fixed) == 1
