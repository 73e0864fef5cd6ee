from threading import Event, Thread

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from pelnas.architecture import Shape
from pelnas.partition import partition_by_flops
from pelnas.predictors.known_truth import Truth
from pelnas.spaces import get_space
from pelnas.surrogate import Seen, Surrogate
from pelnas.surrogate.model import FEWEST, _order

FBNET = get_space("fbnet")
PARTITION = partition_by_flops(FBNET, 3, Shape.square(10, 32))
TRUTH = Truth.draw(FBNET, "additive", 0)


def seen(count: int, seed: int) -> list[Seen]:
    rng = np.random.default_rng(seed)
    drawn = [FBNET.sample(rng) for _ in range(count)]
    return [
        Seen(each, TRUTH.accuracy(each), (FBNET.flops(each, Shape.square(10, 32)) / 1e6,))
        for each in drawn
    ]


def test_a_sum_over_positions_is_learned_once_there_are_as_many_networks_as_choices() -> None:
    surrogate, fresh = Surrogate(PARTITION, seen(250, 0)), seen(50, 1)
    with surrogate.working():
        expected = surrogate.expect([each.architecture for each in fresh])
    latency, score = (
        np.array(column)
        for column in zip(*((*each.costs, each.score) for each in fresh), strict=True)
    )
    assert np.corrcoef(expected[:, 0], latency)[0, 1] > 0.98
    assert np.corrcoef(expected[:, 1], score)[0, 1] > 0.999


def test_draws_scatter_where_little_is_known_and_not_where_it_was_seen() -> None:
    known, fresh = seen(60, 0), seen(20, 1)
    surrogate = Surrogate(PARTITION, known)
    asked = [each.architecture for each in (*known[:20], *fresh)]
    with surrogate.working():
        drawn = surrogate.draw(asked, 200, np.random.default_rng(0))
    assert drawn.shape == (200, 40, 2)
    spread = drawn[..., 1].std(axis=0)
    assert spread[:20].max() < 0.2 * spread[20:].min()


def test_a_value_far_off_does_not_spoil_the_rest() -> None:
    broken = [Seen(each.architecture, -1e9, each.costs) for each in seen(1, 5)]
    fresh = seen(50, 1)
    surrogate = Surrogate(PARTITION, [*seen(250, 0), *broken])
    with surrogate.working():
        expected = surrogate.expect([each.architecture for each in fresh])[:, 1]
    assert np.corrcoef(expected, [each.score for each in fresh])[0, 1] > 0.8


def test_equal_values_are_no_reason_to_fail() -> None:
    equal = [Seen(each.architecture, 0.5, (1.0,)) for each in seen(30, 0)]
    surrogate = Surrogate(PARTITION, equal)
    with surrogate.working():
        expected = surrogate.expect([each.architecture for each in seen(5, 1)])
    assert expected == pytest.approx(np.tile([1.0, 0.5], (5, 1)), abs=1e-3)


def test_it_is_ready_from_a_number_of_evaluations_on() -> None:
    assert not Surrogate(PARTITION, seen(FEWEST - 1, 0)).ready
    assert Surrogate(PARTITION, seen(FEWEST, 0)).ready


def test_what_a_device_cannot_run_is_learned() -> None:
    """Here nothing that costs more than the median runs."""
    known, fresh = seen(300, 0), seen(60, 1)
    middle = float(np.median([each.costs[0] for each in known]))
    runs = [each for each in known if each.costs[0] <= middle]
    failed = [each.architecture for each in known if each.costs[0] > middle]
    chances = Surrogate(PARTITION, runs, failed).feasible([each.architecture for each in fresh])
    right = (chances > 0.5) == np.array([each.costs[0] <= middle for each in fresh])
    assert right.mean() > 0.9
    assert ((chances > 0) & (chances <= 1)).all()


def test_without_failures_everything_runs() -> None:
    known = seen(FEWEST, 0)
    assert (Surrogate(PARTITION, known).feasible([known[0].architecture]) == 1).all()


def test_what_an_earlier_one_learned_changes_nothing() -> None:
    """Weights are fitted to the first evaluations; other ones there are fitted anew."""
    known, asked = seen(40, 0), [each.architecture for each in seen(10, 1)]
    for early in (known[:35], seen(35, 2)):
        earlier = Surrogate(PARTITION, early)
        earlier.expect(asked)
        alone, after = Surrogate(PARTITION, known), Surrogate(PARTITION, known, (), earlier)
        assert (after.expect(asked) == alone.expect(asked)).all()


@given(st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0, 3.0]), min_size=3, max_size=20), st.data())
def test_orders_are_compared_by_spearmans_correlation(
    found: list[float], data: st.DataObject
) -> None:
    expected = data.draw(st.lists(st.floats(0, 1), min_size=len(found), max_size=len(found)))
    one, other = np.array(expected), np.array(found)
    assume(np.ptp(one) > 0 and np.ptp(other) > 0)
    assert _order(one, other) == spearmanr(one, other).statistic


def test_costs_are_drawn_with_what_no_kernel_explains_and_scores_are_not() -> None:
    """Latencies of which half the variance is each network's own: nothing of it can be expected."""
    rng = np.random.default_rng(0)
    known, fresh = seen(120, 0), seen(20, 1)
    spread = float(np.std([each.costs[0] for each in known]))
    rough = [
        Seen(each.architecture, each.score, (each.costs[0] + spread * rng.standard_normal(),))
        for each in known
    ]
    surrogate = Surrogate(PARTITION, rough)
    asked = [each.architecture for each in fresh]
    with surrogate.working():
        plain = surrogate.draw(asked, 400, np.random.default_rng(0))
        whole = surrogate.draw(asked, 400, np.random.default_rng(0), with_residuals=True)
    assert whole[..., 0].std(axis=0).mean() > 1.5 * plain[..., 0].std(axis=0).mean()
    assert np.array_equal(whole[..., 1], plain[..., 1])
    assert surrogate.measured[:, 0].tolist() == [each.costs[0] for each in rough]
    assert np.array_equal(surrogate.measured[:, 1], surrogate.expected[:, 1])


def test_those_that_share_an_encoding_take_turns() -> None:
    one = Surrogate(PARTITION, seen(30, 0))
    other, entered = one.extended(seen(5, 1)), Event()

    def work() -> None:
        with other.working():
            entered.set()

    with one.working():
        thread = Thread(target=work)
        thread.start()
        assert not entered.wait(0.1)
    thread.join(60)
    assert entered.is_set()
