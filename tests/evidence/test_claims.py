"""Rules that were tested before they were proposed stand more often than guesses: the bar of 80 %.

``pytest -m slow -s tests/evidence/test_claims.py`` prints both shares.
"""

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pelnas import Search, SearchConfig
from pelnas.agents.testing.server import LoopbackServer, ToolCalls
from pelnas.calls.call import Message
from pelnas.store import RunStore

pytest.importorskip("langchain_openai", reason="the extra 'openai' is not installed")

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
EDGES = ("0->1", "0->2", "1->2", "0->3", "1->3", "2->3")
TRIED, PROPOSED = 10, 4
ROUNDS, LATER = 6, 2  # rounds of a search, and those after which a rule is judged
MODEL = "openai:any"


def reflecting(messages: Sequence[Message], schema: dict[str, Any]) -> str | ToolCalls:
    """Guesses without tools; with them proposes the claims whose effect is beyond two errors."""
    user = messages[1].content
    claims = guesses(random.Random(user.partition("Tools (")[0].strip()))
    if "Tools (" not in user:
        return json.dumps({"rules": [rule(*claim) for claim in claims[:PROPOSED]]})
    answers = [json.loads(m.content) for m in messages if m.role == "tool"]
    if not answers:
        asked = [{"predicate": p, "metric": m, "niche": None} for p, m, _ in claims[:TRIED]]
        return ToolCalls([("test_claim", json.dumps(each)) for each in asked])
    found = [json.loads(each[2]) if isinstance(each, list) else each for each in answers]
    clear = [
        (abs(one["effect"]), predicate, metric, "helps" if one["effect"] > 0 else "hurts")
        for (predicate, metric, _), one in zip(claims, found, strict=False)
        if one.get("effect") is not None and abs(one["effect"]) > 2 * one["error"] + 0.05
    ]
    rules = [rule(*claim) for _, *claim in sorted(clear, reverse=True)[:PROPOSED]]
    return ToolCalls([("submit", json.dumps({"rules": rules}))])


def guesses(rng: random.Random) -> list[tuple[str, str, str]]:
    """(predicate, metric, polarity) at random."""
    found = []
    for _ in range(TRIED):
        operation = rng.choice(OPERATIONS)
        placed = f"{operation}@{rng.choice(EDGES)} == 1"
        predicate = rng.choice((placed, f"{operation} >= {rng.choice((1, 2, 3))}"))
        found.append(
            (predicate, rng.choice(("accuracy", "latency")), rng.choice(("helps", "hurts")))
        )
    return found


def rule(predicate: str, metric: str, polarity: str) -> dict[str, Any]:
    body = {"text": f"{predicate} {polarity}.", "predicate": predicate, "metric": metric}
    return body | {"polarity": polarity, "effect": 0.3, "everywhere": True}


def standing(data: Path, output: Path, calls: int, seed: int) -> tuple[int, int]:
    """How many proposed rules were in force or weakened two rounds later, and of how many."""
    with LoopbackServer(reflecting, tools="free") as server:
        config = SearchConfig(
            data=data, device="edgegpu", dataset="cifar10", accuracy="table", rounds=ROUNDS,
            reflection_model=MODEL, base_url=server.url, tool_calls=calls, seed=seed,
            output=output, concurrency=("1",),
        )  # fmt: skip
        search = Search(config)
        search.session.write_report = lambda _: None
        folder = search.run().folder
    stands = whole = 0
    with RunStore.read(folder) as store:
        for born in range(ROUNDS - LATER):
            later = {each.id: each for each in store.rules(through_round=born + LATER)}
            own = {r.id for r in store.proposals(born) if r.author == MODEL}
            judged = [later[id_] for id_ in own if id_ in later and later[id_].born == born]
            whole += len(judged)
            stands += sum(each.status in ("in-force", "weakened") for each in judged)
    return stands, whole


@pytest.mark.slow
def test_four_of_five_tested_rules_stand_two_rounds_later(
    data_folder: Path, tmp_path: Path
) -> None:
    shares = {}
    for name, calls in (("guessed", 0), ("tested", TRIED)):
        counts = [standing(data_folder, tmp_path / name, calls, seed) for seed in range(3)]
        stands, whole = (sum(each) for each in zip(*counts, strict=True))
        shares[name] = stands / whole
        print(f"{name}: {stands} of {whole} rules in force or weakened ({shares[name]:.0%})")
    assert shares["tested"] >= 0.8
    assert shares["tested"] > shares["guessed"]
