"""A scripted designer that mutates parents, with tools and without, at equal evaluations.

Without tools it submits its first drafts. With them it makes twice as many, asks what each would
add to the front (``what_if``), drops the worse half, and submits the rest: no draft is evaluated
that is not submitted, so that both sides evaluate as many networks.
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
from pelnas.partition import partition_by_operations
from pelnas.spaces import get_space
from pelnas.store import RunStore

pytest.importorskip("langchain_openai", reason="the extra 'openai' is not installed")

SPACE = get_space("nasbench201")
PARTITION = partition_by_operations(SPACE, Shape.square(10, 32))
DRAFTS = 20  # that are asked about, as many as there are calls
AT_ONCE = 10  # calls in one message
ROUNDS, PER_NICHE = 5, 10  # the default designs of a niche: half of the drafts
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
    chosen = better_half(drafts, answers)[:count]
    return ToolCalls([("submit", json.dumps(submitted(chosen)))])


def submitted(drafts: Sequence[str]) -> dict[str, Any]:
    return {"designs": [{"architecture": each} for each in drafts]}


def parents(user: str) -> list[str]:
    """The letters of each parent in a prompt."""
    return re.findall(r"^r\d+n\d+c\d+  ((?:[a-e] ){5}[a-e])  \S+  \S+$", user, re.M)


def drafted(niche: int, user: str) -> list[str]:
    """Different mutants of the parents within the niche, or members of it; always the same ones."""
    rng = random.Random(user.partition("Tools (")[0].strip())
    known = parents(user)
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


def better_half(drafts: Sequence[str], answers: Sequence[dict[str, Any]]) -> list[str]:
    """The half of the drafts that promises to add most to the front; none that was evaluated before."""
    asked = list(zip(drafts, answers, strict=False))
    fresh = [(draft, found) for draft, found in asked if found["is"] != "evaluated"]
    fresh.sort(key=lambda each: -each[1].get("expected_gain", 0.0))  # stable where nothing is known
    return [draft for draft, _ in fresh[: len(asked) // 2]]


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
    assert better == len(SEEDS)
