"""Rows about a run as plain lines of text, each claim with the ids that it rests on."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from pelnas.inputs.quantities import UNITS
from pelnas.tools.shapes import (
    Afford,
    Brief,
    Change,
    Changed,
    Comparison,
    Explanation,
    Row,
    Status,
    Tried,
)
from pelnas.traces.text import one_line

T = TypeVar("T")
SHOWN = 10  # entries of a list that are shown, followed by how many more there are
PASSAGE = 4_000  # characters of a prompt or an answer that are shown
POINTS_SHOWN = 40  # of a front, whose best points come last


def tell_status(answer: Status) -> list[str]:
    """How a run stands."""
    spent = answer["spent"]
    why = f" ({answer['reason']})" if answer["reason"] else ""
    by = f" by {answer['paused_by']}" if answer["state"] == "paused" else ""
    lines = [
        f"{answer['run']}: {answer['state']}{by}{why},"
        f" {answer['rounds_begun']} of {answer['rounds']} rounds begun",
        "spent: " + ", ".join(f"{_number(value)} {name}" for name, value in spent.items() if value),
    ]
    if answer["forked_from"]:
        lines.append(f"forked from {answer['forked_from']}")
    best, fast = answer["best"], answer["fastest"]
    if best and fast:
        lines.append(
            f"front: {answer['on_front']} points; best {_number(best['score'])} {answer['unit']}"
            f" ({best['id']}), fastest {_number(fast['latency_ms'])} ms ({fast['id']})"
        )
    lines += [
        f"{d['id']}: {d['asks']} ({d['status']}, asked by {one_line(d['author'])})"
        for d in answer["directives"]
    ]
    return lines


def tell_front(points: Sequence[Brief | Row]) -> list[str]:
    """The front, by latency."""
    return _listed(points, brief, "the front is empty: nothing is evaluated yet", POINTS_SHOWN)


def brief(point: Brief | Row) -> str:
    """One architecture on one line."""
    if "score" not in point:
        named = f"{point['id']}: " if point.get("id") else ""
        return f"{named}{point['architecture']} (not evaluated in this run)"
    doubt = f" ± {_number(point['uncertainty'])}" if point["uncertainty"] else ""
    latency = point["latency_ms"]
    speed = "cannot run on the device" if latency is None else f"{_number(latency)} ms"
    return (
        f"{point['id']}: {speed}, score {_number(point['score'])}{doubt},"
        f" niche {point['niche']}, {point['architecture']}"
    )


def tell_comparison(answer: Comparison) -> list[str]:
    """Two architectures side by side."""
    lines = [brief(answer["first"]), brief(answer["second"])]
    lines.append(_changed(answer["changed"]))
    if answer["score_difference"] is None:
        return [*lines, "they cannot be compared: one of them has no score and latency in this run"]
    doubt = " (within their uncertainty)" if answer["within_uncertainty"] else ""
    lines.append(
        f"from the first to the second: score {answer['score_difference']:+.4g}{doubt},"
        f" latency {answer['latency_difference_ms']:+.4g} ms"
        f"{_costs(answer.get('cost_differences'))}"
    )
    winner = answer["dominates"]
    lines.append(f"{winner} dominates the other" if winner else "neither dominates the other")
    return lines


def tell_rules(rules: list[Row]) -> list[str]:
    """Rules with their evidence; what they say is quoted, as data."""
    return _listed(rules, _rule, "no rule is measured to hold yet")


def tell_niche(answer: Tried) -> list[str]:
    """What was tried in a niche."""
    lines = [_niche(answer["niche"])]
    lines += [
        f'round {plan["round"] + 1}: {plan["author"]} asked for {plan["count"]}: "{plan["focus"]}"'
        for plan in answer["plans"][-SHOWN:]
        if plan["focus"]
    ]
    lines += _listed(answer["designs"][::-1], _design, "nothing was designed here yet")
    refused = answer["refusals"]
    kinds = sorted({refusal["kind"] for refusal in refused})
    if refused:
        lines.append(f"{len(refused)} proposals refused: {', '.join(kinds)}")
    return [one_line(line, 400) for line in lines]


def tell_niches(rows: list[Row]) -> list[str]:
    """What became of every niche."""
    return [_niche(row) for row in rows]


def tell_afford(answer: Afford) -> list[str]:
    """What a latency budget costs in accuracy."""
    limit, within, best = answer["latency_ms"], answer["within"], answer["best"]
    beyond = [brief(answer["next"])] if answer["next"] else []
    if best is None:
        return ["the front is empty: nothing is evaluated yet"]
    if within is None:
        return [f"nothing found within {_number(limit)} ms; the fastest is", *beyond]
    return [
        f"within {_number(limit)} ms the best is",
        brief(within),
        f"the budget costs {_number(answer['score_lost'])} {answer['unit']} against {best['id']},"
        f" which takes {_number(best['latency_ms'])} ms",
        *(f"the next beyond: {point}" for point in beyond),
    ]


def tell_explanation(answer: Explanation) -> list[str]:
    """Why an architecture is on the front, or why not."""
    own = answer["evaluation"]
    shown = own or {"id": answer["id"], "architecture": answer["architecture"]}
    rank = "" if answer["rank"] is None else f" (rank {answer['rank']})"
    lines = [brief(shown), answer["operations"], answer["why"] + rank]
    if own:
        lines.append(
            f"score: {answer['sources']['score']}, ± {_number(own['uncertainty'])}"
            f" {answer['sources']['unit']};"
            f" latency: {answer['sources']['latency']}, spread {_number(own['spread_ms'])} ms"
        )
    if answer["neighbours"]:
        lines.append("nearest on the front:")
        lines += [f"  {brief(n)}; {_changed(n['changed'])}" for n in answer["neighbours"]]
    return [*lines, *_changes(answer), *_proxies(answer["proxies"]), *_birth(answer)]


def tell_call(answer: Row) -> list[str]:
    """A model call: what was asked and answered."""
    tokens = answer["tokens_in"] + answer["tokens_out"]
    asked = [f"{m['role']} said: {m['content'][:PASSAGE]}" for m in answer["messages"]]
    head = f"{answer['id']}: {answer['model']}, {tokens} tokens, {answer['outcome']}"
    return [head, *asked, f"{answer['model']} answered: {answer['answer'][:PASSAGE]}"]


def _costs(changes: Mapping[str, float | None] | None) -> str:
    """Differences of a run's other objectives; '' where latency is the only one."""
    parts = [
        f"{name} {change:+.4g} {UNITS[name]}".rstrip()
        for name, change in (changes or {}).items()
        if name != "latency" and change is not None
    ]
    return "".join(f", {each}" for each in parts)


