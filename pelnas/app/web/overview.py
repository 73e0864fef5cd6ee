"""A run at a glance: its state, its budgets, its niches, its rules."""

from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Sequence
from dataclasses import asdict, fields
from typing import Any

from pelnas.app.web.live import state
from pelnas.architecture import Evaluation
from pelnas.config import ROLES
from pelnas.directives import Directives
from pelnas.objectives import DEFAULT, Objectives
from pelnas.pareto import Box
from pelnas.report import agent_stats, niche_rows
from pelnas.report.front import archive_of
from pelnas.report.growth import growth
from pelnas.store import Event, RunStore

HIDDEN = {"output", "base_url"}  # the address of a server may hold a key


def overview(store: RunStore) -> dict[str, Any]:
    """What the head of the page shows. ``seq``: of the last event, to follow the run from."""
    config = Directives(store.directives()).applied(store.config)
    spent = asdict(store.spent())
    used = spent | {"minutes": spent["seconds"] / 60}
    return {
        "seq": store.newest_event(),
        "name": store.name,
        "started": store.started,
        "status": state(store),
        "reason": store.reason,
        "space": config.space,
        "device": config.device,
        "rounds": config.rounds,
        "niches": store.niches(),
        "costs": [
            {"name": cost.name, "unit": cost.unit, "label": cost.label}
            for cost in Objectives.of(store.config.objectives).costs
        ],
        "sources": _sources(store),
        "models": {role: config.model_of(role) for role in ROLES},
        "spent": spent,
        "prices": [asdict(rates) for rates in store.rates().values()],
        "budgets": [
            {"name": field, "used": used.get(field), "limit": getattr(config.budget, field)}
            for field in type(config.budget).model_fields
        ],
        "settings": store.config.model_dump(mode="json", exclude=HIDDEN),
    }


def _sources(store: RunStore) -> dict[str, Any]:
    """As the page shows them: images in words, not as counts."""
    found = store.sources()
    values = asdict(found)
    del values["class_images"], values["held_out"]
    return values | {"images": found.images, "predictor": store.config.accuracy}


def niches(store: RunStore, events: Iterable[Event]) -> dict[str, Any]:
    """Each niche's counts, best figures, widest gap and spend; and the agents' rates."""
    rows = [row.to_dict() for row in niche_rows(store)]
    archive = archive_of(store)
    calls: dict[int, Counter[str]] = defaultdict(Counter)
    for event in events:
        if event.kind == "call" and event.niche is not None:
            calls[event.niche].update(calls=1, tokens=event.data["tokens"])
    refused = Counter(niche for _, niche, _ in store.refusals())
    for row in rows:
        gap = archive.largest_gap(row["niche"])
        spend = calls[row["niche"]]
        row |= {
            "gap": asdict(gap) if gap else None,
            "refused": refused[row["niche"]],
            "calls": spend["calls"],
            "tokens": spend["tokens"],
        }
    plans = [
        {"round": round_, **{field.name: getattr(entry, field.name) for field in fields(entry)}}
        for round_, entry in store.plans()
    ]
    rates = [rate.to_dict() for rate in agent_stats(store)]
    return {"niches": rows, "plans": plans, "rates": rates}


def rules(store: RunStore) -> list[dict[str, Any]]:
    """Every rule with its evidence and its verdict after every round it was measured in."""
    used = Counter(rule for c in store.candidates() for rule in c.design.rules)
    found = []
    for rule in store.rules():
        history = [
            {"round": round_, "status": then.status, "measured": then.measured, "error": then.error}
            for round_, then in store.rule_history(rule.id)
        ]
        found.append(rule.to_dict() | {"history": history, "shaped": used[rule.id]})
    return found


def grown(
    evaluations: Sequence[Evaluation],
    within: Box | None = None,
    aside: Container[str] = (),
    objectives: Objectives = DEFAULT,
) -> dict[str, Any]:
    """The hypervolume over evaluations, in this run's own ranges or ``within`` others.

    Those that directives keep ``aside`` are on no front.
    """
    counts, values = growth(evaluations, within, aside, objectives)
    return {"evaluations": counts, "hypervolume": [round(value, 6) for value in values]}
