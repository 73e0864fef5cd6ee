"""A scripted designer that mutates parents, with tools and without, at equal evaluations.

Without tools it submits its first drafts. With them it asks what the run expects of more drafts
(``what_if``), drops those that promise least for the front, and submits the rest: no draft is
evaluated that is not submitted, so that both sides evaluate as many networks.
"""

import json
import random
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pelnas import Search, SearchConfig
from pelnas.agents.testing.server import LoopbackServer, ToolCalls
from pelnas.architecture import Shape
from pelnas.bench.search.measures import shown
from pelnas.bench.search.problem import Cell
from pelnas.bench.search.sources import problem_of
from pelnas.calls.call import Message
from pelnas.pareto import minimised
from pelnas.partition import partition_by_operations
from pelnas.spaces import get_space
from pelnas.store import RunStore

pytest.importorskip("langchain_openai", reason="the extra 'openai' is not installed")

SPACE = get_space("nasbench201")
PARTITION = partition_by_operations(SPACE, Shape.square(10, 32))
DRAFTS = 20  # that are asked about, as many as there are calls
AT_ONCE = 10  # calls in one message
DRAWS = 64  # of what the surrogate expects, for the gain of a draft
ROUNDS, PER_NICHE = 4, 5
SEEDS = range(5)
Says = str | ToolCalls


def designing(messages: Sequence[Message], schema: dict[str, Any]) -> Says:
    """What the scripted model answers, whether it has tools or not."""
    system, user = messages[0].content, messages[1].content
    niche = int(re.findall(r"niche (\d+) only", system)[0])
    count = int(re.findall(r"Make these (\d+) designs", user)[0])
    drafts = drafted(niche, user)
    if "Tools (" not in user:
        return json.dumps(submitted(drafts[:count]))
    answers = [json.loads(m.content) for m in messages if m.role == "tool"]
    answers = [json.loads(each[2]) if isinstance(each, list) else each for each in answers]
    if len(answers) < min(DRAFTS, len(drafts)):
        asked = drafts[len(answers) : min(len(answers) + AT_ONCE, DRAFTS)]
        return ToolCalls([("what_if", json.dumps({"architecture": each})) for each in asked])
    chosen = promising(drafts, answers, parents(user), count)
    return ToolCalls([("submit", json.dumps(submitted(chosen)))])


def submitted(drafts: Sequence[str]) -> dict[str, Any]:
    return {"designs": [{"architecture": each} for each in drafts]}


def parents(user: str) -> list[tuple[str, float, float]]:
    """(letters, latency, score) of each parent in a prompt."""
    rows = re.findall(r"^r\d+n\d+c\d+  ((?:[a-e] ){5}[a-e])  (\S+)  (\S+)$", user, re.M)
    return [(letters, float(latency), float(score)) for letters, score, latency in rows]


def drafted(niche: int, user: str) -> list[str]:
    """Different mutants of the parents within the niche, or members of it; always the same ones."""
    rng = random.Random(user.partition("Tools (")[0].strip())
    known = [letters for letters, _, _ in parents(user)]
    found: dict[str, None] = {}
    for _ in range(4_000):
        if len(found) == 2 * DRAFTS:
            break
        network = mutant(rng.choice(known), rng) if known else rng.choice(PARTITION.members[niche])
        letters = SPACE.in_letters(network)
        if PARTITION.locate(network) == niche and letters not in known:
            found[letters] = None
    return list(found)


def mutant(letters: str, rng: random.Random) -> Any:
    """A network with one or two other choices."""
    genes = list(SPACE.proposed(letters).genes)
    for place in rng.sample(range(len(genes)), rng.choice((1, 2))):
        genes[place] = rng.randrange(len(SPACE.choices[place]))
    return SPACE.of(tuple(genes))


