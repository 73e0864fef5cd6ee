"""Prices out of the installed catalogue; what it does not know is unknown and not zero."""

from pathlib import Path

import pytest

from pelnas import Search, SearchConfig
from pelnas.agents.scripted import ScriptedModel
from pelnas.config import Budget
from pelnas.errors import ModelError
from pelnas.prices import context_window, in_words, tariff


def test_a_call_costs_its_tokens_at_the_prices_of_the_catalogue() -> None:
    known = tariff("openai:gpt-4o-mini")  # old enough that its price stays: 0.15 and 0.60 a million
    assert known is not None
    assert known.per_million == pytest.approx((0.15, 0.60))
    assert known.dollars(2_000, 500) == pytest.approx(2_000 * 0.15e-6 + 500 * 0.60e-6)
    assert known.dollars(2_000, 0, 2_000) == pytest.approx(2_000 * 0.075e-6)
    assert known.dollars(10, 0, 99) == known.dollars(10, 0, 10)


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


def test_a_budget_of_dollars_needs_known_prices(tmp_path: Path, tiny_tables: Path) -> None:
    model = ScriptedModel([])
    model.priced = False
    config = SearchConfig(
        space="tiny",
        device="toy",
        dataset="toy10",
        data=tiny_tables,
        accuracy="table",
        model=model.name,
        output=tmp_path / "runs",
        budget=Budget(dollars=1),
    )
    with pytest.raises(ModelError, match="nobody knows the price of scripted:answers"):
        Search(config, {model.name: model})
    assert not (tmp_path / "runs").exists()
