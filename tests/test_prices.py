"""Prices out of the installed catalogue; what it does not know is unknown and not zero."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from pelnas import Search, SearchConfig
from pelnas.agents.models import Reply
from pelnas.agents.scripted import ScriptedModel
from pelnas.call import Message
from pelnas.config import Budget
from pelnas.errors import ModelError
from pelnas.graph.helm import Helm
from pelnas.prices import context_window, in_words, tariff
from pelnas.report import summary
from pelnas.store import RunStore


def test_a_call_costs_its_tokens_at_the_prices_of_the_catalogue() -> None:
    known = tariff("openai:gpt-4o-mini")  # old enough that its price stays: 0.15 and 0.60 a million
    assert known is not None
    assert known.per_million == pytest.approx((0.15, 0.60))
    assert known.dollars(2_000, 500) == pytest.approx(2_000 * 0.15e-6 + 500 * 0.60e-6)
    assert known.dollars(2_000, 0, 2_000) == pytest.approx(2_000 * 0.075e-6)
    assert known.dollars(10, 0, 99) == known.dollars(10, 0, 10)


def test_the_price_of_a_million_tokens_is_that_of_usual_requests() -> None:
    tiered = tariff("anthropic:claude-sonnet-4-5")  # 6.00 in for requests above 200,000 tokens
    assert tiered is not None
    assert tiered.per_million == pytest.approx((3.0, 15.0))
    assert tiered.dollars(1_000_000, 0) == pytest.approx(6.0)


@pytest.mark.parametrize(
    "name", ["builtin:evolver", "local:a.gguf", "ollama:qwen3", "hand:answers"]
)
def test_what_runs_here_costs_nothing(name: str) -> None:
    free = tariff(name)
    assert free is not None
    assert free.dollars(10**6, 10**6) == 0
    assert context_window(name) is None


@pytest.mark.parametrize("name", ["openai:no-such-model", "nobody:gpt-4o-mini"])
def test_an_unknown_price_is_unknown(name: str) -> None:
    assert tariff(name) is None
    assert context_window(name) is None


def test_a_server_of_ones_own_is_not_billed_by_the_name_of_its_model() -> None:
    assert tariff("openai:gpt-4o-mini", "http://127.0.0.1:8000/v1") is None
    assert tariff("openai:gpt-4o-mini", "https://api.openai.com/v1") is not None


def test_names_of_providers_are_translated() -> None:
    known = tariff("google_genai:gemini-2.5-flash")
    assert known is not None
    assert known.dollars(1000, 0) > 0
    assert context_window("openai:gpt-4o-mini") == 128_000


def test_in_words() -> None:
    assert in_words(None) == "price unknown"
    assert in_words(0) == "$0.00"
    assert in_words(0.01234) == "$0.0123"
    assert in_words(0.000001) == "less than $0.0001"
    assert in_words(1234.5, 2) == "$1,234.50 and 2 of unknown price"


def settings(tmp_path: Path, tables: Path, **changes: Any) -> SearchConfig:
    values: dict[str, Any] = {
        "space": "tiny",
        "device": "toy",
        "dataset": "toy10",
        "data": tables,
        "accuracy": "table",
        "rounds": 5,
        "per_niche": 1,
        "model": "scripted:answers",
        "output": tmp_path / "runs",
    }
    return SearchConfig(**(values | changes))


class Paid(ScriptedModel):
    """Answers nothing of use, for half a dollar a call or at an unknown price."""

    def __init__(self, *, known: bool = True) -> None:
        super().__init__(lambda *_: "nothing")
        self.priced = known

    def ask(self, messages: Sequence[Message], schema: type[BaseModel]) -> Reply:
        reply = super().ask(messages, schema)
        return replace(reply, dollars=0.5 if self.priced else None)


def test_a_budget_of_dollars_needs_known_prices(tmp_path: Path, tiny_tables: Path) -> None:
    model = Paid(known=False)
    config = settings(tmp_path, tiny_tables, budget=Budget(dollars=1))
    with pytest.raises(ModelError, match="nobody knows the price of scripted:answers"):
        Search(config, {model.name: model})
    assert not (tmp_path / "runs").exists()


def test_a_search_ends_when_its_dollars_are_spent(tmp_path: Path, tiny_tables: Path) -> None:
    model = Paid()
    config = settings(tmp_path, tiny_tables, budget=Budget(dollars=2.25))
    result = Search(config, {model.name: model}).run()
    assert "the budget of dollars is spent (2.5 of 2.25 dollars)" in result.reason
    with RunStore.read(result.folder) as store:
        assert store.spent().dollars == 2.5
        assert store.spent().calls == 5
        told = summary(store)
    assert (told["spent"]["dollars"], told["spent"]["unpriced"]) == (2.5, 0)
    assert sum(rate["dollars"] for rate in told["rates"]) == 2.5
    assert "$2.50" in (result.folder / "report.html").read_text()


def test_calls_of_unknown_price_are_counted_apart(tmp_path: Path, tiny_tables: Path) -> None:
    model = Paid(known=False)
    result = Search(settings(tmp_path, tiny_tables, rounds=1), {model.name: model}).run()
    with RunStore.read(result.folder) as store:
        spent = store.spent()
    assert spent.dollars == 0
    assert spent.unpriced == spent.calls > 0
    assert (
        f"$0.00 and {spent.calls} of unknown price" in (result.folder / "report.html").read_text()
    )


def test_a_limit_of_dollars_that_cannot_be_kept_is_refused_during_a_run(
    tmp_path: Path, tiny_tables: Path
) -> None:
    model = Paid(known=False)
    search = Search(settings(tmp_path, tiny_tables, rounds=1), {model.name: model})
    with Helm.open(search.folder) as helm:
        helm.give("/budget dollars 5", "me")
    result = search.run()
    with RunStore.read(result.folder) as store:
        (directive,) = store.directives()
    assert result.reason == "all rounds done"
    assert directive.status == "refused"
    assert "nobody knows the price" in directive.reason
