"""The NAS-Bench-201 space against the published benchmark and its definitions."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from pelnas.architecture import Architecture, Shape
from pelnas.errors import ArchitectureError
from pelnas.spaces.nasbench201 import NasBench201

SPACE = NasBench201()
EVERY = [SPACE.at(index) for index in range(SPACE.size)]
CELL = "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"


@pytest.fixture(scope="module")
def published(data_folder: Path) -> Mapping[str, Any]:
    table = parquet.read_table(data_folder / "nb201_accuracy.parquet")
    assert table["arch_index"].to_pylist() == list(range(15_625))
    return {name: table[name].to_numpy() for name in table.column_names}


def test_all_cells_stand_in_the_published_order(published: Mapping[str, Any]) -> None:
    assert [SPACE.format(cell) for cell in EVERY] == list(published["arch_str"])
    assert [SPACE.index(SPACE.parse(text)) for text in published["arch_str"]] == list(range(15_625))


def test_parameters_of_all_cells_are_the_published_ones(published: Mapping[str, Any]) -> None:
    for dataset, classes in (("cifar10", 10), ("cifar100", 100)):
        counted = [SPACE.parameters(cell, Shape(classes)) / 1e6 for cell in EVERY]
        np.testing.assert_allclose(counted, published[f"{dataset}_params_m"], rtol=0, atol=1e-6)


def test_flops_of_all_cells_are_the_published_ones(published: Mapping[str, Any]) -> None:
    for dataset, classes in (("cifar10", 10), ("cifar100", 100)):
        counted = [SPACE.flops(cell, Shape.square(classes, 32)) / 1e6 for cell in EVERY]
        theirs = published[f"{dataset}_flops_m_derived"]
        np.testing.assert_allclose(counted, theirs, rtol=0, atol=1e-6)


def test_equal_keys_are_the_published_classes(published: Mapping[str, Any]) -> None:
    first: dict[str, int] = {}
    lowest = [first.setdefault(SPACE.key(cell), index) for index, cell in enumerate(EVERY)]
    assert lowest == published["iso_rep_index"].tolist()


def test_there_are_6466_keys() -> None:
    assert len({SPACE.key(cell) for cell in EVERY}) == 6466


def test_the_niches_have_the_sizes_of_the_paper() -> None:
    features = [SPACE.features(cell) for cell in EVERY]
    sizes = [sum(map(niche.holds, features)) for _, niche in SPACE.complexity_niches]
    assert sizes == [729, 3367, 6144, 3840, 1280, 265]


def test_the_first_cell_is_the_published_one() -> None:
    assert SPACE.format(EVERY[0]) == CELL
    assert SPACE.flops(EVERY[0], Shape.square(10, 32)) == pytest.approx(15.64737e6, abs=10)


def test_genes_follow_the_text() -> None:
    assert SPACE.positions == ("0->1", "0->2", "1->2", "0->3", "1->3", "2->3")
    assert SPACE.parse(CELL).genes == (4, 2, 1, 2, 1, 1)


def test_features_of_a_cell_counted_by_hand() -> None:
    features = SPACE.features(SPACE.parse(CELL))
    expected = {
        "none": 0,
        "skip_connect": 3,
        "nor_conv_1x1": 2,
        "nor_conv_3x3": 0,
        "avg_pool_3x3": 1,
        "avg_pool_3x3@0->1": 1,
        "nor_conv_1x1@0->2": 1,
        "skip_connect@1->2": 1,
        "nor_conv_1x1@0->3": 1,
        "skip_connect@1->3": 1,
        "skip_connect@2->3": 1,
        "convolutions": 2,
        "live_convolutions": 2,
        "depth": 1,
        "paths": 4,
        "live_skip": 0,
    }
    assert features == expected


@pytest.mark.parametrize(
    ("text", "live", "depth", "paths", "skip"),
    [
        ("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|", 0, 0, 0, 0),
        ("|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|", 0, 0, 1, 1),
        ("|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|none~0|none~1|nor_conv_1x1~2|", 3, 3, 1, 0),
        ("|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|none~0|none~1|none~2|", 0, 0, 0, 0),
        ("|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|nor_conv_1x1~2|", 0, 0, 1, 1),
    ],
)
def test_only_what_the_output_sees_is_live(
    text: str, live: int, depth: int, paths: int, skip: int
) -> None:
    features = SPACE.features(SPACE.parse(text))
    found = [features[name] for name in ("live_convolutions", "depth", "paths", "live_skip")]
    assert found == [live, depth, paths, skip]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "found 1 nodes"),
        ("|nor_conv_3x3~0|", "found 1 nodes"),
        (CELL + "+|none~0|", "found 4 nodes"),
        (CELL.replace("nor_conv_1x1~0|skip", "nor_conv_5x5~0|skip"), "operation 'nor_conv_5x5'"),
        (CELL.replace("skip_connect~2", "skip_connect~3"), "an edge from node 2"),
        (CELL.replace("skip_connect~2|", ""), "2 edges into node 3 in place of 3"),
        (CELL.replace("~", "-"), "edge 'avg_pool_3x3-0'"),
        (CELL[1:], "node 1 as"),
        (CELL.upper(), "unknown operation 'AVG_POOL_3X3'"),
        ("|none~0|+|none~0|none~1|+|none~0|none~0|none~2|", "edge 'none~0' in place"),
    ],
)
def test_malformed_cells_are_refused_with_an_example(text: str, message: str) -> None:
    with pytest.raises(ArchitectureError, match=message) as caught:
        SPACE.parse(text)
    assert "expects a cell like |nor_conv_3x3~0|+" in str(caught.value)


@given(st.sampled_from(EVERY))
def test_a_skip_that_renumbers_a_node_does_not_change_the_key(cell: Architecture) -> None:
    """Node 1 as a copy of the input: what comes from it might as well come from node 0."""
    op = dict(zip(SPACE.positions, SPACE.chosen(cell), strict=True))
    op["0->1"] = "skip_connect"
    swapped = {**op, "0->2": op["1->2"], "1->2": op["0->2"], "0->3": op["1->3"], "1->3": op["0->3"]}
    assert SPACE.key(of(op)) == SPACE.key(of(swapped))


def of(chosen: Mapping[str, str]) -> Architecture:
    return SPACE.of(tuple(SPACE.operations.index(chosen[place]) for place in SPACE.positions))


def test_the_network_has_the_published_skeleton() -> None:
    network = SPACE.build(SPACE.of((1,) * 6), Shape.square(10, 32))
    shapes: list[tuple[int, ...]] = []

    def note(_module: torch.nn.Module, _inputs: object, output: torch.Tensor) -> None:
        shapes.append(tuple(output.shape[1:]))

    for stage in network.stages:  # type: ignore[union-attr]
        stage.register_forward_hook(note)  # type: ignore[union-attr]
    with torch.inference_mode():
        network(torch.randn(2, 3, 32, 32))
    assert Counter(shapes) == {(16, 32, 32): 5, (32, 16, 16): 6, (64, 8, 8): 6}
    kinds = Counter(type(module).__name__ for module in network.modules())
    assert (kinds["Conv2d"], kinds["Cell"], kinds["Reduction"]) == (1 + 2 * 3, 15, 2)


def test_a_cell_computes_what_its_text_says() -> None:
    """Skips alone: node 1 is x, node 2 is 2x, and the output x + x + 2x."""
    cell = SPACE.build(SPACE.of((1,) * 6), Shape.square(10, 32)).stages[0]  # type: ignore[index]
    images = torch.randn(2, 16, 8, 8)
    torch.testing.assert_close(cell(images), 4 * images)
