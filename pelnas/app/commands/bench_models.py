"""``pelnas bench models``: language models as designers, each beside the built-in designer."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pelnas.app import options
from pelnas.app.commands.bench_options import Data, Evaluations, Markdown, Seeds, To, check_form
from pelnas.app.commands.bench_search import carried_out, check_success

if TYPE_CHECKING:
    from pelnas.bench.models import ModelRow


@options.takes("space", "per_niche", "base_url", "tool_calls", "question_form")
def bench_models(
    *,
    data: Data,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", help="provider:model; repeatable. Without: what is in --to."),
    ] = None,
    dataset: Annotated[
        str, typer.Option("--dataset", help="A data set of the tables, or KIND-SEED (known-truth).")
    ] = "cifar10",
    device: Annotated[str, typer.Option("--device", help="A device of them.")] = "edgegpu",
    seeds: Seeds = 3,
    evaluations: Evaluations = 120,
    to: To = Path("models"),
    given: dict[str, Any],
    config: options.Config = None,
    markdown: Markdown = False,
    as_json: options.Json = False,
) -> None:
    """Models as designers at shares 0.3 and 1, beside the built-in and the random designer.

    Searches of one seed begin with the same random networks, which count. Results are kept as
    they come; the same command goes on after an interrupt, and another --model adds to them.
    """
    check_form(markdown, as_json)
    from pelnas import load_config
    from pelnas.bench.models import cell_of, plans, rows
    from pelnas.bench.search.results import Results

    own = {"name": "models", "data": data.absolute(), "output": to.absolute() / "runs"}
    settings = load_config(config, given | own)
    cell = cell_of(settings.space, dataset, device)
    results = Results(to)
    wanted = plans(settings, cell, model, seeds, evaluations) if model else []
    with results.alone():
        for plan in wanted:
            carried_out(plan, results, 1)  # a model on this machine needs its cores itself
    _show(rows(results.read()), markdown, as_json)
    for plan in wanted:  # one of each model: that others worked does not help it
        check_success(plan, results)


def _show(found: "list[ModelRow]", markdown: bool, as_json: bool) -> None:
    from dataclasses import asdict

    from pelnas.app.display.output import print_json, print_table, say
    from pelnas.bench.models import HEADINGS, cells_of, to_markdown

    if as_json:
        print_json([{**asdict(row), "cell": row.cell._asdict()} for row in found])
    elif markdown:
        say(to_markdown(found))
    else:
        title = "means over seeds; front box, gained: hypervolume, 1 is the true front"
        print_table(title, HEADINGS, map(cells_of, found), right=HEADINGS[1:-1])
