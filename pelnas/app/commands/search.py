"""``pelnas search`` and ``pelnas resume``: the main job."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pelnas.app import options
from pelnas.app.commands.follow import follow
from pelnas.app.consent_prompt import AcceptAddress, with_consent

if TYPE_CHECKING:
    from pelnas import Search, SearchConfig
    from pelnas.config import Budget

Chat = Annotated[
    bool, typer.Option("--chat", help="Chat with the search; its model reads natural language.")
]


@options.takes(*options.every(by_hand="reflection_model", config="name", no_knowledge="knowledge"))
def search(
    *,
    given: dict[str, Any],
    by_hand: Annotated[
        bool,
        typer.Option(
            "--by-hand",
            help=f"Like --designer-model {options.BY_HAND}: a human designs, through files.",
        ),
    ] = False,
    config: options.Config = None,
    no_knowledge: Annotated[
        bool, typer.Option("--no-knowledge", help="Neither use nor keep what runs learned.")
    ] = False,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Estimate cost only; do not search.")
    ] = False,
    chat: Chat = False,
    as_json: options.Json = False,
) -> None:
    """Find the best networks for a device at every latency, without training any."""
    _one_reader(chat, as_json)
    from pelnas import Search, load_config

    if by_hand:
        given["designer_model"] = _person(given.get("designer_model"))
    if no_knowledge:
        given["knowledge"] = _off(given.get("knowledge"))
    settings = load_config(config, given)
    if estimate:
        _estimate(settings, as_json)
        return
    found = Search(settings)
    _foretell(found)
    follow(found, as_json, chat)


@options.takes(
    *("rounds", "pool", *options.BUDGETS),
    texts={"rounds": "Rounds in all.", "pool": "Where networks are scored from now on."},
)
def resume(
    *,
    run: options.Run = "last",
    given: dict[str, Any],
    accept_address: AcceptAddress = False,
    output: options.Output = None,
    chat: Chat = False,
    as_json: options.Json = False,
) -> None:
    """Go on with a run that was stopped, killed, or ended by its limits; nothing is scored twice."""
    _one_reader(chat, as_json)
    from pelnas import load_config
    from pelnas.store import find_run

    rounds, budget = given.get("rounds"), load_config(None, given).budget
    pool = given.get("scoring", {}).get("pool")
    folder = find_run(options.runs_folder(output), run)
    search = with_consent(
        accept_address, lambda accept: _resumed(folder, rounds, budget, pool, chat, accept)
    )
    follow(search, as_json, chat)


def _resumed(
    folder: Path,
    rounds: int | None,
    budget: "Budget",
    pool: str | None,
    chat: bool,
    accept: bool,
) -> "Search":
    """The search that goes on, once its user agrees to what its models and its reader reach."""
    from pelnas import Search
    from pelnas.consent import reached
    from pelnas.errors import AddressError

    search = Search.resume(folder, rounds=rounds, budget=budget, accept_address=accept, pool=pool)
    if chat:
        try:
            search.session.consent.check(
                reached(search.session.config, [search.session.config.model])
            )
        except AddressError:
            search.session.close()
            raise
    return search


def _one_reader(chat: bool, as_json: bool) -> None:
    """ConfigError: standard output is asked to be a conversation and a document at once."""
    from pelnas.errors import ConfigError

    if chat and as_json:
        raise ConfigError(
            "expected a conversation or a document, found --chat and --json: leave one"
        )


def _person(designer_model: str | None) -> str:
    """The model of ``--by-hand``."""
    from pelnas.errors import ConfigError

    if designer_model is not None:
        raise ConfigError(
            f"expected one designer, found --by-hand and --designer-model {designer_model}: leave one"
        )
    return options.BY_HAND


def _off(knowledge: str | None) -> str:
    """The setting of ``--no-knowledge``."""
    from pelnas.errors import ConfigError
    from pelnas.knowledge.location import OFF

    if knowledge is not None:
        raise ConfigError(
            f"expected one knowledge base or none, found --knowledge {knowledge[:200]} and"
            " --no-knowledge: leave one"
        )
    return OFF


def _estimate(config: "SearchConfig", as_json: bool) -> None:
    """Say what a search is likely to use."""
    from dataclasses import asdict

    from pelnas.app.display.estimate_text import foretold, scored
    from pelnas.app.display.output import print_json, say
    from pelnas.graph.estimate.estimate import estimate
    from pelnas.graph.session.problem import outlook, resolved
    from pelnas.store.records import images_in_words

    config = resolved(config)
    partition, images = outlook(config)
    found = estimate(config, partition)
    counts, held_out = (images.class_images, images.held_out) if images else ({}, 0)
    if as_json:
        seen = {"class_images": counts, "held_out": held_out}
        print_json(asdict(found) | {"accuracy": config.accuracy} | seen)
        return
    name = config.dataset or (images.name if images else "")
    say(scored(config.accuracy, name, images_in_words(counts, held_out)))
    say(foretold(config, found))


def _foretell(search: "Search") -> None:
    """The same for one that is about to begin."""
    from pelnas.app.display.estimate_text import foretold, scored
    from pelnas.app.display.output import note
    from pelnas.graph.estimate.estimate import estimate

    config, sources = search.session.config, search.session.store.sources()
    found = estimate(config, search.session.problem.partition)
    note(scored(config.accuracy, sources.dataset, sources.images))
    note(foretold(config, found))
