"""The estimate before the start, held against searches that then happen."""

import json
import re
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fakes import plan, role_of

from pelnas import Search, SearchConfig
from pelnas.agents.testing.scripted import ScriptedModel
from pelnas.calls.call import Message
from pelnas.config import Budget
from pelnas.graph.estimate.estimate import Estimate, estimate, of_all
from pelnas.graph.session.problem import ground_of
from pelnas.store import RunStore

Settings = Callable[..., SearchConfig]

WORDS = "One more convolution on the direct path, to see what the accuracy gains."


@pytest.fixture
def config(toy: Settings, tmp_path: Path) -> Settings:
    return partial(toy, tmp_path, rounds=3, per_niche=4)


def estimated(settings: SearchConfig) -> Estimate:
    return estimate(settings, ground_of(settings).partition)


class Diligent(ScriptedModel):
    """Answers every question rightly at once: new cells of the niche, sound rules, equal shares."""

    def __init__(self, settings: SearchConfig) -> None:
        super().__init__(self._say)
        partition = ground_of(settings).partition
        self._cells = [[partition.space.in_letters(m) for m in ms] for ms in partition.members]
        self._one_at_a_time = threading.Lock()

    def _say(self, messages: Sequence[Message], schema: dict[str, Any]) -> str:
        system, user = messages[0].content, messages[1].content
        role = role_of(schema)
        if role == "planner":
            return json.dumps(plan(range(len(self._cells)), 4, WORDS))
        if role == "reflection":
            rule = {"text": WORDS, "predicate": "nor_conv_3x3 >= 1 and paths >= 2"}
            rule |= {"metric": "accuracy", "polarity": "helps"}
            return json.dumps({"rules": [rule | {"effect": 0.5}] * 4})
        niche = int(re.findall(r"niche (\d+) only", system)[0])
        count = int(re.findall(r"Make these (\d+) designs", user)[0])
        parents = list(dict.fromkeys(re.findall(r"r\d+n\d+c\d+", user)))[:2]
        with self._one_at_a_time:
            cells = [self._cells[niche].pop() for _ in range(count)]
        how = {"parents": parents, "rationale": "A wider convolution on the longest path."}
        return json.dumps({"designs": [{"architecture": cell, **how} for cell in cells]})


def test_rounds_in_which_the_model_has_no_share_ask_no_designer(config: Settings) -> None:
    """Of 4, 8 and 12 designs of a niche a tenth is none, none and one."""
    estimation = estimated(config(model="scripted:answers", designer_share=0.1))
    assert estimation.calls == 3 * (1 + 3) + 3
    assert estimation.evaluations == 3 * 3 * 4


def test_calls_and_evaluations_are_exact_and_tokens_within_a_third(config: Settings) -> None:
    settings = config(model="scripted:answers")
    estimation = estimated(settings)
    assert (estimation.calls, estimation.evaluations) == (3 * (1 + 3 + 3), 3 * 3 * 4)
    assert (estimation.ends_by, estimation.ends_in, estimation.tokens_from) == (
        "rounds",
        3,
        "prompts",
    )
    model = Diligent(settings)
    result = Search(settings, {model.name: model}).run()
    with RunStore.read(result.folder) as store:
        spent, calls = store.spent(), store.calls()
    assert {call.outcome for call in calls} == {"ok"}
    assert (estimation.calls, estimation.evaluations) == (spent.calls, spent.evaluations)
    for said, found in (
        (estimation.tokens_in, sum(call.usage.tokens_in for call in calls)),
        (estimation.tokens_out, sum(call.usage.tokens_out for call in calls)),
    ):
        assert 1 / 1.34 < said / found < 1.34
    again = estimated(settings)
    assert again.tokens_from == "earlier runs"
    assert again.tokens == pytest.approx(spent.tokens, rel=0.01)
    assert again.minutes == pytest.approx(spent.seconds / 60)


def test_agents_that_are_built_in_cost_nothing(config: Settings) -> None:
    estimation = estimated(config())
    assert (estimation.calls, estimation.tokens, estimation.dollars, estimation.evaluations) == (
        0,
        0,
        0.0,
        36,
    )
    assert estimation.minutes is None
    designers = estimated(config(designer_model="scripted:answers"))
    assert designers.calls == 3 * 3


def test_dollars_follow_the_tariff_and_an_unknown_price_is_unknown(config: Settings) -> None:
    known = estimated(config(model="openai:gpt-4o-mini"))
    expected = known.tokens_in * 0.15e-6 + known.tokens_out * 0.60e-6
    assert known.dollars == pytest.approx(expected, rel=0.01)
    mixed = config(model="openai:gpt-4o-mini", planner_model="openai:no-such-model")
    assert estimated(mixed).dollars is None


def test_a_space_that_is_used_up_ends_it(config: Settings) -> None:
    settings = config(rounds=9, per_niche=20)
    estimation = estimated(settings)
    result = Search(settings).run()
    with RunStore.read(result.folder) as store:
        assert (estimation.ends_by, estimation.evaluations) == ("space", len(store.evaluations()))
        begun = sum(event.kind == "round-begun" for event in store.events())
    assert estimation.ends_in == begun


@pytest.mark.parametrize(
    ("limits", "ends_by", "ends_in"),
    [
        (Budget(calls=9), "calls", 2),
        (Budget(calls=21), "calls", 3),
        (Budget(calls=22), "rounds", 3),
        (Budget(evaluations=12), "evaluations", 1),
        (Budget(tokens=100), "tokens", 1),
        (Budget(calls=20, evaluations=13), "evaluations", 2),
        (Budget(dollars=1), "rounds", 3),
        (Budget(minutes=1), "rounds", 3),
    ],
)
def test_the_first_limit_that_is_reached(
    config: Settings, limits: Budget, ends_by: str, ends_in: int
) -> None:
    estimation = estimated(config(model="scripted:answers", budget=limits))
    assert (estimation.ends_by, estimation.ends_in) == (ends_by, ends_in)


def test_several_searches_together_are_cut_to_their_budgets(config: Settings) -> None:
    small = config(model="scripted:answers", budget=Budget(calls=9))
    free = small.model_copy(update={"model": "builtin:evolver"})
    estimation = of_all([small, free], ground_of(small).partition, seeds=2)
    assert estimation.calls == 2 * 9
    assert estimation.evaluations == 2 * (2 * 12 + 36)
    assert estimation.dollars == 0
    assert estimation.minutes is None
