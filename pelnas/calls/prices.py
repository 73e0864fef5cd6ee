"""What calls to language models cost, from a catalogue that comes with the package ``genai-prices``.

Nothing is looked up over the network: prices are as current as the installed
catalogue, and what a call cost is kept with the call. A price that nobody knows
is ``None`` and never zero.
"""

from dataclasses import dataclass
from datetime import date
from importlib.metadata import version

from pelnas.calls.usage import Usage
from pelnas.text import plural

PACKAGE = "genai-prices"
FREE = ("builtin", "local", "ollama", "hand", "scripted")  # providers that send no bill
_CATALOGUE = {
    "google_genai": "google",
    "google_vertexai": "google",
    "mistralai": "mistral",
    "azure_openai": "azure",
    "azure_ai": "azure",
    "bedrock": "aws",
    "bedrock_converse": "aws",
    "xai": "x-ai",
}  # LangChain's names of providers, where the catalogue has others


@dataclass(frozen=True, slots=True)
class Tariff:
    """Where a model stands in the catalogue; ``provider`` is '' for one that costs nothing."""

    provider: str = ""
    model: str = ""

    def dollars(self, usage: Usage) -> float:
        """US dollars of one call."""
        if not self.provider:
            return 0.0
        import genai_prices

        billed = genai_prices.Usage(
            input_tokens=usage.tokens_in,
            output_tokens=usage.tokens_out,
            cache_read_tokens=min(usage.tokens_cached or 0, usage.tokens_in),
        )
        price = genai_prices.calc_price(billed, model_ref=self.model, provider_id=self.provider)
        return float(price.total_price)

    @property
    def per_million(self) -> tuple[float, float]:
        """US dollars for a million tokens in and out, each by itself, as requests of usual length cost.

        Some providers charge more for requests as long as a million tokens are.
        """
        into, out = self.dollars(Usage(1000)), self.dollars(Usage(0, 1000))
        return round(1000 * into, 6), round(1000 * out, 6)


@dataclass(frozen=True, slots=True)
class Rates:
    """What calls to a model cost, as a run keeps it, so that its dollars stay of one kind.

    US dollars for a million tokens in, out, and in from the provider's cache, in requests of
    usual length; ``None``: unknown. ``catalogue``: package and version that says so;
    ``day``: on which it was asked, as 2026-07-31.
    """

    model: str  # ``provider:model``, as asked for
    dollars_in: float | None
    dollars_out: float | None
    dollars_cached: float | None
    catalogue: str
    day: str

    @property
    def known(self) -> bool:
        """Whether the catalogue has a price."""
        return self.dollars_in is not None

    @property
    def prices(self) -> tuple[float | None, ...]:
        """In, out and cached."""
        return self.dollars_in, self.dollars_out, self.dollars_cached

    def dollars(self, usage: Usage) -> float | None:
        """US dollars of one call, ``None``: unknown."""
        if self.dollars_in is None or self.dollars_out is None or self.dollars_cached is None:
            return None
        cached = min(usage.tokens_cached or 0, usage.tokens_in)
        fresh, out = usage.tokens_in - cached, usage.tokens_out
        return (
            fresh * self.dollars_in + cached * self.dollars_cached + out * self.dollars_out
        ) / 1e6

    def __str__(self) -> str:
        source = f"{self.catalogue}, {self.day}"
        if not self.known:
            return f"{self.model}: price unknown ({source})"
        into, out, cached = (f"${price:g}" for price in self.prices)
        return f"{self.model}: {into} in, {out} out, {cached} cached a million tokens ({source})"


def rates(name: str, bill: Tariff | None, today: date | None = None) -> Rates | None:
    """What today's catalogue says of a model; ``None`` for one that costs nothing."""
    if bill is not None and not bill.provider:
        return None
    into, out, cached = None, None, None
    if bill is not None:
        into, out = bill.per_million
        cached = round(1000 * bill.dollars(Usage(1000, 0, 1000)), 6)
    day = (today or date.today()).isoformat()
    return Rates(name, into, out, cached, f"{PACKAGE} {version(PACKAGE)}", day)


def tariff(name: str, base_url: str | None = None) -> Tariff | None:
    """The tariff of a ``provider:model``; ``None`` where the catalogue does not know it.

    A server of one's own (``base_url``) may bill what it likes, whatever it calls its
    models: its price is known only where the catalogue knows the address.
    """
    provider, _, model = name.partition(":")
    if provider in FREE:
        return Tariff()
    import genai_prices

    billed = genai_prices.Usage(input_tokens=1, output_tokens=1)
    try:
        if base_url:
            price = genai_prices.calc_price(billed, model_ref=model, provider_api_url=base_url)
        else:
            known = _CATALOGUE.get(provider, provider)
            price = genai_prices.calc_price(billed, model_ref=model, provider_id=known)
    except LookupError:
        return None
    return Tariff(price.provider.id, model)


def context_window(name: str) -> int | None:
    """Tokens of prompt and answer that the catalogue lists for a model; ``None``: it does not."""
    from genai_prices.data_snapshot import get_snapshot

    known = tariff(name)
    if known is None or not known.provider:
        return None
    _, model = get_snapshot().find_provider_model(known.model, None, known.provider, None)
    return model.context_window


def in_words(dollars: float | None, unpriced: int = 0) -> str:
    """``$0.0123``, with how many calls of unknown price come on top of it."""
    if dollars is None:
        return "price unknown"
    if 0 < dollars < 1:
        known = f"${dollars:.4f}" if dollars >= 0.0001 else "less than $0.0001"
    else:
        known = f"${dollars:,.2f}"
    more = f"{unpriced:,} {plural(unpriced, 'call')} of unknown price" if unpriced else ""
    return more if more and not dollars else ", and ".join(filter(None, (known, more)))
