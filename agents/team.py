"""The team: the configured models assembled into planner, designers and reflection agents."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from threading import BoundedSemaphore
from typing import Protocol

from pelnas.agents.designer import Designer, ModelDesigner
from pelnas.agents.dialogue import ATTEMPTS, Dialogue, Ledger, Meter, OpenDialogue
from pelnas.agents.evolver import (
    EVOLVER,
    RANDOM,
    BuiltinPlanner,
    EvolvingDesigner,
    RandomDesigner,
    ScreeningReflector,
)
from pelnas.agents.models.base import LanguageModel
from pelnas.agents.models.connection import connect
from pelnas.agents.models.wrappers import Limited
from pelnas.agents.planner import ModelPlanner, Planner
from pelnas.agents.reflection import ModelReflector, Reflector
from pelnas.agents.tool_loop import most_requests
from pelnas.config import BUILTIN, ROLES, SearchConfig
from pelnas.consent import Consent, reached
from pelnas.errors import ModelError
from pelnas.prompts import Prompt, load_prompt

DESIGNERS: dict[str, Callable[[], Designer]] = {EVOLVER: EvolvingDesigner, RANDOM: RandomDesigner}


class RunMeter(Meter, Protocol):
    """The meter of a whole run, which knows its limit of time as well."""

    def minutes_left(self) -> float | None:
        """Minutes until the limit of time, at least 0; ``None`` without a limit."""


@dataclass(frozen=True)
class Team:
    """The agents of a search and the models behind them.

    Each role is a chain: where one agent fails, the next is asked; the last is built in.
    """

    planners: tuple[Planner, ...]
    designers: tuple[Designer, ...]
    reflectors: tuple[Reflector, ...]
    models: tuple[LanguageModel, ...] = field(default=(), repr=False)

    def stop(self) -> None:
        """The search is to stop: no model waits for a person any longer."""
        for model in self.models:
            model.stop()

    def close(self) -> None:
        """Disconnect every model; a second call does nothing."""
        for model in self.models:
            model.close()


def check_turns(config: SearchConfig) -> None:
    """ModelError: a limit of concurrent calls is for a provider that does not exist."""
    named = {name.partition(":")[0] for role in ROLES for name in config.chain_of(role)}
    for limit in config.concurrency:
        if limit.provider and limit.provider not in named | {"local", "hand"}:
            from pelnas.agents.models.clients import check_provider  # brings LangChain

            check_provider(
                limit.provider, f"the setting concurrency ({limit.provider}={limit.calls})"
            )


def connect_all(
    config: SearchConfig,
    given: Mapping[str, LanguageModel] | None = None,
    consent: Consent | None = None,
) -> dict[str, LanguageModel]:
    """Every language model that some role names, connected once each. ModelError: one cannot be.

    ``given``: models that the caller has connected, by the names the roles use. ``consent``: to
    what they reach; without it only to what was named on this machine before. AddressError:
    there is none, and nothing was reached.
    """
    ready = dict(given or {})
    names = list(dict.fromkeys(name for role in ROLES for name in config.chain_of(role)))
    for name in names:
        if name.startswith(BUILTIN) and name not in DESIGNERS:
            raise ModelError(f"unknown model {name!r}: built in are {', '.join(DESIGNERS)}")
    missing = [name for name in names if not name.startswith(BUILTIN) and name not in ready]
    (consent or Consent()).check(reached(config, missing))
    for name in missing:
        ready[name] = connect(name, base_url=config.base_url, temperature=config.temperature)
    if config.budget.dollars is not None:
        refuse_unpriced(ready[name] for name in names if name in ready)
    return ready


def refuse_unpriced(models: Iterable[LanguageModel]) -> None:
    """ModelError: no price is known for one of them, which --max-dollars needs."""
    for model in models:
        if not model.priced:
            raise ModelError(
                f"no price is known for {model.name}; --max-dollars needs one:"
                " limit calls or tokens instead, or name a model that `pelnas models` has a price for"
            )


def assemble(
    config: SearchConfig, models: dict[str, LanguageModel], ledger: Ledger, meter: RunMeter
) -> Team:
    """The agents of a search. PromptError: a prompt of the run's own cannot be used."""
    for model in models.values():
        model.set_deadline(meter.minutes_left)
    limited = _limited(models, config)

    requests = dict.fromkeys(ROLES, most_requests(config.tool_calls)) if config.tool_calls else {}

    def chain(role: str) -> list[tuple[str, Prompt, OpenDialogue]]:
        """What the language models of a role are made of."""
        names = [name for name in config.chain_of(role) if not name.startswith(BUILTIN)]
        prompt = load_prompt(role, config.prompts) if names else None
        most = requests.get(role, ATTEMPTS)
        return [
            (limited[name].name, prompt, _opening(limited[name], ledger, meter, rank * most))
            for rank, name in enumerate(names)
            if prompt is not None
        ]

    with_tools = {role: load_prompt(f"{role}_tools", config.prompts) for role in requests}
    sharing = load_prompt("designer_share", config.prompts) if config.designer_share != 1 else None
    limit = config.prompt_tokens
    edits = load_prompt("designer_edits", config.prompts)
    last = DESIGNERS[config.chain_of("designer")[-1]]
    return Team(
        planners=(
            *(ModelPlanner(*parts, with_tools.get("planner"), limit) for parts in chain("planner")),
            BuiltinPlanner(),
        ),
        designers=(
            *(
                ModelDesigner(
                    name,
                    {"designer": prompt, "designer_edits": edits},
                    opening,
                    with_tools.get("designer"),
                    sharing,
                    limit,
                )
                for name, prompt, opening in chain("designer")
            ),
            last(),
        ),
        reflectors=(
            *(
                ModelReflector(*parts, with_tools.get("reflection"), limit)
                for parts in chain("reflection")
            ),
            ScreeningReflector(),
        ),
        models=tuple(models.values()),
    )


def _opening(model: LanguageModel, ledger: Ledger, meter: Meter, first: int) -> OpenDialogue:
    def dialogue(agent: str, round_: int, niche: int | None) -> Dialogue:
        return Dialogue(model, ledger, meter, agent=agent, round=round_, niche=niche, first=first)

    return dialogue


def _limited(models: Mapping[str, LanguageModel], config: SearchConfig) -> dict[str, LanguageModel]:
    """The models, those of one provider taking turns where there is a limit."""
    provider = {name: name.partition(":")[0] for name in models}
    limits = {one: config.at_once(one) for one in provider.values()}
    turns = {one: BoundedSemaphore(limit) for one, limit in limits.items() if limit is not None}
    return {
        name: Limited(model, turns[provider[name]]) if provider[name] in turns else model
        for name, model in models.items()
    }
