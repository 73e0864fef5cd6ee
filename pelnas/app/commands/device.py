"""``pelnas device``: a board elsewhere, from a folder of networks to a device of its answers."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from pelnas.app import options
from pelnas.architecture import Shape
from pelnas.config import Scoring
from pelnas.inputs.bounds import Range

device = typer.Typer(
    help="Measure a board elsewhere, and make a device of it.", no_args_is_help=True
)
COLOUR = 3  # channels
COUNT = Range(10, 5_000)
NAME = r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}"


@device.callback()
def _group() -> None:
    """Measure a board elsewhere, and make a device of it."""


@device.command("measure")
@options.takes("space", "resolution", "channels", "seed")
def measure(
    *,
    export: Annotated[
        Path, typer.Option("--export", help="Folder to write and copy to the board.")
    ],
    given: dict[str, Any],
    count: Annotated[int, options.number(COUNT, "--count", "Networks. Default: 60.")] = 60,
    classes: Annotated[
        int, options.number(Range(2, 100_000), "--classes", "Of the last layer. Default: 10.")
    ] = 10,
    file_format: Annotated[
        Literal["onnx", "tflite"],
        typer.Option("--format", help="tflite: for LiteRT, by litert-torch. Default: onnx."),
    ] = "onnx",
    as_json: options.Json = False,
) -> None:
    """Write networks that say most about a board, and a script that measures them there."""
    from pelnas import load_config
    from pelnas.app.display.output import followed, print_json, say
    from pelnas.boards.manifest import informative_networks, write_folder
    from pelnas.cache import default_cache
    from pelnas.spaces import get_space

    config = load_config(None, given)
    space, shape = get_space(config.space), _shape(config.scoring, classes)
    networks = informative_networks(space, shape, count, config.seed)
    writing = write_folder(export, space, shape, networks, default_cache(), f".{file_format}")
    if file_format == "tflite":  # seconds each
        writing = followed(writing, lambda network: network.file)
    written = list(writing)
    if as_json:
        document = {"space": space.name, "networks": list(map(asdict, written))}
        print_json({"folder": str(export), **document})
        return
    say(f"{len(written)} networks of {space.name} in {export}")
    runtime = "ai-edge-litert" if file_format == "tflite" else "onnxruntime"
    say(f"copy {export} to the board, run there: pip install {runtime} numpy; python measure.py")
    say(f"copy results.csv back, then: pelnas device fit {export / 'results.csv'} --name myboard")


def _shape(scoring: Scoring, classes: int) -> Shape:
    height, width = scoring.size
    return Shape(classes, height, width, scoring.channels or COLOUR)


@device.command("fit")
@options.takes("resolution", "channels")
def fit(
    results: Annotated[Path, typer.Argument(help="results.csv, beside its manifest.json.")],
    *,
    name: Annotated[str, typer.Option("--name", help="Of the device, for --device.")],
    given: dict[str, Any],
    to: Annotated[
        Path | None, typer.Option("--to", help="Folder. Default: the user's, which searches use.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Make a device of a board's answers, and say how well it predicts networks left out."""
    import re

    from pelnas import load_config
    from pelnas.app.display.output import print_json, say
    from pelnas.boards.fit import fit_board
    from pelnas.devices import known_devices
    from pelnas.errors import ConfigError
    from pelnas.tables import user_folder

    if not re.fullmatch(NAME, name) or name in known_devices():
        raise ConfigError(
            f"expected a new name of letters, digits, - and _ for --name, found {name[:60]!r}: use"
            " another"
        )
    config = load_config(None, given)
    found = fit_board(results, name, to or user_folder(), _shape(config.scoring, 10))
    if as_json:
        print_json(asdict(found))
        return
    say(f"{found.measured} networks of {found.space} measured on {'; '.join(found.machines)}")
    if found.refused:
        say(f"{found.refused} networks that the board cannot run")
    if found.missing:
        say(f"{found.missing} networks of the manifest are not measured")
    say(f"{found.device}: {found.held_out or 'every network was measured'}")
    say(f"kept as {found.kept}; now: pelnas search --space {found.space} --device {found.device}")
