"""Prices out of the installed catalogue; what it does not know is unknown and not zero."""

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from datetime import date
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from genai_prices.data_snapshot import DataSnapshot, get_snapshot, set_custom_snapshot
from genai_prices.types import ModelPrice
from pydantic import BaseModel, SecretStr

from pelnas import Search, SearchConfig
from pelnas.agents.models.base import LanguageModel, Reply, RetryPolicy
from pelnas.agents.testing.scripted import ScriptedModel
from pelnas.agents.testing.server import LoopbackServer
from pelnas.calls.call import Message
from pelnas.calls.prices import Rates, context_window, in_words, rates, tariff
from pelnas.calls.usage import Usage
from pelnas.config import Budget
from pelnas.errors import ModelError
from pelnas.graph.session.steering_client import SteeringClient
from pelnas.report import summary
from pelnas.store import RunStore


def test_a_call_costs_its_tokens_at_the_prices_of_the_catalogue() -> None:
    known = tariff("openai:gpt-4o-mini")  # old enough that its price stays: 0.15 and 0.60 a million
    assert known is not None
    assert known.per_million == pytest.approx((0.15, 0.60))
    assert known.dollars(Usage(2_000, 500)) == pytest.approx(2_000 * 0.15e-6 + 500 * 0.60e-6)
    assert known.dollars(Usage(2_000, 0, 2_000)) == pytest.approx(2_000 * 0.075e-6)
    assert known.dollars(Usage(10, 0, 99)) == known.dollars(Usage(10, 0, 10))


def test_the_price_of_a_million_tokens_is_that_of_usual_requests() -> None:
    tiered = tariff("anthropic:claude-sonnet-4-5")  # 6.00 in for requests above 200,000 tokens
    assert tiered is not None
    assert tiered.per_million == pytest.approx((3.0, 15.0))
    assert tiered.dollars(Usage(1_000_000)) == pytest.approx(6.0)


@pytest.mark.parametrize(
    "name", ["builtin:evolver", "local:a.gguf", "ollama:qwen3", "hand:answers"]
)
def test_what_runs_here_costs_nothing(name: str) -> None:
    free = tariff(name)
    assert free is not None
    assert free.dollars(Usage(10**6, 10**6)) == 0
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
    assert known.dollars(Usage(1000)) > 0
    assert context_window("openai:gpt-4o-mini") == 128_000


def test_in_words() -> None:
    assert in_words(None) == "price unknown"
    assert in_words(0) == "$0.00"
    assert in_words(0.01234) == "$0.0123"
    assert in_words(0.000001) == "less than $0.0001"
    assert in_words(1234.5, 2) == "$1,234.50, and 2 calls of unknown price"
    assert in_words(0.0, 23) == "23 calls of unknown price"
    assert in_words(0.5, 1) == "$0.5000, and 1 call of unknown price"


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
        return replace(reply, usage=reply.usage.at(0.5 if self.priced else None))


def test_a_budget_of_dollars_needs_known_prices(tmp_path: Path, tiny_tables: Path) -> None:
    model = Paid(known=False)
    config = settings(tmp_path, tiny_tables, budget=Budget(dollars=1))
    with pytest.raises(ModelError, match="no price is known for scripted:answers"):
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
        summed = summary(store)
    assert (summed["spent"]["dollars"], summed["spent"]["unpriced"]) == (2.5, 0)
    assert sum(rate["dollars"] for rate in summed["rates"]) == 2.5
    assert "$2.50" in (result.folder / "report.html").read_text()


def test_calls_of_unknown_price_are_counted_apart(tmp_path: Path, tiny_tables: Path) -> None:
    model = Paid(known=False)
    result = Search(settings(tmp_path, tiny_tables, rounds=1), {model.name: model}).run()
    with RunStore.read(result.folder) as store:
        spent = store.spent()
    assert spent.dollars == 0
    assert spent.unpriced == spent.calls > 0
    assert f"{spent.calls} calls of unknown price" in (result.folder / "report.html").read_text()


def test_a_limit_of_dollars_that_cannot_be_kept_is_refused_during_a_run(
    tmp_path: Path, tiny_tables: Path
) -> None:
    model = Paid(known=False)
    search = Search(settings(tmp_path, tiny_tables, rounds=1), {model.name: model})
    with SteeringClient.open(search.folder) as client:
        client.give("/budget dollars 5", "me")
    result = search.run()
    with RunStore.read(result.folder) as store:
        (directive,) = store.directives()
    assert result.reason == "all rounds done"
    assert directive.status == "refused"
    assert "no price is known" in directive.reason


def test_kept_rates_price_a_call_by_definition_and_say_where_they_come_from() -> None:
    found = rates("openai:gpt-4o-mini", tariff("openai:gpt-4o-mini"), date(2026, 7, 31))
    assert found is not None
    assert found.prices == (0.15, 0.6, 0.075)
    assert found.dollars(Usage(2_000, 500)) == pytest.approx(2_000 * 0.15e-6 + 500 * 0.60e-6)
    assert found.dollars(Usage(2_000, 0, 1_000)) == pytest.approx(1_000 * 0.225e-6)
    assert found.dollars(Usage(10, 0, 99)) == found.dollars(Usage(10, 0, 10))
    known = f"genai-prices {version('genai-prices')}, 2026-07-31"
    assert str(found) == (
        f"openai:gpt-4o-mini: $0.15 in, $0.6 out, $0.075 cached a million tokens ({known})"
    )
    unknown = rates("openai:no-such-model", None, date(2026, 7, 31))
    assert unknown is not None
    assert (unknown.known, unknown.dollars(Usage(10, 10))) == (False, None)
    assert str(unknown) == f"openai:no-such-model: price unknown ({known})"
    assert rates("ollama:qwen3", tariff("ollama:qwen3")) is None


