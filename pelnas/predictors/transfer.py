"""Accuracy ranks learned on NAS-Bench-201 and transferred to the user's images."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from pelnas.architecture import Architecture, Prediction
from pelnas.cache import Cache
from pelnas.config import Scoring
from pelnas.errors import ConfigError, DataError, UnreadableError
from pelnas.images import ImageSet
from pelnas.inputs.formats import read_arrays
from pelnas.predictors.base import AccuracyPredictor
from pelnas.predictors.fit_id import fit_id
from pelnas.predictors.reference import Reference, Standings
from pelnas.predictors.trees import Floats, Trees
from pelnas.spaces import SearchSpace

SPACE = "nasbench201"  # whose trained accuracies it was fitted to
PROXIES = ("nwot", "synflow", "jacov", "flops")  # those of rank-sum, so that the cache serves both
MODEL = Path(__file__).parent / "transfer.npz"


def columns_of(space: SearchSpace, cells: Iterable[Architecture]) -> tuple[str, ...]:
    """Names of what trees are asked about: standings of proxies, features, and routes of the cells."""
    routes = {_route(each) for cell in cells for each in space.routes(cell.genes)}
    return (*PROXIES, *sorted(space.feature_names), *sorted(routes))


def row_of(
    space: SearchSpace,
    names: Sequence[str],
    architecture: Architecture,
    standings: Sequence[float] = (),
) -> Floats:
    """One architecture in the columns of ``columns_of``; without standings, in those after them.

    Routes are counted: accuracy follows what stands between input and output, which features
    of single positions do not tell.
    """
    routes = Counter(map(_route, space.routes(architecture.genes)))
    values = {**space.features(architecture), **routes}
    return np.array([*standings, *(values.get(name, 0.0) for name in names[len(PROXIES) :])])


def exponential_scores(ranks: Floats) -> Floats:
    """``-log(1 - rank)`` of ranks between 0 and 1, what trees are fitted to.

    The scores of Savage (1956): the best half lies as far from the best quarter as
    that from the best eighth, so that the fit tells good networks apart. A front holds few others.
    """
    scores: Floats = -np.log1p(-ranks)
    return scores


def ranks_of(scores: Floats, deviation: Floats) -> tuple[Floats, Floats]:
    """The inverse of ``exponential_scores``, at least 0, and the deviation by its slope."""
    above = np.exp(-np.maximum(scores, 0.0))
    return 1.0 - above, above * deviation


def _route(operations: Sequence[str]) -> str:
    return "route " + (" > ".join(operations) or "of identities")


@dataclass(frozen=True, eq=False)
class Fitted:
    """What a fit leaves: trees over ``columns_of``, and the cells that set the scale of proxies."""

    trees: Trees
    reference: Reference

    @property
    def id(self) -> str:
        """What tells it from other fits."""
        return fit_id({**vars(self.trees), **vars(self.reference)})

    def save(self, path: Path) -> None:
        """Write an ``.npz`` of plain arrays."""
        arrays = {
            "cells": np.array(self.reference.cells, dtype=np.int32),
            "standings": self.reference.standings.astype(np.float32),
        }
        np.savez_compressed(path, allow_pickle=False, **vars(self.trees), **arrays)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what ``save`` wrote. DataError: another kind of file, or none."""
        try:
            arrays = read_arrays(path)
            cells = tuple(arrays.pop("cells").tolist())
            standings = arrays.pop("standings").astype(np.float64)
            names = tuple(arrays.pop("names").tolist())
            trees = Trees(names=names, scale=float(arrays.pop("scale")), **arrays)
        except (UnreadableError, ValueError, TypeError, KeyError) as error:
            raise DataError(
                f"expected the fitted trees of predictor 'transfer' at {path}, found: {error};"
                " install the package anew, or fit them with scripts/fit_transfer.py"
            ) from None
        return cls(trees, Reference(names[: standings.shape[1]], cells, standings))


class Transfer(AccuracyPredictor):
    """The rank of test accuracy that trees, fitted on CIFAR-10 and CIFAR-100, expect.

    What is carried over is how standings of proxies and the structure of a cell
    go with the rank of its accuracy among all cells. Proxies are computed on
    the user's own images and placed among those of a reference sample of the
    space on the same images (``Standings``). ``score``: the expected rank, near 0 for the
    worst and near 1 for the best of the space. ``uncertainty``: deviation of the
    members, scaled to the error on cells that the fit had not seen. A score
    depends on the space, the images, the settings and the seed only.
    ConfigError: a space other than the one of the fit.
    """

    name = "transfer"
    unit = "predicted accuracy rank"

    def __init__(
        self,
        space: SearchSpace,
        images: ImageSet,
        scoring: Scoring,
        seed: int,
        cache: Cache,
        fitted: Fitted | None = None,
    ) -> None:
        """``fitted``: another fit than the bundled one."""
        refuse_other(space)
        self._space = space
        self._fitted = fitted or Fitted.load(MODEL)
        self.source = (
            f"predicted from {', '.join(PROXIES)} by trees fitted to accuracies of NAS-Bench-201"
            f" (fit {self._fitted.id})"
        )
        self._standings = Standings(space, images, self._fitted.reference, scoring, seed, cache)

    def predict(self, architectures: Sequence[Architecture]) -> Iterator[Prediction]:
        with closing(self._standings.of(architectures)) as found:
            for architecture, (values, standings) in zip(architectures, found, strict=True):
                trees = self._trees(architecture)
                row = row_of(self._space, trees.names, architecture, standings)
                score, deviation = ranks_of(*trees.predict(row[None]))
                yield Prediction(float(score[0]), float(deviation[0]), values)

    def begin(self, architectures: Sequence[Architecture]) -> None:
        self._standings.begin(architectures)

    def _trees(self, architecture: Architecture) -> Trees:
        """The trees that judge an architecture; whoever judges the fit has others for each."""
        return self._fitted.trees

    def close(self) -> None:
        self._standings.close()


def refuse_other(space: SearchSpace) -> None:
    """ConfigError: a space that the bundled trees do not know."""
    if space.name != SPACE:
        raise ConfigError(
            f"accuracy 'transfer' was fitted on spaces {SPACE!r} and 'mnasnet', found space {space.name!r}:"
            " use rank-sum, or few-shot with some trained accuracies (--labels)"
        )
