"""Published trainings of a space's networks, and how predictors order them.

A table of trainings holds for the data set and recipe of each of its columns. Predictors
are defined before, once for all columns, and every column is reported.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pelnas.architecture import Architecture, Shape
from pelnas.bench.validation import kendall
from pelnas.errors import ArchitectureError, DataError, UnreadableError
from pelnas.inputs.formats import read_csv
from pelnas.predictors.base import AccuracyPredictor
from pelnas.predictors.few_shot import FewShot
from pelnas.predictors.labels import Label
from pelnas.spaces import SearchSpace, get_space

Floats = NDArray[np.float64]

AUTOFORMER = "autoformer_tiny_accuracy.csv"  # of Auto-Prox
ACCURACY = ("acc", "kd_acc")  # trained from scratch, and with distillation
DATASETS = ("cifar100", "flowers", "chaoyang")


@dataclass(frozen=True, eq=False)
class Trained:
    """``accuracies``: by column, (n,) in percent, one an architecture; NaN where it was not trained."""

    space: SearchSpace
    architectures: tuple[Architecture, ...]
    accuracies: Mapping[str, Floats]


@dataclass(frozen=True)
class Order:
    """Kendall's tau-b of a score with a column's accuracies; ``count``: networks compared."""

    score: str
    column: str
    count: int
    kendall: float


def read_autoformer(folder: Path) -> Trained:
    """The trained transformers of Auto-Prox. DataError: no such table, or a row of another space."""
    path = folder / AUTOFORMER
    space = get_space("autoformer")
    columns = [f"{dataset}_{kind}" for dataset in DATASETS for kind in ACCURACY]
    try:
        rows = read_csv(path, ["embed_dim", "num_heads", "mlp_ratio", *columns])
        architectures = tuple(space.parse(_transformer(row)) for row in rows)
        accuracies = {
            name: np.array([float(row[name] or "nan") for row in rows]) for name in columns
        }
    except (UnreadableError, ArchitectureError, ValueError) as error:
        raise DataError(
            f"expected trained networks of {space.name} in {path}, found: {error}; correct the"
            " path or the file"
        ) from None
    return Trained(space, architectures, accuracies)


def _transformer(row: Mapping[str, str]) -> str:
    """A row as official text. ValueError: values that are no numbers, or too few of them."""
    ratios = [f"{float(ratio):g}" for ratio in row["mlp_ratio"].split()]
    blocks = zip(row["num_heads"].split(), ratios, strict=True)
    return f"{row['embed_dim']}:" + ",".join(f"{heads}x{ratio}" for heads, ratio in blocks)


#: How the published trainings of a space are read from a folder of benchmark tables.
TABLES: dict[str, Callable[[Path], Trained]] = {"autoformer": read_autoformer}


def orders(
    trained: Trained, predictor: AccuracyPredictor, shape: Shape, counts: Sequence[str]
) -> Iterator[Order]:
    """Every column by the predictor's score, by each proxy that all networks have, and by counting.

    ``counts``: features of the space beside the parameters and operations at ``shape``.
    """
    space, architectures = trained.space, trained.architectures
    found = list(predictor.predict(architectures))
    scores = {predictor.name: [each.score for each in found]}
    for name in found[0].proxies:
        if all(name in each.proxies for each in found):
            scores[name] = [each.proxies[name] for each in found]
    scores |= {
        "params": [space.parameters(each, shape) for each in architectures],
        "flops": [space.flops(each, shape) for each in architectures],
    }
    features = [space.features(each) for each in architectures]
    scores |= {name: [each[name] for each in features] for name in counts}
    for name, values in scores.items():
        for column, accuracies in trained.accuracies.items():
            known = ~np.isnan(accuracies)
            tau = kendall(np.array(values, dtype=np.float64)[known], accuracies[known])
            yield Order(name, column, int(known.sum()), tau)


def few_shot_orders(
    trained: Trained, base: AccuracyPredictor, labels: int, draws: int
) -> Iterator[Order]:
    """Every column by ``few-shot`` from so many of its own labels, on the rest; mean over draws.

    Draw d labels the first ones in the random order of seed d. Columns with less than twice as
    many accuracies are left out.
    """
    for column, accuracies in trained.accuracies.items():
        known = np.flatnonzero(~np.isnan(accuracies))
        if len(known) < 2 * labels:
            continue
        taus = [
            _few_shot(
                trained, base, accuracies, np.random.default_rng(seed).permutation(known), labels
            )
            for seed in range(draws)
        ]
        name = f"few-shot, {labels} labels"
        yield Order(name, column, len(known) - labels, float(np.mean(taus)))


def _few_shot(
    trained: Trained,
    base: AccuracyPredictor,
    accuracies: Floats,
    order: NDArray[np.int64],
    labels: int,
) -> float:
    space, architectures = trained.space, trained.architectures
    given = [
        Label(space.format(architectures[i]), float(accuracies[i])) for i in order[:labels].tolist()
    ]
    rest = order[labels:]
    predictor = FewShot(space, base, given)
    found = predictor.predict([architectures[i] for i in rest.tolist()])
    return kendall(np.array([each.score for each in found]), accuracies[rest])
