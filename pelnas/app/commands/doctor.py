"""``pelnas doctor``: whether everything a search needs works here, each part really tried."""

import os
import platform
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from pelnas.app import options
from pelnas.errors import PelnasError
from pelnas.text import install

PACKAGES = {  # import names where they differ from the provider's
    "openai": "langchain_openai",
    "anthropic": "langchain_anthropic",
    "google_genai": "langchain_google_genai",
    "ollama": "langchain_ollama",
}


@dataclass(frozen=True, slots=True)
class Check:
    """One part: ``ok``, ``absent`` or ``unusable`` (not needed by every search), or ``broken``."""

    part: str
    status: str
    found: str


def doctor(
    data: Annotated[
        Path | None,
        typer.Option("--data", envvar="PELNAS_DATA", help="Folder of benchmark tables to look at."),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Check this installation; exit code 2 if something that every search needs is broken."""
    from pelnas.app.display.output import print_json, print_table

    checks = list(examine(data))
    healthy = all(check.status != "broken" for check in checks)
    if as_json:
        print_json({"healthy": healthy, "checks": [asdict(check) for check in checks]})
    else:
        rows = ((check.part, check.status, check.found) for check in checks)
        print_table("", ("part", "status", "found"), rows)
    if not healthy:
        raise typer.Exit(2)


def examine(data: Path | None) -> Iterator[Check]:
    """Every check, each as soon as it is done."""
    yield Check("python", "ok", f"{platform.python_version()} on {platform.platform()}")
    for part, look in {
        "packages": _packages,
        "torch": _torch,
        "cache": _cache,
        "store": _store,
        "knowledge base": _knowledge,
        "token counts": _tokens,
    }.items():
        yield _tried(part, look, "broken")
    yield from _models()
    yield from _plugins()
    if data is None:
        yield Check("tables", "absent", "no folder given: --data or PELNAS_DATA names one")
    else:
        yield _tried("tables", lambda: _tables(data), "broken")


def _tried(part: str, look: Callable[[], str], otherwise: str) -> Check:
    try:
        return Check(part, "ok", look())
    except (PelnasError, ImportError, OSError) as error:
        return Check(part, otherwise, " ".join(str(error).split()) or type(error).__name__)


def _packages() -> str:
    """The versions of everything that is not optional."""
    from importlib.metadata import requires, version

    from packaging.requirements import Requirement

    wanted = map(Requirement, requires("pelnas") or [])
    needed = [r for r in wanted if r.marker is None or r.marker.evaluate({"extra": ""})]
    old = [f"{r.name} {version(r.name)}" for r in needed if version(r.name) not in r.specifier]
    if old:
        raise ImportError(f"too old: {', '.join(old)}; install pelnas again")
    return ", ".join(f"{r.name} {version(r.name)}" for r in needed)


def _torch() -> str:
    import torch

    total = float(torch.ones(8, 8).matmul(torch.ones(8, 8)).sum())
    if total != 512.0:
        raise ImportError(f"torch computes {total} in place of 512; install it again")
    return f"{os.cpu_count()} cores, {torch.get_num_threads()} torch threads"


def _cache() -> str:
    from pelnas.cache import cache_key, default_cache

    cache, key = default_cache(), cache_key("doctor")
    cache.put(key, 1)
    return f"{cache.path}, {cache.path.stat().st_size:,} bytes"


def _store() -> str:
    import sqlite3

    from pelnas.config import SearchConfig
    from pelnas.store import RunStore

    with (
        tempfile.TemporaryDirectory() as folder,
        RunStore.create(SearchConfig(output=Path(folder))) as store,
    ):
        store.event("doctor")
    return f"SQLite {sqlite3.sqlite_version}"


def _knowledge() -> str:
    import chromadb

    from pelnas.predicate import parse_predicate
    from pelnas.rules.knowledge_base import KnowledgeBase
    from pelnas.rules.rule import Scope, propose

    claim = parse_predicate("nor_conv_3x3 >= 2")
    rule = propose("a trial", "helps", "accuracy", claim, Scope("nasbench201", "", ""))
    with tempfile.TemporaryDirectory() as folder:
        knowledge = KnowledgeBase(Path(folder))
        try:
            knowledge.put([rule])
            kept = knowledge.all()
        finally:
            knowledge.close()
    if kept != [rule]:
        raise OSError("a rule does not come back as it was stored; install chromadb again")
    return f"chromadb {chromadb.__version__}"


def _tokens() -> str:
    from pelnas.calls import tokens

    return f"{tokens.count('two 3x3 convolutions')} tokens in a trial text, without network"


def _models() -> Iterator[Check]:
    """Which language models may be named; none is needed and none is asked."""
    from importlib.util import find_spec

    from pelnas.agents.models.clients import EXTRAS, KEYS

    yield Check("builtin:", "ok", "always there, no language model")
    if find_spec("xllamacpp"):
        yield Check("local:", "ok", "give the path of a GGUF file")
    else:
        yield Check("local:", "absent", install("local"))
    for provider, extra in EXTRAS.items():
        keys = KEYS.get(provider, ())
        if not find_spec(PACKAGES[provider]):
            yield Check(f"{provider}:", "absent", install(extra))
        elif keys and not any(os.environ.get(key) for key in keys):
            yield Check(f"{provider}:", "absent", f"installed; {' or '.join(keys)} is not set")
        else:
            yield Check(f"{provider}:", "ok", "installed" + (", key is set" if keys else ""))


def _plugins() -> Iterator[Check]:
    """What other packages bring, each loaded: one that cannot be harms its own users alone."""
    from pelnas import devices, predictors, spaces
    from pelnas.plugins import Group
    from pelnas.proxies import table

    groups: tuple[Group[Any], ...] = (
        spaces.PLUGINS,
        devices.PLUGINS,
        predictors.PLUGINS,
        table.PLUGINS,
    )
    for group in groups:
        for name in group.names():
            problem = group.problem(name)
            found = problem or f"of package {group.package(name)}"
            yield Check(f"{group.noun} {name}", "unusable" if problem else "ok", found)


def _tables(data: Path) -> str:
    from pelnas import tables
    from pelnas.devices import devices_in

    found = devices_in(data)
    names = dict.fromkeys((*found["tables"], *found["layered"]))
    datasets = f"; data sets {', '.join(tables.datasets(data))}" if found["tables"] else ""
    return f"{data}: devices {', '.join(names)}{datasets}"
