"""Language models as designers, measured: what they propose, what it takes, and what it brings.

Each model designs beside the built-in designer at several shares; planner and reflection are built
in, so that nothing else differs. All searches of one seed begin with the same random networks, which
count. Results are those of ``pelnas.bench.search``, kept one JSON line a search.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, stdev

from pelnas.bench.search.methods import at_share
from pelnas.bench.search.methods.pelnas_search import SHARES
from pelnas.bench.search.problem import Cell
from pelnas.bench.search.results import Result
from pelnas.bench.search.run import Plan
from pelnas.config import BUILTIN, SearchConfig
from pelnas.predictors.known_truth import is_made

RANDOM = "builtin:random"
REFERENCES = ("", RANDOM)  # "": the built-in designer
OF_MODELS = ("base_url", "tool_calls", "question_form")  # settings without meaning for these


@dataclass(frozen=True, slots=True)
class ModelRow:
    """Means over the seeds of one model at one share on one cell; ``None`` where it has no meaning.

    ``valid``, ``duplicate``, ``out_of_niche``: shares of what it proposed; the rest was malformed
    or kept out by a directive. ``calls``, ``tool_calls``, ``tokens_in``, ``tokens_out``, ``seconds``: of a
    search, ``seconds`` by the clock. ``designs``: networks of its own that were evaluated.
    ``gained``: hypervolume in the front box that its designs added, per call and per design (of
    built-in designers per design alone). ``front_hv``: at the end, with its standard deviation over
    seeds (``None`` for one seed). ``form``: of question.
    """

    model: str
    share: float
    cell: Cell
    seeds: int
    evaluations: float
    form: str
    valid: float | None
    duplicate: float | None
    out_of_niche: float | None
    calls: float
    tool_calls: float
    tokens_in: float
    tokens_out: float
    seconds: float
    designs: float
    gained_per_call: float | None
    gained_per_design: float | None
    front_hv: float
    deviation: float | None


def cell_of(space: str, dataset: str, device: str) -> Cell:
    """Judged by test accuracy, or by a made accuracy where the data set is the name of one."""
    return Cell(space, dataset, device, "known-truth" if is_made(dataset) else "table")


def plans(
    config: SearchConfig, cell: Cell, models: Sequence[str], seeds: int, budget: int
) -> list[Plan]:
    """The searches of a comparison: the references, then the models one after the other."""
    defaults = SearchConfig().model_dump(include=set(OF_MODELS))
    whole = Plan(
        config=config.model_copy(update=defaults),
        cells=[cell],
        methods=[at_share(1.0)],
        models=REFERENCES,
        seeds=range(seeds),
        budget=budget,
        first=config.per_niche * config.niches,
    )
    shares = [at_share(share) for share in SHARES]
    own = replace(whole, config=config, methods=shares)
    return [whole, *(replace(own, models=[model]) for model in models)]


def rows(results: Iterable[Result]) -> list[ModelRow]:
    """One row for each cell, budget, model and share of the results, in their order."""
    names = {at_share(share): share for share in SHARES}
    groups: dict[tuple[Cell, int, str, str], list[Result]] = {}
    for one in results:
        if one.key.method in names and not one.error:
            place = (one.cell, one.key.budget, one.key.model, one.key.method)
            groups.setdefault(place, []).append(one)
    return [_row(found, names[place[3]]) for place, found in groups.items()]


def _row(found: Sequence[Result], share: float) -> ModelRow:
    def total(name: str) -> float:
        return sum(one.counts.get(name, 0.0) for one in found)

    def rate(name: str) -> float | None:
        return total(name) / total("proposals") if total("proposals") and not built_in else None

    model = found[0].key.model or f"{BUILTIN}evolver"
    built_in = model.startswith(BUILTIN)
    own = sum(one.gained.get(model, 0.0) for one in found)
    designs = total("accepted") - (_first(found) if built_in else 0)
    ends = [one.final("front_hv") for one in found]
    count = len(found)
    return ModelRow(
        model=_short(model),
        share=share,
        cell=found[0].cell,
        seeds=count,
        evaluations=fmean(one.evaluations for one in found),
        form="" if built_in else "edits" if total("edits") else "letters",
        valid=rate("accepted"),
        duplicate=rate("duplicate"),
        out_of_niche=rate("out_of_niche"),
        calls=total("calls") / count,
        tool_calls=total("tool_calls") / count,
        tokens_in=total("tokens_in") / count,
        tokens_out=total("tokens_out") / count,
        seconds=fmean(one.seconds for one in found),
        designs=designs / count,
        gained_per_call=own / total("calls") if total("calls") else None,
        gained_per_design=own / designs if designs > 0 else None,
        front_hv=fmean(ends),
        deviation=stdev(ends) if count > 1 else None,
    )


def _first(found: Sequence[Result]) -> float:
    """Networks of the first population among those of the random designer, which makes it."""
    if found[0].key.model != RANDOM:
        return 0.0
    return sum(one.counts.get("first", 0.0) for one in found)


def _short(model: str) -> str:
    """A model's name without the folders of its file, which mean nothing elsewhere."""
    provider, _, name = model.partition(":")
    return f"{provider}:{name.rpartition('/')[2]}" if provider == "local" else model


HEADINGS = (
    "model", "share", "seeds", "front box", "gained per call", "per design", "designs", "calls",
    "tool calls", "valid", "duplicate", "out of niche", "tokens in", "out", "seconds", "form",
)  # fmt: skip


def cells_of(row: ModelRow) -> tuple[str, ...]:
    """A row as texts, under ``HEADINGS``."""
    spread = "" if row.deviation is None else f" ± {row.deviation:.4f}"
    return (
        row.model,
        f"{row.share:g}" if row.form else "",
        str(row.seeds),
        f"{row.front_hv:.4f}{spread}",
        _gain(row.gained_per_call),
        _gain(row.gained_per_design),
        f"{row.designs:.0f}",
        f"{row.calls:.3g}",
        f"{row.tool_calls:.3g}",
        *(("" if x is None else f"{x:.0%}") for x in (row.valid, row.duplicate, row.out_of_niche)),
        f"{row.tokens_in:,.0f}",
        f"{row.tokens_out:,.0f}",
        f"{row.seconds:,.0f}",
        row.form,
    )


def _gain(value: float | None) -> str:
    return "" if value is None else f"{value:+.5f}"


def to_markdown(found: Sequence[ModelRow]) -> str:
    """A table for each cell and budget."""
    parts: dict[tuple[Cell, float], list[ModelRow]] = {}
    for row in found:
        parts.setdefault((row.cell, row.evaluations), []).append(row)
    return "\n\n".join(
        _table(cell, evaluations, part) for (cell, evaluations), part in parts.items()
    )


def _table(cell: Cell, evaluations: float, found: Sequence[ModelRow]) -> str:
    title = f"{cell.space}, {cell.dataset}, {cell.device}, {cell.accuracy}: {evaluations:.0f} evaluations"
    lines = [HEADINGS, ("---",) * len(HEADINGS), *map(cells_of, found)]
    return f"**{title}**\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines)
