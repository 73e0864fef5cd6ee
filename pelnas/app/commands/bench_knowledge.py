"""``pelnas bench knowledge``: what rules of all other devices and data sets bring a search."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pelnas.app import options
from pelnas.app.commands.bench_options import (
    BUDGET,
    Again,
    Data,
    DataSets,
    Devices,
    Evaluations,
    Jobs,
    Seeds,
    To,
)
from pelnas.app.commands.bench_search import carried_out, cells_of, check_success

if TYPE_CHECKING:
    from pelnas.bench.knowledge import Row

WORSE = 0.005  # hypervolume that a cell may lose


def bench_knowledge(
    data: Data,
    dataset: DataSets = None,
    device: Devices = None,
    seeds: Seeds = 10,
    evaluations: Evaluations = 120,
    learned: Annotated[
        int, options.number(BUDGET, "--learned", "Networks evaluated where the rules come from.")
    ] = 600,
    to: To = Path("bench-knowledge"),
    jobs: Jobs = None,
    again: Again = False,
    as_json: options.Json = False,
) -> None:
    """Searches with the rules of all other places, beside equal ones without, judged by the truth.

    Each pair of a data set and a device is a place. The rules of a place come from one search of it.
    """
    from dataclasses import asdict

    from pelnas import load_config
    from pelnas.app.display.output import print_json
    from pelnas.bench.knowledge import learn, rows
    from pelnas.bench.search.methods import INFORMED, OURS
    from pelnas.bench.search.results import Results
    from pelnas.bench.search.run import Plan

    sources = to / "sources"
    own = {"name": "bench", "data": data.absolute(), "output": sources.absolute() / "runs"}
    settings = load_config(None, own)
    cells = cells_of(settings, dataset, device, ["table"])
    first = settings.per_niche * settings.niches

    def plan(methods: list[str], count: int, budget: int, **changed: object) -> Plan:
        config = settings.model_copy(update=changed)
        return Plan(config, cells, methods, [""], range(count), budget, first, again)

    source = Results(sources)
    sourced = plan([OURS], 1, learned)
    with source.alone():
        carried_out(sourced, source, jobs or 0)
    check_success(sourced, source)
    there = [r for r in source.read() if r.cell in cells and r.key.budget == learned]
    known = [r for r in there if not r.error]
    bases = learn(known, settings, sources / "runs")
    results = Results(to)
    changed = {"output": to.absolute() / "runs", "knowledge": str(bases.absolute())}
    compared = plan([OURS, INFORMED], seeds, evaluations, **changed)
    with results.alone():
        carried_out(compared, results, jobs or 0)
    done = [r for r in results.read() if r.cell in cells and r.key.budget == evaluations]
    found = rows(done, [first, evaluations])
    spent = sum(result.evaluations for result in known) - learned
    if as_json:
        print_json({"learned_from": spent, "rows": [asdict(row) for row in found]})
    else:
        _print(found, len(cells) - 1, spent)
    check_success(compared, results)


def _print(found: "list[Row]", others: int, spent: int) -> None:
    from pelnas.app.display.output import print_table, say

    numbers = ("seeds", "without", "with", "ahead by", "95 %")
    for mark in dict.fromkeys(row.evaluations for row in found):
        rows = [row for row in found if row.evaluations == mark]
        print_table(
            f"hypervolume in the front box after {mark} evaluations, 1 is the true front",
            ("data set", "device", *numbers),
            (
                (
                    row.cell.dataset,
                    row.cell.device,
                    str(row.seeds),
                    f"{row.plain:.4f}",
                    f"{row.informed:.4f}",
                    f"{row.ahead.value:+.4f}",
                    f"{row.ahead.low:+.4f} to {row.ahead.high:+.4f}",
                )
                for row in rows
            ),
            right=numbers,
        )
        better = sum(row.ahead.value > 0 for row in rows)
        worse = sum(row.ahead.value < -WORSE for row in rows)
        say(f"better in {better} of {len(rows)}, worse by more than {WORSE:g} in {worse}")
    say(
        f"the rules of the {others} other places come from {spent} evaluations, which are not counted"
    )
