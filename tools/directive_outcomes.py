"""What became of the directives that people gave to a run, in plain values and in words."""

from pelnas.report.directives import DirectiveRow, directive_rows
from pelnas.store import RunStore
from pelnas.text import plural
from pelnas.tools.shapes import Row
from pelnas.traces.text import one_line


def directives(store: RunStore) -> list[Row]:
    """Every directive in order: who asked for what, since when, and what it changed (``changed``)."""
    return [row.to_dict() | {"changed": changed(row)} for row in directive_rows(store)]


def tell_directives(rows: list[Row]) -> list[str]:
    """One line for each directive; the words that it came from are quoted, as data."""
    return [_told(row) for row in rows] or ["no directive has been given yet"]


def news(store: RunStore, id_: str) -> str:
    """One sentence once a directive is decided on; '' while it is pending, or unknown."""
    row = next((row for row in directive_rows(store) if row.id == id_), None)
    if row is None or row.status == "pending":
        return ""
    if row.status == "refused":
        return f"{row.id} was refused: {row.reason}"
    told = changed(row)
    return f"{row.id} took effect {_place(row.round, row.node)}" + (f": {told}" if told else "")


def changed(row: DirectiveRow) -> str:
    """What a directive has changed so far; '' where there is nothing to report."""
    if row.round is None or row.status == "refused":
        return ""
    parts = []
    if row.aside is not None or row.refused:
        parts.append(f"refused {_count(row.refused, 'candidate')} so far{_niches(row)}")
    if row.avoided:
        parts.append(f"evolution passed over {_count(row.avoided, 'child', 'children')}")
    if row.aside:
        parts.append(f"{_count(row.aside, 'candidate')} from before off the front")
    if row.share_before is not None and row.share_after is not None:
        parts.append(f"as asked: {row.share_before:.0%} before, {row.share_after:.0%} since")
    return ", ".join([*parts, *filter(None, [row.outcome])])


def _told(row: Row) -> str:
    since = "" if row["round"] is None else f" {_place(row['round'], row['node'])}"
    ended = "" if row["ended"] is None else f", until round {row['ended'] + 1}"
    why = f" ({row['reason']})" if row["reason"] else ""
    told = f": {row['changed']}" if row["changed"] else ""
    said = one_line(row["words"])
    words = f', who said "{said}"' if said and said != row["command"] else ""
    author = one_line(row["author"])
    return (
        f"{row['id']}: {row['asks']}, by {author}{words}; {row['status']}{since}{ended}{why}{told}"
    )


def _place(round_: int | None, node: str | None) -> str:
    return "" if round_ is None else f"in round {round_ + 1} at {node}"


def _niches(row: DirectiveRow) -> str:
    if not row.niches:
        return ""
    return f" (niche{'s' * (len(row.niches) > 1)} {', '.join(map(str, row.niches))})"


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {plural(number, one, many)}"
