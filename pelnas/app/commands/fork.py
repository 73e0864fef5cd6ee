"""``pelnas fork``: go on from a stored round of a run, under other settings."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pelnas.app import options
from pelnas.app.commands.follow import follow
from pelnas.app.consent_prompt import AcceptAddress, with_consent
from pelnas.config import flat
from pelnas.errors import ConfigError
from pelnas.inputs import bounds

if TYPE_CHECKING:
    from pelnas import Search
    from pelnas.store import Origin


@options.takes(
    *("device", "dataset", "images", "data", "accuracy", "model", "rounds", *options.BUDGETS),
    "name",
    otherwise="as in RUN",
    texts={
        "model": "provider:model of roles that have none of their own. Default: as in RUN.",
        "rounds": "Rounds in all, with those taken over. Default: as in RUN.",
        "name": "Name of the new run. Default: that of RUN, and -fork.",
    },
)
def fork(
    *,
    run: options.Run = "last",
    round_: Annotated[
        int | None,
        options.number(
            bounds.ROUND,
            "--round",
            "Last round to take over, counted from 0 as in `trace`. Default: the last complete one.",
        ),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Any setting, named as in TOML (scoring.batch=64); none: without; repeatable."
            " What is not named is as in RUN.",
        ),
    ] = None,
    given: dict[str, Any],
    accept_address: AcceptAddress = False,
    output: options.Output = None,
    start: Annotated[
        bool, typer.Option("--start/--no-start", help="Search at once, or only create the run.")
    ] = True,
    as_json: options.Json = False,
) -> None:
    """Go on from a stored round of a run in a new one, under other settings, sharing evaluations."""
    from pelnas.app.display.output import note
    from pelnas.graph.runs.fork import fork as forked
    from pelnas.store import find_run

    settings = _changed(changes or ()) | flat(given)
    folder = find_run(options.runs_folder(output), run)
    search = with_consent(
        accept_address,
        lambda accept: forked(folder, round_, settings, accept_address=accept),
    )
    origin = search.session.store.origin()
    assert origin is not None  # noqa: S101 - it has just been made
    note(f"forked from {origin.in_words()}")
    if start:
        follow(search, as_json)
    else:
        _leave(search, origin, as_json)


def _changed(changes: Sequence[str]) -> dict[str, Any]:
    """What ``--set`` says, by dotted name."""
    settings: dict[str, Any] = {}
    for change in changes:
        key, equals, value = change.partition("=")
        if not equals or not key.strip():
            raise ConfigError(
                f"expected KEY=VALUE after --set, such as rounds=20, found {change[:80]!r}: name a setting"
            )
        settings[key.strip()] = value
    return settings


def _leave(search: "Search", origin: "Origin", as_json: bool) -> None:
    """Close the new run, which anybody can resume, and say where it is."""
    from pelnas.app.display.output import print_json, say

    folder = search.folder
    search.session.close()
    if as_json:
        print_json({"path": str(folder), "run": folder.name, "origin": origin.to_dict()})
    else:
        say(f"search on with: pelnas resume {folder}")
