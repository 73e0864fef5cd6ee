"""``pelnas diff``: what is different in one run from another."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pelnas.app import options

if TYPE_CHECKING:
    from pelnas.budget import Spent
    from pelnas.report.difference import ClaimChange, Difference, Member, Seen, Verdict
    from pelnas.report.spend import Spend

WHERE = {"a": "A", "b": "B", "both": "both"}
RATES = {
    "invalid": "answers that broke their schema",
    "failed": "calls that failed",
    "malformed": "designs that were no architecture",
    "duplicate": "designs that were known",
    "out_of_niche": "designs of another niche",
    "directive": "designs against a directive",
}


def diff(
    run_a: Annotated[str, typer.Argument(help="A run: its name, a clear part, a folder, or last.")],
    run_b: Annotated[str, typer.Argument(help="The run to compare with.")],
    output: options.Output = None,
    picture: Annotated[
        Path | None, typer.Option("--picture", help="Plot both fronts to this PNG file.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Show what is different in run B from run A: settings, fronts, rules, directives, spend."""
    from pelnas.app.display.output import print_json, say
    from pelnas.report.difference import difference
    from pelnas.report.two_fronts import render_two
    from pelnas.store import RunStore, find_run, write_atomically

    folder = options.runs_folder(output)
    with RunStore.read(find_run(folder, run_a)) as a, RunStore.read(find_run(folder, run_b)) as b:
        found = difference(a, b)
        if picture is not None:
            write_atomically(picture, render_two(a, b), shared=True)
    if as_json:
        print_json(found.to_dict())
        return
    _print(found)
    if picture is not None:
        say(f"picture  {picture}")


def _print(found: "Difference") -> None:
    from pelnas.app.display.output import print_table, say

    say(f"A  {found.runs[0]}\nB  {found.runs[1]}\n")
    _section("settings", ("setting", "A", "B"), _settings(found))
    counts = {key: sum(m.where == key for m in found.front) for key in WHERE}
    say(f"fronts: {counts['both']} on both, {counts['a']} only on A's, {counts['b']} only on B's")
    if found.hypervolume is None:
        say(f"hypervolumes are not comparable: {found.incomparable}")
    else:
        say("hypervolume, in the ranges of both: {:.4f} and {:.4f}".format(*found.hypervolume))
    columns = ("front", "A: latency ms", "score", "B: latency ms", "score ", "architecture")
    print_table("", columns, map(_member, found.front), right=columns[1:5])
    _section(
        "rules", ("niche", "claim", "A", "B", "text"), map(_claim, filter(_telling, found.rules))
    )
    asked = ((d.command, d.author, d.a or "", d.b or "") for d in found.directives)
    _section("directives", ("command", "author", "A", "B"), asked)
    print_table("spend", ("", "A", "B"), _spend(*found.spend), right=("A", "B"))
    print_table("rates", ("", "A", "B"), _rates(found), right=("A", "B"))


def _section(what: str, columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    from pelnas.app.display.output import print_table, say

    listed = list(rows)
    if listed:
        print_table(f"{what} that differ: {len(listed)}", columns, listed)
    else:
        say(f"{what}: no difference\n")


def _settings(found: "Difference") -> Iterable[tuple[str, str, str]]:
    return ((name, _value(a), _value(b)) for name, (a, b) in found.settings.items())


def _value(value: Any) -> str:
    if isinstance(value, tuple | list):
        return ", ".join(map(str, value))
    return "none" if value is None else str(value)


def _member(member: "Member") -> tuple[str, ...]:
    return WHERE[member.where], *_seen(member.a), *_seen(member.b), member.architecture


def _seen(seen: "Seen | None") -> tuple[str, str]:
    """Latency and score; in brackets where it is evaluated, and not on the front."""
    from pelnas.app.display.output import milliseconds

    if seen is None:
        return "", ""
    figures = milliseconds(seen.latency_ms), f"{seen.score:.4g}"
    return figures if seen.on_front else (f"({figures[0]})", f"({figures[1]})")


def _telling(change: "ClaimChange") -> bool:
    """Whether anybody could have relied on it, in either run."""
    return any(verdict and verdict.status == "in-force" for verdict in (change.a, change.b))


def _claim(change: "ClaimChange") -> tuple[str, ...]:
    niche = "all" if change.niche is None else str(change.niche)
    return niche, change.claim, _verdict(change.a), _verdict(change.b), change.text


def _verdict(verdict: "Verdict | None") -> str:
    if verdict is None:
        return "unknown"
    effect = "" if verdict.measured is None else f" {verdict.measured:+.2f} ± {verdict.error:.2f}"
    return f"{verdict.status}{effect}, {verdict.support} for, {verdict.contradictions} against"


def _price(spent: "Spent") -> str:
    from pelnas.calls.prices import in_words

    return in_words(spent.dollars, spent.unpriced)


def _spend(a: "Spend", b: "Spend") -> Iterable[tuple[str, str, str]]:
    from pelnas.app.display.output import duration

    for what, one, other in (("", a.own, b.own), (", before the fork", a.before, b.before)):
        if what and not (a.before.evaluations or b.before.evaluations):
            return
        yield f"evaluations{what}", str(one.evaluations), str(other.evaluations)
        yield f"model calls{what}", str(one.calls), str(other.calls)
        yield f"tokens{what}", f"{one.tokens:,}", f"{other.tokens:,}"
        yield f"price{what}", _price(one), _price(other)
        yield f"time{what}", duration(one.seconds), duration(other.seconds)
    yield "scores computed", str(a.scores), str(b.scores)
    yield "scores taken over", str(a.shared_scores), str(b.shared_scores)
    yield "latencies computed", str(a.costs), str(b.costs)
    yield "latencies taken over", str(a.shared_costs), str(b.shared_costs)


def _rates(found: "Difference") -> Iterable[tuple[str, str, str]]:
    one, other = found.rates
    return ((words, _share(one[name]), _share(other[name])) for name, words in RATES.items())


def _share(rate: float | None) -> str:
    return "" if rate is None else f"{rate:.1%}"
