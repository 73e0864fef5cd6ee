"""``pelnas export``: networks of a run as files that need no pelnas."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pelnas.app import options

FEWEST = 3  # networks whose order says something

if TYPE_CHECKING:
    from pelnas.deployment import Exported
    from pelnas.store import RunStore


def export(
    run: options.Run,
    architectures: Annotated[
        list[str] | None,
        typer.Argument(metavar="ARCH", help="Texts, indices, ids of candidates, or best."),
    ] = None,
    *,
    to: Annotated[Path, typer.Option("--to", help="A new or empty folder.")],
    front: Annotated[bool, typer.Option("--front", help="All networks of the front.")] = False,
    images: Annotated[
        Path | None, typer.Option(help="Where the run's images are now, or digits.")
    ] = None,
    output: options.Output = None,
    as_json: options.Json = False,
) -> None:
    """Export networks of a run to PyTorch and ONNX files, checked and measured on this machine.

    Of one network the files are in the folder itself, of several in a folder for each.
    """
    from pelnas.app.commands import training_plan
    from pelnas.app.display.output import note
    from pelnas.deployment import export_networks
    from pelnas.store import RunStore, find_run

    with RunStore.read(find_run(options.runs_folder(output), run)) as store:
        chosen = training_plan.choose(store, architectures or [], front)
        note(f"exporting {len(chosen)} to {to}: each is built, compared and measured")
        _print(store, export_networks(store, chosen, to, images), as_json)


def _print(store: "RunStore", done: "list[Exported]", as_json: bool) -> None:
    from pelnas.app.display.output import milliseconds, print_json, print_table

    agreement, device = _agreement(done), store.config.device
    if as_json:
        plain = [_plain(one) for one in done]
        about = {"run": store.name, "device": device, "networks": plain}
        print_json(about | {"rank_agreement": agreement})
        return
    numbers = ("predicted ms", "here ms", "± ms", "difference")
    title = f"{len(done)} exported; predicted for {device}, measured here by ONNX Runtime"
    if agreement is not None:
        title += f"; Spearman {agreement:.3f}"
    print_table(
        title,
        ("id", *numbers, "weights", "folder"),
        (
            (
                one.id,
                "" if one.predicted_ms is None else milliseconds(one.predicted_ms),
                milliseconds(one.latency_ms),
                milliseconds(one.spread_ms),
                f"{one.difference:.1g}",
                "trained" if one.trained else "random",
                str(one.folder),
            )
            for one in done
        ),
        right=numbers,
    )


def _agreement(done: "list[Exported]") -> float | None:
    """Spearman's correlation of predicted and measured latencies; ``None`` for fewer than three."""
    from scipy.stats import spearmanr

    known = [one for one in done if one.predicted_ms is not None]
    if len(known) < FEWEST:
        return None
    predicted = [one.predicted_ms or 0.0 for one in known]
    return float(spearmanr(predicted, [one.latency_ms for one in known]).statistic)


def _plain(one: "Exported") -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(one) | {"folder": str(one.folder)}