def promising(
    drafts: Sequence[str],
    rows: Sequence[dict[str, Any]],
    front: Sequence[tuple[str, float, float]],
    count: int,
) -> list[str]:
    """The drafts that widen the front most by expectation, one after the other; none that is known."""
    known = [(d, t) for d, t in zip(drafts, rows, strict=False) if t.get("is") == "predicted"]
    if not known or not front:
        fresh = [d for d, t in zip(drafts, rows, strict=False) if t.get("is") != "evaluated"]
        return fresh[:count]
    rng = np.random.default_rng(0)
    means = np.array([[t["latency_ms"], -t["score"]] for _, t in known])
    spreads = np.array(
        [[t["uncertainty"]["latency_ms"], t["uncertainty"]["score"]] for _, t in known]
    )
    draws = means + spreads * rng.standard_normal((DRAWS, *means.shape))
    held = minimised([latency for _, latency, _ in front], [score for _, _, score in front])
    every = np.vstack([held, means])
    best, worst = every.min(axis=0), every.max(axis=0) + 0.1 * np.ptp(every, axis=0)
    draws = np.maximum(draws, best)  # what is drawn beyond all that is expected counts no more
    fronts = [held] * DRAWS  # a chosen draft holds in each draw what it is there, as in the product
    left, chosen = list(range(len(known))), list[str]()
    while left and len(chosen) < count:
        expected = [
            gains(front, draw[left], worst) for front, draw in zip(fronts, draws, strict=True)
        ]
        first = left[int(np.mean(expected, axis=0).argmax())]
        fronts = [np.vstack([f, draw[first]]) for f, draw in zip(fronts, draws, strict=True)]
        chosen.append(known[first][0])
        left.remove(first)
    return chosen


def gains(held: Any, points: Any, worst: Any) -> Any:
    """Dominated area that each point (..., 2) adds to those that are held, up to a worst point."""
    inside = held[(held < worst).all(axis=1)]
    ordered = inside[np.lexsort((inside[:, 1], inside[:, 0]))]
    lowest = np.minimum.accumulate(ordered[:, 1]) if len(ordered) else ordered[:, 1]
    left = np.concatenate([[-np.inf], ordered[:, 0]])
    right = np.append(ordered[:, 0], worst[0])
    ceiling = np.append(worst[1], lowest)
    x, y = points[..., :1], points[..., 1:]
    widths = np.maximum(0, right - np.maximum(left, x))
    return (widths * np.maximum(0, ceiling - y)).sum(axis=-1)


def volume(data: Path, output: Path, cell: Cell, seed: int, calls: int) -> tuple[float, int]:
    """Hypervolume in the front box of one search, and how many networks it evaluated."""
    with LoopbackServer(designing, tools="free") as server:
        config = SearchConfig(
            data=data, device=cell.device, dataset=cell.dataset, accuracy="table", seed=seed,
            designer_model="openai:any", base_url=server.url, tool_calls=calls,
            question_form="letters", rounds=ROUNDS, per_niche=PER_NICHE, parents=30,
            first_round="drawn", output=output, prompt_tokens=20_000, concurrency=("1",),
        )  # fmt: skip
        search = Search(config)
        search.session.write_report = lambda _: None
        folder = search.run().folder
    problem = problem_of(cell, config)
    with RunStore.read(folder) as store:
        tried = [SPACE.parse(e.candidate.architecture) for e in store.evaluations()]
    true = problem.true_points(tried)
    return problem.yardstick.judge(true[shown(true)]).front_hv, len(tried)


@pytest.mark.slow
def test_drafts_chosen_by_what_they_promise_find_better_fronts(
    data_folder: Path, tmp_path: Path
) -> None:
    cell, differences = Cell("nasbench201", "cifar10", "edgegpu", "table"), []
    for seed in SEEDS:
        blind, known = (volume(data_folder, tmp_path, cell, seed, calls) for calls in (0, DRAFTS))
        assert blind[1] == known[1]
        differences.append(known[0] - blind[0])
        print(f"seed {seed}: without tools {blind[0]:.4f}, with tools {known[0]:.4f}")
    better = sum(each > 0 for each in differences)
    print(f"better in {better} of {len(SEEDS)}, by {np.mean(differences):+.4f}")
    assert better > len(SEEDS) / 2
    assert np.mean(differences) > 0