def _changes(answer: Explanation) -> list[str]:
    known = [c for c in answer["changes"] if c["score_change"] is not None]
    if not known:
        return ["one changed operation: too little is evaluated yet to say"]
    lines = ["one changed operation:"]
    for change in sorted(known, key=lambda c: -(c["score_change"] or 0.0)):
        latency = change["latency_change_ms"]
        speed = "latency unknown" if latency is None else f"{latency:+.4g} ms"
        ids = f" {change['id']}" if change["id"] else ""
        lines.append(
            f"  {change['position']} {change['from']} -> {change['to']}:"
            f" score {change['score_change']:+.4g} ({change['score_is']}{_span(change)}{ids}),"
            f" {speed} ({change['latency_is']}){_costs(change.get('cost_changes'))}"
        )
    doubts = [
        f"{_number(error)} {unit}"
        for error, unit in ((answer["score_error"], "score"), (answer["latency_error_ms"], "ms"))
        if error is not None
    ]
    told = f"fitted to the {answer['evaluations']} evaluations of this run"
    return [*lines, f"  predicted: {told}, off by {' and '.join(doubts)}" if doubts else ""]


def _span(change: Changed) -> str:
    """Between which scores a predicted one is expected."""
    between = change["score_between"]
    return f", {between[0]:.4g} to {between[1]:.4g}" if between else ""


def _proxies(proxies: list[Row]) -> list[str]:
    if not proxies:
        return []
    told = (
        f"{p['name']} {_number(p['value'])}"
        + ("" if p["percentile"] is None else f" (more than {p['percentile']:.0f} %)")
        for p in proxies
    )
    return [f"proxies, beside the {proxies[0]['of']} evaluations: " + ", ".join(told)]


def _birth(answer: Explanation) -> list[str]:
    born = answer["born"]
    if born is None:
        return []
    call, parents = answer["call"], ", ".join(born["parents"])
    lines = [
        f"designed by {born['author']}, {born['method']}"
        + (f" of {parents}" if parents else "")
        + (f", in call {call['id']}" if call else ", without a model call")
    ]
    if born["rationale"]:
        lines.append(f'its designer said: "{one_line(born["rationale"], 240)}"')
    return lines + [
        f"{rule['id']} was shown to its designer, {rule['then']} then, {rule['now']} now,"
        f" {'satisfied' if rule['satisfied'] else 'not satisfied'} here:"
        f' "{one_line(rule["text"])}" ({rule["predicate"]} {rule["claims"]})'
        for rule in answer["rules"]
    ]


def _niche(row: Row) -> str:
    return (
        f"niche {row['niche']} ({row['label']}): {row['designs']} designs,"
        f" {row['evaluations']} evaluated, {row['on_front']} on the front"
        + (f" ({', '.join(row['front'])})" if row["front"] else "")
    )


def _rule(rule: Row) -> str:
    effect = "not measured" if rule["measured"] is None else f"{rule['measured']:+.2f}"
    error = "" if rule["error"] is None else f" ± {rule['error']:.2f}"
    ids = ", ".join(rule["evidence"][:5]) or "none yet"
    return (
        f'{rule["id"]}: "{one_line(rule["text"])}" ({rule["predicate"]} {rule["polarity"]}'
        f" {rule['metric']}; {rule['status']}, effect {effect}{error}; evidence: {ids})"
    )


def _design(design: Row) -> str:
    said = f': "{one_line(design["rationale"])}"' if design["rationale"] else ""
    call = f", call {design['call']}" if design["call"] else ""
    where = " on the front" if design.get("on_front") else ""
    return f"{brief(design)}{where} ({design['method']} by {design['author']}{call}){said}"


def _changed(changed: list[Change]) -> str:
    told = ", ".join(f"{c['position']} {c['from']} -> {c['to']}" for c in changed)
    return f"changed: {told}" if told else "the same architecture"


def _listed(
    entries: Sequence[T], tell: Callable[[T], str], nothing: str, shown: int = SHOWN
) -> list[str]:
    lines = [tell(entry) for entry in entries[:shown]] or [nothing]
    rest = len(entries) - shown
    return [*lines, f"and {rest} more"] if rest > 0 else lines


def _number(value: float | None) -> str:
    if value is None:
        return "unknown"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def text_of(lines: Iterable[str]) -> str:
    """Lines as one text, without empty ones."""
    return "\n".join(line for line in lines if line)
