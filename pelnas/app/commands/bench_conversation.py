"""``pelnas bench conversation`` and ``pelnas bench responses``: what is understood, and how soon."""

from collections import Counter
from contextlib import closing
from dataclasses import asdict
from statistics import median
from typing import TYPE_CHECKING, Annotated

import typer

from pelnas.app import options
from pelnas.inputs import bounds

if TYPE_CHECKING:
    from pelnas.bench.responses import Responses


def bench_conversation(
    model: Annotated[
        str, typer.Option("--model", help="Who reads free words, such as local:PATH.")
    ],
    as_json: options.Json = False,
) -> None:
    """How many of a list of phrasings are understood by choosing among intents."""
    from pelnas.agents.models.connect import connect
    from pelnas.app.display.output import print_json, print_table
    from pelnas.bench.conversation import VERDICTS, hear
    from pelnas.graph.chat.chat_models import steady

    with closing(connect(model, temperature=steady(model))) as reader:
        heard = list(hear(reader))
    counts = Counter(one.verdict for one in heard)
    seconds = sorted(one.seconds for one in heard)
    if as_json:
        print_json({"phrasings": [asdict(one) | {"verdict": one.verdict} for one in heard]})
        return
    print_table(
        f"{len(heard)} phrasings, read in {seconds[len(heard) // 2]:.2f} s (median),"
        f" {seconds[-1]:.2f} s (longest)",
        ("read", "phrasings", "share"),
        ((v, str(counts[v]), f"{counts[v] / len(heard):.0%}") for v in VERDICTS),
        right=("phrasings", "share"),
    )


def bench_responses(
    repeats: Annotated[
        int, options.number(bounds.REPEATS, "--repeats", "How often every question is asked.")
    ] = 3,
    space: options.Space = None,
    device: options.Device = None,
    dataset: options.Dataset = None,
    images: options.Images = None,
    data: options.Data = None,
    accuracy: options.Accuracy = None,
    rounds: Annotated[
        int, options.number(bounds.ROUNDS, "--rounds", "Rounds of the search.")
    ] = 1000,
    per_niche: options.PerNiche = None,
    output: options.Output = None,
    config: options.Config = None,
    as_json: options.Json = False,
) -> None:
    """How soon a conversation answers beside a search that works, and beside its pause."""
    given = {
        name: value
        for name, value in locals().items()
        if name not in ("repeats", "config", "as_json")
    }
    import numpy as np

    from pelnas import load_config
    from pelnas.app.display.output import print_json
    from pelnas.bench.responses import measure

    settings = options.settings(given | {"name": "bench"})
    rng = np.random.default_rng()  # no seed: an earlier bench has scored what that would draw
    found = measure(load_config(config, settings), repeats, rng)
    if as_json:
        print_json(asdict(found))
    else:
        _print_responses(found)


def _print_responses(found: "Responses") -> None:
    from pelnas.app.display.output import print_table
    from pelnas.bench.responses import COMPUTED

    def row(name: str, working: list[float], resting: list[float]) -> tuple[str, ...]:
        seconds = (median(working), max(working), median(resting), max(resting))
        return (name, *(f"{s:.3f}" for s in seconds), f"{seconds[0] / seconds[2]:.1f}")

    stored = [command for command in found.working if command not in COMPUTED]
    every = [[s for c in stored for s in times[c]] for times in (found.working, found.resting)]
    print_table(
        f"seconds until an answer; paused {found.pause:.2f} s after the yes",
        ("question", "working", "longest", "paused", "longest", "ratio"),
        (
            *(row(c, found.working[c], found.resting[c]) for c in found.working),
            row("all from the store", *every),
        ),
        right=("working", "longest", "paused", "ratio"),
    )