class Billed(ScriptedModel):
    """Answers nothing of use, at the prices of a catalogue in which nothing else stands."""

    def __init__(self, price: float | None, name: str = "scripted:answers") -> None:
        super().__init__(lambda *_: "nothing", name)
        self.priced = price is not None
        self.rates = Rates(name, price, price, price, "a catalogue", "2026-07-31")

    def ask(self, messages: Sequence[Message], schema: type[BaseModel]) -> Reply:
        reply = super().ask(messages, schema)
        assert self.rates is not None
        return replace(reply, usage=reply.usage.at(self.rates.dollars(reply.usage)))


def run_twice(tmp_path: Path, tables: Path, first: Billed, second: Billed) -> RunStore:
    """A run of two rounds with one model, and of two more with the same one at another price."""
    config = settings(tmp_path, tables, rounds=2)
    folder = Search(config, {first.name: first}).run().folder
    Search.resume(folder, {second.name: second}, rounds=4).run()
    return RunStore.read(folder)


def test_a_resumed_run_keeps_the_prices_it_began_with(tmp_path: Path, tiny_tables: Path) -> None:
    with run_twice(tmp_path, tiny_tables, Billed(2.0), Billed(5.0)) as store:
        calls = store.calls()
        assert {call.round for call in calls} == {0, 1, 2, 3}
        assert all(call.usage.dollars == pytest.approx(2e-6 * call.tokens) for call in calls)
        assert store.spent().dollars == pytest.approx(2e-6 * store.spent().tokens)
        assert store.rates() == {"scripted:answers": Billed(2.0).rates}
        assert sum(event.kind == "priced" for event in store.events()) == 1
        assert summary(store)["prices"][0]["dollars_in"] == 2.0
        report = (store.folder / "report.html").read_text()
    assert "$2 in, $2 out, $2 cached a million tokens (a catalogue, 2026-07-31)" in report


def test_a_price_that_was_unknown_stays_unknown(tmp_path: Path, tiny_tables: Path) -> None:
    with run_twice(tmp_path, tiny_tables, Billed(None), Billed(5.0)) as store:
        assert all(call.usage.price is None for call in store.calls())
        assert store.spent().unpriced == store.spent().calls > 0


def test_another_model_adds_its_price(tmp_path: Path, tiny_tables: Path) -> None:
    first, other = Billed(2.0), Billed(5.0, "scripted:other")
    config = settings(tmp_path, tiny_tables, rounds=2)
    search = Search(config, {first.name: first, other.name: other})
    with SteeringClient.open(search.folder) as client:
        client.give("/model planner scripted:other", "me")
    search.run()
    with RunStore.read(search.folder) as store:
        assert list(store.rates()) == ["scripted:answers", "scripted:other"]
        kinds = [e.kind for e in store.events() if e.kind in ("run-started", "priced")]
        assert kinds == ["priced", "run-started", "priced"]
        for call in store.calls():
            price = 5e-6 if call.agent == "planner" else 2e-6
            assert call.usage.dollars == pytest.approx(price * call.tokens)


def dearer(model: str) -> DataSnapshot:
    """The catalogue with one model at ten times its price."""
    providers = []
    for provider in get_snapshot().providers:
        changed = copy(provider)
        changed.models = [
            replace(m, prices=ModelPrice(input_mtok=Decimal("1.5"), output_mtok=Decimal(6)))
            if m.id == model
            else m
            for m in provider.models
        ]
        providers.append(changed)
    return DataSnapshot(providers=providers, from_auto_update=False)


def test_a_newer_catalogue_does_not_change_a_run(tmp_path: Path, tiny_tables: Path) -> None:
    openai = pytest.importorskip("langchain_openai", reason="the extra 'openai' is not installed")
    from pelnas.agents.models.langchain import ProviderModel

    name = "openai:gpt-4o-mini"

    def billed(server: LoopbackServer) -> LanguageModel:
        chat = openai.ChatOpenAI(
            model="gpt-4o-mini", base_url=server.url, api_key=SecretStr("none")
        )
        return ProviderModel(name, chat, RetryPolicy(attempts=1), tariff(name))

    with LoopbackServer(lambda *_: "nothing") as server:
        config = settings(tmp_path, tiny_tables, model=name, rounds=1)
        folder = Search(config, {name: billed(server)}).run().folder
        try:
            set_custom_snapshot(dearer("gpt-4o-mini"))
            now = tariff(name)
            assert now is not None
            assert now.per_million == pytest.approx((1.5, 6.0))
            Search.resume(folder, {name: billed(server)}, rounds=2).run()
        finally:
            set_custom_snapshot(None)
    with RunStore.read(folder) as store:
        for call in store.calls():
            assert call.usage.dollars == pytest.approx(
                call.usage.tokens_in * 0.15e-6 + call.usage.tokens_out * 0.6e-6
            )
        assert store.rates()[name].prices == (0.15, 0.6, 0.075)
