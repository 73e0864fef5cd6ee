"""What a client of a served search may choose; its owner decides everything else.

Whoever reaches the server may post settings. What reaches files and addresses, or sets how
this machine works, is left to the owner: in a file of settings that PELNAS_SEARCH_SETTINGS
names, read at the start. Its budgets are the most that a client may ask for. Models are taken
that the file names or PELNAS_SEARCH_MODELS offers (``pelnas.graph.chat.allowlist``), and what is built in.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pelnas.config import BUILTIN, ROLES, SETTINGS, SearchConfig, load_config
from pelnas.directives import Order, SetBudget, SetModel
from pelnas.errors import ConfigError, DirectiveError, ModelError
from pelnas.graph.chat.allowlist import ModelOffer
from pelnas.inputs.paths import expanded
from pelnas.tools.runs import run_below

MODELS = "PELNAS_SEARCH_MODELS"
SETTINGS_FILE = "PELNAS_SEARCH_SETTINGS"
RUNS = "PELNAS_SERVE_RUNS"  # the folder of served runs
TOKEN = "PELNAS_SERVE_TOKEN"  # noqa: S105 - the name of a variable
OPEN = tuple(name for name in SearchConfig.model_fields if SETTINGS[name].served)


class Policy:
    """What the owner of a server grants, and what they set themselves."""

    def __init__(
        self,
        offer: ModelOffer,
        file: Path | None = None,
        most: Mapping[str, float] | None = None,
    ) -> None:
        """``file``: the owner's settings; ``most``: budgets, which win over those of the file.

        ConfigError: the file cannot be used.
        """
        self._offer = offer
        self._file = file
        self._most = dict(most or {})
        self._owned = load_config(file, {"budget": self._most})
        self._named = _models(self._owned)

    @classmethod
    def from_environment(cls) -> Self:
        file = os.environ.get(SETTINGS_FILE)
        return cls(ModelOffer.from_environment(MODELS), expanded(Path(file)) if file else None)

    def settings(self, posted: object, runs: Path) -> SearchConfig:
        """The owner's settings and over them a client's. ``runs``: the folder of served runs.

        ConfigError, ModelError, RunError: what a client may not choose, or what no search takes.
        """
        if not isinstance(posted, Mapping):
            raise ConfigError(f"expected settings by name, found {type(posted).__name__}")
        for name in posted:
            if name in SearchConfig.model_fields and name not in OPEN:
                raise ConfigError(
                    f"setting {name!r} is for the owner of this server alone, in the file that"
                    f" {SETTINGS_FILE} names: leave it out, clients set {', '.join(OPEN)}"
                )
        config = load_config(self._file, self._within(posted))
        self.admit(config)
        for name, wanted in config.budget:
            most = self._exceeded(name, wanted)
            if most is not None:
                raise ConfigError(_too_much(name, most, wanted))
        for run in config.rules_from if "rules_from" in posted else ():
            run_below(runs, str(run))  # else it could be any path
        return config

    def _within(self, posted: Mapping[str, Any]) -> Mapping[str, Any]:
        """A client's settings with the owner's budgets where the client names none."""
        own = posted.get("budget")
        if own is not None and not isinstance(own, Mapping):
            return posted  # whoever checks the settings says so
        return {**posted, "budget": self._most | dict(own or {})}

    def admit(self, config: SearchConfig) -> None:
        """ModelError: a search with these settings would ask a model that is not offered."""
        for name in _models(config):
            if not self._allows(name):
                raise ModelError(self._not_offered(name))

    def permit(self, order: Order) -> None:
        """DirectiveError: the order is not for a client to give."""
        if isinstance(order, SetModel) and not self._allows(order.model):
            raise DirectiveError(self._not_offered(order.model))
        most = self._exceeded(order.name, order.limit) if isinstance(order, SetBudget) else None
        if isinstance(order, SetBudget) and most is not None:
            raise DirectiveError(_too_much(order.name, most, order.limit))

    def _allows(self, model: str) -> bool:
        return model.startswith(BUILTIN) or model in self._named or self._offer.allows(model)

    def _not_offered(self, model: str) -> str:
        return (
            f"model {model[:80]!r} is not offered to searches on this server:"
            f" name one of {self._offer.in_words()}"
        )

    def _exceeded(self, budget: str, wanted: float | None) -> float | None:
        """The most that the owner allows, where somebody wants more."""
        most: float | None = getattr(self._owned.budget, budget)
        return most if most is not None and (wanted is None or wanted > most) else None


def _models(config: SearchConfig) -> set[str]:
    """Every model that a configuration names, also those that only an order would bring into play."""
    roles = [(config.model_of(role), *config.fallbacks_of(role)) for role in ROLES]
    return {config.model, *config.fallbacks, *(name for names in roles for name in names)}


def _too_much(budget: str, most: float, wanted: float | None) -> str:
    found = "no limit" if wanted is None else f"{wanted:g}"
    return (
        f"expected a budget of at most {most:g} {budget}, which the owner of this server set,"
        f" found {found}: ask for less"
    )
