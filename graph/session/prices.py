"""Prices stored with a run, so that its dollars stay comparable under a newer catalogue."""

from collections.abc import Mapping
from dataclasses import asdict

from pelnas.agents.models.base import LanguageModel
from pelnas.agents.models.wrappers import Priced
from pelnas.config import ROLES, SearchConfig
from pelnas.store import RunStore
from pelnas.store.run_record import PRICED
from pelnas.traces.spans import RUN


def at_kept_prices(
    store: RunStore, config: SearchConfig, models: Mapping[str, LanguageModel]
) -> dict[str, LanguageModel]:
    """The models at what each cost when this run first used it; what is new is kept from now on.

    ``config``: says which of them are used.
    """
    kept, ready = store.rates(), dict(models)
    for name in dict.fromkeys(name for role in ROLES for name in config.chain_of(role)):
        model = models.get(name)
        now = model.rates if model is not None else None
        if model is None or now is None:
            continue
        if name not in kept:
            store.event(PRICED, span=RUN, **asdict(now), message=str(now))
        elif kept[name].prices != now.prices:
            ready[name] = Priced(model, kept[name])
    return ready
