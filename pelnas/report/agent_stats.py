"""Statistics per agent: what it proposed, what became of it, and what its calls cost."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from pelnas.calls.call import CallRecord
from pelnas.calls.usage import NOTHING
from pelnas.config import BUILTIN
from pelnas.store import RunStore


@dataclass(frozen=True, slots=True)
class AgentStats:
    """Counts of one agent as played by one author (``provider:model``).

    ``proposals``: designs (designer), niche plans (planner) or rules (reflection).
    ``accepted``: those that the validator let through; of rules: in force at the end.
    ``malformed``, ``out_of_niche``, ``duplicate``, ``directive``: refused designs,
    the last ones by what people asked.
    ``filled``: designs that evolution made where a language model left a gap.
    ``calls``: to a language model; of those ``invalid`` broke their schema or its
    checks and ``failed`` got no answer. ``tokens``: in and out; ``seconds``: of calls.
    ``dollars``: of calls of known price; ``unpriced``: how many have another.
    """

    agent: str
    author: str
    proposals: int = 0
    accepted: int = 0
    malformed: int = 0
    out_of_niche: int = 0
    duplicate: int = 0
    directive: int = 0
    filled: int = 0
    calls: int = 0
    invalid: int = 0
    failed: int = 0
    tokens: int = 0
    seconds: float = 0.0
    dollars: float = 0.0
    unpriced: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def agent_stats(store: RunStore) -> list[AgentStats]:
    """One row for each agent and author that did something, planner, designer, reflection in turn."""
    calls = store.calls()
    rows = []
    for agent, counts in (
        ("planner", _plans(store)),
        ("designer", _designs(store)),
        ("reflection", _rules(store)),
    ):
        own = [call for call in calls if call.agent == agent]
        authors = sorted(counts.keys() | {call.model for call in own})
        rows += [
            AgentStats(agent, author, **counts.get(author, {}), **_calls(own, author))
            for author in authors
        ]
    return rows


def _plans(store: RunStore) -> dict[str, dict[str, int]]:
    planned = Counter(entry.author for _, entry in store.plans())
    return {author: {"proposals": n, "accepted": n} for author, n in planned.items()}


def _designs(store: RunStore) -> dict[str, dict[str, int]]:
    accepted = Counter(candidate.design.author for candidate in store.candidates())
    refused = Counter((refusal.author, refusal.kind) for _, _, refusal in store.refusals())
    asked = store.config.model_of("designer")
    rows = {}
    for author in accepted.keys() | {author for author, _ in refused}:
        kinds = {
            name: refused[author, name.replace("_", "-")]
            for name in ("malformed", "out_of_niche", "duplicate", "directive")
        }
        made = accepted[author]
        fills = author.startswith(BUILTIN) and not asked.startswith(BUILTIN)
        rows[author] = {
            "proposals": made + sum(kinds.values()),
            "accepted": made,
            "filled": made if fills else 0,
            **kinds,
        }
    return rows


def _rules(store: RunStore) -> dict[str, dict[str, int]]:
    in_force = Counter(rule.author for rule in store.rules() if rule.status == "in-force")
    return {
        author: {"proposals": proposed, "accepted": in_force[author]}
        for author, proposed in store.proposal_counts().items()
    }


def _calls(calls: Iterable[CallRecord], author: str) -> dict[str, Any]:
    own = [call for call in calls if call.model == author]
    used = sum((call.usage for call in own), NOTHING)
    return {
        "calls": len(own),
        "invalid": sum(call.outcome == "invalid" for call in own),
        "failed": sum(call.outcome == "failed" for call in own),
        "tokens": used.tokens,
        "seconds": used.seconds,
        "dollars": used.dollars,
        "unpriced": used.unpriced,
    }
