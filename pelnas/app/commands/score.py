"""``pelnas score`` and ``latency``: given architectures, without a search."""

from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pelnas.app import options

if TYPE_CHECKING:
    from pelnas.devices import Device
    from pelnas.spaces import SearchSpace
    from pelnas.tools.evaluation import Evaluator

Architectures = Annotated[
    list[str], typer.Argument(metavar="ARCH...", help="Official texts or indices.")
]


@options.takes(
    *("space", "dataset", "images", "data", "accuracy", "labels", "prior", "seed", "config"),
    *("reference", "batch", "resolution", "channels"),
)
def score(
    *,
    architectures: Architectures,
    given: dict[str, Any],
    config: options.Config = None,
    as_json: options.Json = False,
) -> None:
    """Predict how good architectures are, untrained: proxies and their score."""
    from pelnas import load_config
    from pelnas.app.display.output import millions, print_json, print_table
    from pelnas.graph.session.problem import SearchProblem

    with closing(SearchProblem.build(load_config(config, given)).evaluator) as evaluator:
        records = _scores(evaluator, architectures)
        about = {"space": evaluator.space.name, "unit": evaluator.predictor.unit}
        about["source"] = evaluator.predictor.source
    if as_json:
        print_json(about | {"scores": records})
        return
    proxies = sorted({name for record in records for name in record["proxies"]})
    print_table(
        f"{about['unit']}, {about['source']}",
        ("index", "score", "±", "params M", "FLOPs M", *proxies),
        (
            (
                str(record["index"]),
                f"{record['score']:.4g}",
                f"{record['uncertainty']:.2g}",
                millions(record["parameters"]),
                millions(record["flops"]),
                *(f"{record['proxies'][name]:.5g}" for name in proxies),
            )
            for record in records
        ),
        right=("index", "score", "±", "params M", "FLOPs M", *proxies),
    )


@options.takes("space", "device", "runtime", "dataset", "data", "resolution", "channels")
def latency(
    *,
    architectures: Architectures,
    given: dict[str, Any],
    config: options.Config = None,
    as_json: options.Json = False,
) -> None:
    """Measure architectures on this machine, or look them up for a device of a table."""
    from pelnas import load_config
    from pelnas.app.display.output import EXTRAPOLATED, milliseconds, print_json, print_table
    from pelnas.cache import default_cache
    from pelnas.devices import get_device
    from pelnas.graph.session.problem import shape_of
    from pelnas.spaces import get_space

    settings = load_config(config, given)
    known = get_space(settings.space)
    target = get_device(settings, known, shape_of(settings), default_cache())
    records = _costs(known, target, architectures)
    about = {"space": known.name, "device": target.name, "source": target.source}
    if as_json:
        print_json(about | {"latencies": records})
        return
    print_table(
        f"{about['device']}: {about['source']}",
        ("index", "latency ms", "spread ms", "energy mJ"),
        (
            (
                str(record["index"]),
                milliseconds(record["latency_ms"], extrapolated=record["extrapolated"]),
                milliseconds(record["spread_ms"]),
                "" if record["energy_mj"] is None else f"{record['energy_mj']:.3f}",
            )
            for record in records
        ),
        right=("index", "latency ms", "spread ms", "energy mJ"),
        below=EXTRAPOLATED if any(record["extrapolated"] for record in records) else "",
    )


def _scores(evaluator: "Evaluator", texts: list[str]) -> list[dict[str, Any]]:
    space, records = evaluator.space, []
    for text, prediction in zip(texts, evaluator.predict(texts), strict=True):
        architecture = space.read(text)
        parameters, flops = evaluator.sizes(text)
        records.append(
            {
                "architecture": space.format(architecture),
                "index": space.index(architecture),
                "score": prediction.score,
                "uncertainty": prediction.uncertainty,
                "parameters": parameters,
                "flops": flops,
                "proxies": dict(prediction.proxies),
            }
        )
    return records


def _costs(space: "SearchSpace", device: "Device", texts: list[str]) -> list[dict[str, Any]]:
    architectures = [space.read(text) for text in texts]
    return [
        {
            "architecture": space.format(architecture),
            "index": space.index(architecture),
            "latency_ms": cost.latency_ms,
            "spread_ms": cost.spread_ms,
            "extrapolated": cost.extrapolated,
            "energy_mj": cost.energy_mj,
        }
        for architecture, cost in zip(architectures, device.costs(architectures), strict=True)
    ]
