"""Published trainings of a space's networks, and how predictors order them.

A table of trainings holds for the data set and recipe of each of its columns. Predictors
are defined before, once for all columns, and every column is reported.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pelnas.architecture import Architecture, Prediction, Shape
from pelnas.bench.validation import kendall
from pelnas.errors import ArchitectureError, DataError, UnreadableError
from pelnas.inputs.formats import read_csv
from pelnas.predictors.base import AccuracyPredictor
from pelnas.predictors.few_shot import FewShot
from pelnas.predictors.labels import Label
from pelnas.spaces import SearchSpace, get_space

Floats = NDArray[np.float64]
Text = Callable[[Mapping[str, str]], str]  # of a row of a table
CHOICES = ("expand", "kernel", "layers", "se")  # columns of Accel-NASBench

MNASNET = "mnasnet_imagenet_devices.csv"  # of Accel-NASBench
IMAGENET = "imagenet_top1"  # its accuracy under the benchmark's short recipe
AUTOFORMER = "autoformer_tiny_accuracy.csv"  # of Auto-Prox
ACCURACY = ("acc", "kd_acc")  # trained from scratch, and with distillation
DATASETS = ("cifar100", "flowers", "chaoyang")


@dataclass(frozen=True, eq=False)
class Trained:
    """``accuracies``: by column, (n,) in percent, one an architecture; NaN where it was not trained."""

    space: SearchSpace
    architectures: tuple[Architecture, ...]
    accuracies: Mapping[str, Floats]

    def sample(self, count: int, seed: int) -> "Trained":
        """The first so many of its networks in the random order of a seed."""
        chosen = np.random.default_rng(seed).permutation(len(self.architectures))[:count].tolist()
        return Trained(
            self.space,
            tuple(self.architectures[i] for i in chosen),
            {name: values[chosen] for name, values in self.accuracies.items()},
        )


@dataclass(frozen=True)
class Order:
    """Kendall's tau-b of a score with a column's accuracies; ``count``: networks compared."""

    score: str
    column: str
    count: int
    kendall: float


def read_autoformer(folder: Path) -> Trained:
    """The trained transformers of Auto-Prox. DataError: no such table, or a row of another space."""
    accuracies = [f"{dataset}_{kind}" for dataset in DATASETS for kind in ACCURACY]
    choices = ["embed_dim", "num_heads", "mlp_ratio"]
    return _read(folder / AUTOFORMER, get_space("autoformer"), choices, _transformer, accuracies)


def read_mnasnet(folder: Path) -> Trained:
    """The trained networks of Accel-NASBench. DataError: no such table, or a row of another space."""
    return _read(folder / MNASNET, get_space("mnasnet"), CHOICES, mobile_text, [IMAGENET])


def _read(
    path: Path, space: SearchSpace, choices: Sequence[str], text: Text, columns: Sequence[str]
) -> Trained:
    architectures, by_column = first_rows(path, space, choices, text, columns)
    return Trained(space, architectures, by_column)


def first_rows(
    path: Path, space: SearchSpace, choices: Sequence[str], text: Text, columns: Sequence[str]
) -> tuple[tuple[Architecture, ...], dict[str, Floats]]:
    """The networks of a table, and its ``columns`` of numbers (n,); NaN where a cell is empty.

    ``text``: the official text of a row of ``choices``. Of a network listed twice, the first row
    counts. DataError: no such table, or a row of another space.
    """
    found: dict[Architecture, list[float]] = {}
    try:
        for row in read_csv(path, [*choices, *columns]):
            numbers = [float(row[name] or "nan") for name in columns]
            found.setdefault(space.parse(text(row)), numbers)
    except (UnreadableError, ArchitectureError, ValueError) as error:
        raise DataError(
            f"expected networks of {space.name} in {path}, found: {error}; correct the path or the"
            " file"
        ) from None
    by_column = np.array(list(found.values())).reshape(-1, len(columns)).T
    return tuple(found), dict(zip(columns, by_column, strict=True))


def _transformer(row: Mapping[str, str]) -> str:
    """A row as official text. ValueError: values that are no numbers, or too few of them."""
    ratios = [f"{float(ratio):g}" for ratio in row["mlp_ratio"].split()]
    blocks = zip(row["num_heads"].split(), ratios, strict=True)
    return f"{row['embed_dim']}:" + "/".join(f"{heads}x{ratio}" for heads, ratio in blocks)


def mobile_text(row: Mapping[str, str]) -> str:
    """A row as official text. ValueError: columns of different numbers of blocks."""
    columns = (row[name].split() for name in CHOICES)
    suffixes = {"0": "", "1": "s"}
    return "/".join(
        f"e{e}k{k}n{n}{suffixes.get(excite, excite)}"
        for e, k, n, excite in zip(*columns, strict=True)
    )


@dataclass(frozen=True)
class Table:
    """The published trainings of a space, and what predictors are compared with on them.

    ``read``: from a folder of benchmark tables. ``counts``: features whose value alone orders
    networks. ``labels``: how many accuracies few-shot learns from, in turn.
    """

    read: Callable[[Path], Trained]
    counts: tuple[str, ...]
    labels: tuple[int, ...]


#: By the name of the space.
TABLES: dict[str, Table] = {
    "mnasnet": Table(read_mnasnet, ("depth",), (50, 200)),
    "autoformer": Table(read_autoformer, ("embed", "depth"), (50,)),
}


class Recorded(AccuracyPredictor):
    """What a predictor says of the networks of a table, asked once."""

    def __init__(self, base: AccuracyPredictor, trained: Trained) -> None:
        self.name, self.unit, self.source = base.name, base.unit, base.source
        found = base.predict(trained.architectures)
        self._known = dict(zip(trained.architectures, found, strict=True))

    def predict(self, architectures: Sequence[Architecture]) -> Iterator[Prediction]:
        return (self._known[each] for each in architectures)


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


def agreements(trained: Trained) -> Iterator[Order]:
    """How each column orders the networks of each other one: what one score for all can reach.

    The share of pairs that two orders put differently, (1 - tau) / 2 without ties, is a distance:
    no score has more than (1 + tau) / 2 with both of two columns that agree by tau.
    """
    for score, own in trained.accuracies.items():
        for column, accuracies in trained.accuracies.items():
            known = ~np.isnan(own) & ~np.isnan(accuracies)
            if column != score:
                yield Order(score, column, int(known.sum()), kendall(own[known], accuracies[known]))


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
