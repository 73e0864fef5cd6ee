"""``pelnas replay``: a recorded run once more, offline, and whether it finds the same."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pelnas.app import options
from pelnas.inputs.paths import expanded

if TYPE_CHECKING:
    from pelnas.graph.runs.replay import Replay

DIFFERENT = 1  # exit code where the replay found something else


def replay(
    run: Annotated[
        str, typer.Argument(help="A run, or the file of an exported recording; last: the newest.")
    ] = "last",
    export: Annotated[
        Path | None, typer.Option("--export", help="Write the recording to this file instead.")
    ] = None,
    output: options.Output = None,
    as_json: options.Json = False,
) -> None:
    """Run a recorded search again from its recorded answers: no model, nothing measured."""
    from pelnas.graph.runs.replay import replay as again
    from pelnas.recording import export as write
    from pelnas.recording import open_recording

    folder = options.runs_folder(output)
    source = _source(run, folder)
    if export is not None:
        write(source, export)
        _told({"recording": str(export), "bytes": export.stat().st_size}, as_json)
        return
    with open_recording(source) as recording:
        found = again(recording, folder)
    _conclude(found, as_json)
    if not (found.same_front and found.same_rules):
        raise typer.Exit(DIFFERENT)


def _source(run: str, folder: Path) -> Path:
    from pelnas.store import find_run

    file = expanded(Path(run))
    return file if os.path.isfile(file) else find_run(folder, run)


def _conclude(found: "Replay", as_json: bool) -> None:
    from pelnas.app.display.output import say

    document = {
        "path": str(found.result.folder),
        "reason": found.result.reason,
        "same_front": found.same_front,
        "same_rules": found.same_rules,
    }
    if as_json:
        _told(document, as_json=True)
        return
    for what, same in (("front", found.same_front), ("rules", found.same_rules)):
        say(f"{what}: {'the same, to the last byte' if same else 'DIFFERENT'}")
    say(f"replayed in {found.result.folder}")


def _told(document: dict[str, object], as_json: bool) -> None:
    from pelnas.app.display.output import print_json, say

    if as_json:
        print_json(document)
        return
    for key, value in document.items():
        say(f"{key}: {value}")
