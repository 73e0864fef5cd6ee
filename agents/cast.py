"""Who plays which role: the configuration's models turned into planner, designer and reflection."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from pelnas.agents.designer import Designer, ModelDesigner
from pelnas.agents.dialogue import Dialogue, Ledger, Meter, OpenDialogue
from pelnas.agents.evolver import (
    EVOLVER,
    RANDOM,
    BuiltinPlanner,
    EvolvingDesigner,
    RandomDesigner,
    ScreeningReflector,
)
from pelnas.agents.models import LanguageModel, connect
from pelnas.agents.planner import ModelPlanner, Planner
from pelnas.agents.reflection import ModelReflector, Reflector
from pelnas.config import SearchConfig
from pelnas.errors import ModelError
from pelnas.prompts import Prompt, load_prompt

BUILTIN = "builtin:"
DESIGNERS: dict[str, Callable[[], Designer]] = {EVOLVER: EvolvingDesigner, RANDOM: RandomDesigner}


@dataclass(frozen=True)
class Cast:
    """The three agents of a search and the models behind them."""

    planner: Planner
    designer: Designer
    reflection: Reflector
    models: tuple[LanguageModel, ...] = field(default=(), repr=False)

    def close(self) -> None:
        """Disconnect every model; a second call does nothing."""
        for model in self.models:
            model.close()


def connect_all(
    config: SearchConfig, given: Mapping[str, LanguageModel] | None = None
) -> dict[str, LanguageModel]:
    """Every language model that some role names, connected once each. ModelError: one cannot be.

    ``given``: models that the caller has connected, by the names the roles use.
    """
    ready = dict(given or {})
    names = [config.model_of(role) for role in ("planner", "designer", "reflection")]
    for name in names:
        if name.startswith(BUILTIN) and name not in DESIGNERS:
            raise ModelError(f"unknown model {name!r}: built in are {', '.join(DESIGNERS)}")
    for name in names:
        if not name.startswith(BUILTIN) and name not in ready:
            ready[name] = connect(name, base_url=config.base_url, temperature=config.temperature)
    if config.budget.dollars is not None:
        _refuse_unpriced(ready[name] for name in names if name in ready)
    return ready


def _refuse_unpriced(models: Iterable[LanguageModel]) -> None:
    """A limit of dollars can be kept only where prices are known."""
    for model in models:
        if not model.priced:
            raise ModelError(
                f"nobody knows the price of {model.name}, which a budget of dollars needs:"
                " limit calls or tokens instead, or name a model that `pelnas models` has a price for"
            )


def assemble(
    config: SearchConfig, models: dict[str, LanguageModel], ledger: Ledger, meter: Meter
) -> Cast:
    """The agents of a search. PromptError: a prompt of the run's own cannot be used."""

    def role(name: str) -> tuple[str, Prompt, OpenDialogue]:
        model = models[config.model_of(name)]

        def dialogue(agent: str, round_: int, niche: int | None) -> Dialogue:
            return Dialogue(model, ledger, meter, agent=agent, round=round_, niche=niche)

        return model.name, load_prompt(name, config.prompts), dialogue

    def builtin(name: str) -> bool:
        return config.model_of(name).startswith(BUILTIN)

    return Cast(
        planner=BuiltinPlanner() if builtin("planner") else ModelPlanner(*role("planner")),
        designer=(
            DESIGNERS[config.model_of("designer")]()
            if builtin("designer")
            else ModelDesigner(*role("designer"))
        ),
        reflection=(
            ScreeningReflector() if builtin("reflection") else ModelReflector(*role("reflection"))
        ),
        models=tuple(models.values()),
    )
