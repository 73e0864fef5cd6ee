"""The bundled model of ImageNet accuracy: small, loud about its recipe, and sensible."""

from pelnas.cache import default_cache
from pelnas.config import SearchConfig
from pelnas.predictors import best_predictor, get_predictor
from pelnas.predictors.transfer_mnasnet import COLUMNS, MODEL, MnasNetTransfer, row_of
from pelnas.spaces import get_space

SPACE = get_space("mnasnet")
SMALLEST, LARGEST = (SPACE.parse("/".join([block] * 7)) for block in ("e1k3n1", "e6k5n3s"))


def test_it_is_the_default_on_its_space_and_looks_at_no_images() -> None:
    config = SearchConfig(space="mnasnet")
    assert best_predictor(config, SPACE) == "transfer"
    assert best_predictor(config, get_space("mnasnet_scaled")) == "rank-sum"
    predictor = get_predictor(config, SPACE, None, default_cache())
    assert isinstance(predictor, MnasNetTransfer)
    assert "ImageNet at 224 pixels, its short training; other images" in predictor.source


def test_the_file_is_small() -> None:
    assert MODEL.stat().st_size < 2e6


def test_a_row_holds_the_choices_and_sizes() -> None:
    row = dict(zip(COLUMNS, row_of(LARGEST), strict=True))
    assert row["kernel of block 3"] == 5
    assert row["excite of block 6"] == 1
    assert (
        row["log parameters"] > dict(zip(COLUMNS, row_of(SMALLEST), strict=True))["log parameters"]
    )


def test_larger_networks_are_expected_to_be_better_and_no_accuracy_leaves_its_range() -> None:
    smallest, largest = MnasNetTransfer().predict([SMALLEST, LARGEST])
    assert 0 < smallest.score < largest.score < 100
    assert 0 < largest.uncertainty < smallest.uncertainty  # the scale of accuracies is stretched
