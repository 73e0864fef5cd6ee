"""The methods of the bench in one table."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from pelnas.bench.search.methods import (
    bayesian,
    exhaustive,
    genetic,
    learned_partition,
    local_search,
    pelnas_search,
    random_search,
    regularised,
    trees,
)
from pelnas.bench.search.problem import Trial
from pelnas.errors import ConfigError, InputError
from pelnas.text import install

OURS = "pelnas"
RENAMED = f"{OURS} renamed"
INFORMED = f"{OURS} with knowledge"  # of `pelnas bench knowledge`, which makes the bases
EXHAUSTIVE = "exhaustive"  # a reference, which no budget holds
WITHOUT = f"{OURS} without "


@dataclass(frozen=True, slots=True)
class Method:
    """``search``: evaluates networks until the budget of its trial is spent.

    ``package``: what it needs beside the dependencies of this one; ``text``: what it is, for
    reports.
    """

    search: Callable[[Trial], None]
    text: str
    package: str = ""


BASELINES: Mapping[str, Method] = {
    "random": Method(random_search.search, "uniform sampling without replacement"),
    "local-search": Method(
        local_search.search,
        "Pareto local search: all neighbours of a random front member (Paquete et al. 2004)",
    ),
    "regularised-evolution": Method(
        regularised.search,
        "regularised evolution (Real et al. 2019), tournaments by random weights (Knowles 2006)",
    ),
    "nsga2": Method(
        genetic.nsga2,
        "NSGA-II (Deb et al. 2002): population 40, uniform crossover, mutation 1/positions; pymoo",
        "pymoo",
    ),
    "nsga3": Method(
        genetic.nsga3,
        "NSGA-III (Deb & Jain 2014): 40 directions, operators as NSGA-II; pymoo",
        "pymoo",
    ),
    "tpe": Method(
        bayesian.tpe, "multi-objective TPE (Ozaki et al. 2022), multivariate; Optuna", "optuna"
    ),
    "gp": Method(
        bayesian.gaussian_process,
        "Gaussian process, expected hypervolume improvement, on the best 50 and the latest"
        " others of 100; Optuna",
        "optuna",
    ),
    "trees": Method(
        trees.search, "Thompson sampling on extremely randomised trees (Geurts et al. 2006)"
    ),
    "learned-partition": Method(
        learned_partition.search,
        "learned partition in the manner of LaMOO (Zhao et al. 2022), sampled by evolution",
    ),
}
TEXTS: Mapping[str, str] = {
    "partition": "one niche for the whole space, as many designs a round",
    "knowledge": "designers are shown no rules",
    "verification": "every proposed rule is in force with the effect that is claimed",
    "allocation": "equal shares for all niches",
    "surrogate": "designs by evolution under the rules alone",
    "reflection": "no rules are proposed; with the built-in designer the same as no knowledge",
}


def at_share(share: float) -> str:
    """The method in which a model has this share of the designs; of a comparison of models."""
    return f"{OURS} at share {share:g}"


METHODS: Mapping[str, Method] = {
    **BASELINES,
    EXHAUSTIVE: Method(exhaustive.search, "every network of the space, as a reference"),
    OURS: Method(pelnas_search.WHOLE, "the search of this package"),
    RENAMED: Method(
        pelnas_search.RENAMED,
        "the search of this package, its models told other names of operations and positions",
    ),
    INFORMED: Method(
        pelnas_search.INFORMED, "the search of this package, with rules learned at other places"
    ),
    **{
        at_share(share): Method(variant, f"the search of this package, a model's share {share:g}")
        for share, variant in pelnas_search.AT_SHARE.items()
    },
    **{
        WITHOUT + part: Method(variant, f"the search of this package, {TEXTS[part]}")
        for part, variant in pelnas_search.PARTS.items()
    },
}
SLOW = ("gp",)
OFFERED = tuple(name for name in METHODS if name != INFORMED)  # which needs bases
#: Names that stand for several methods.
GROUPS: Mapping[str, Sequence[str]] = {
    "baselines": tuple(BASELINES),
    "ablations": (OURS, *(WITHOUT + part for part in pelnas_search.PARTS)),
    "all": tuple(
        name
        for name in OFFERED
        if name not in (EXHAUSTIVE, RENAMED) and not name.startswith(at_share(0)[:-1])
    ),
}
DEFAULT = (*(name for name in BASELINES if name not in SLOW), OURS)


def named(names: Sequence[str]) -> list[str]:
    """Methods by their names or the names of groups, each once. ConfigError: there is no such."""
    found: dict[str, None] = {}
    for name in names:
        if name not in OFFERED and name not in GROUPS:
            raise ConfigError(
                f"expected a method of the bench, found {name[:60]!r}: use"
                f" {', '.join((*OFFERED, *GROUPS))}"
            )
        found.update(dict.fromkeys(GROUPS.get(name, (name,))))
    return list(found)


def check(name: str) -> None:
    """InputError: a package is not installed that a method needs."""
    package = METHODS[name].package
    if package and find_spec(package) is None:
        raise InputError(
            f"expected the package {package} for method {name}, found none: {install('bench')}"
        )
