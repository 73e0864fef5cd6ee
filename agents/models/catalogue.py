"""The models that are usable here: built in, GGUF files, a local Ollama, and configured providers."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx

from pelnas.calls.prices import tariff
from pelnas.inputs.paths import expanded
from pelnas.text import install

FOLDERS = "PELNAS_MODELS"  # variable with folders of GGUF files
OLLAMA = "http://127.0.0.1:11434"
SECONDS = 2.0  # that Ollama may take to answer
_PACKAGES = {
    "openai": "langchain_openai",
    "anthropic": "langchain_anthropic",
    "google_genai": "langchain_google_genai",
}


@dataclass(frozen=True, slots=True)
class Available:
    """One usable model. ``None`` stands for what is not known.

    ``context``: tokens of prompt and answer. ``structured``: whether answers can be
    constrained to a JSON schema; ``tools``: whether it can call tools. ``dollars_in``,
    ``dollars_out``: for a million tokens. ``needs``: what is still missing, '' for nothing.
    """

    name: str
    where: str
    context: int | None = None
    structured: bool | None = None
    tools: bool | None = None
    dollars_in: float | None = None
    dollars_out: float | None = None
    needs: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def available(folders: Sequence[Path] = ()) -> Iterator[Available]:
    """Everything usable. ``folders``: where GGUF files are, beside those of ``PELNAS_MODELS``.

    Asks an Ollama on this machine (or at ``OLLAMA_HOST``) and nobody else.
    """
    yield _free("builtin:evolver", "built in: evolution, no language model")
    yield _free("builtin:random", "built in: random sampling")
    yield from _files([*folders, *_named_folders()])
    yield from _ollama()
    for provider, package in _PACKAGES.items():
        yield from _provider(provider, package)


def _free(name: str, where: str, **known: Any) -> Available:
    return Available(name, where, dollars_in=0.0, dollars_out=0.0, **known)


def _named_folders() -> list[Path]:
    return [expanded(Path(text)) for text in os.environ.get(FOLDERS, "").split(os.pathsep) if text]


def _files(folders: Sequence[Path]) -> Iterator[Available]:
    """GGUF files, each once; only the first part of one that was split."""
    from pelnas.agents.models.gguf import CONTEXT

    needs = "" if find_spec("xllamacpp") else install("local")
    found = {file for folder in folders for file in folder.rglob("*.gguf")}
    for file in sorted(found):
        size = f"file of {file.stat().st_size / 1e9:.1f} GB"
        yield _free(f"local:{file}", size, context=CONTEXT, structured=True, needs=needs)


def _ollama() -> Iterator[Available]:
    """What an Ollama has pulled; nothing where none answers."""
    address = _ollama_address()
    needs = "" if find_spec("langchain_ollama") else install("ollama")
    try:
        with httpx.Client(base_url=address, timeout=SECONDS) as client:
            for model in client.get("/api/tags").raise_for_status().json()["models"]:
                told = client.post("/api/show", json={"model": model["name"]})
                shown = told.raise_for_status().json()
                yield _free(
                    f"ollama:{model['name']}",
                    f"Ollama at {address}",
                    context=_ollama_context(shown.get("model_info") or {}),
                    structured=True,
                    tools="tools" in shown.get("capabilities", ()),
                    needs=needs,
                )
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError, AttributeError):
        return  # none there, or something that is no Ollama


def _ollama_address() -> str:
    """As Ollama's own client reads its variable, which may lack scheme and port."""
    host = os.environ.get("OLLAMA_HOST", "").strip()
    host = host.replace("0.0.0.0", "127.0.0.1")  # noqa: S104 - it is read, nothing is bound
    if not host:
        return OLLAMA
    if "://" in host:
        return host
    return f"http://{host}" if ":" in host else f"http://{host}:11434"


def _ollama_context(info: dict[str, Any]) -> int | None:
    lengths = (value for key, value in info.items() if key.endswith(".context_length"))
    return next((int(length) for length in lengths), None)


def _provider(provider: str, package: str) -> Iterator[Available]:
    """Models of a provider in the catalogue of prices that can be constrained to a schema."""
    from pelnas.agents.models.clients import KEYS

    key = next((name for name in KEYS[provider] if os.environ.get(name)), None)
    if key is None or find_spec(package) is None:
        return
    from genai_prices.data_snapshot import get_snapshot
    from langchain.chat_models import init_chat_model

    known = {"google_genai": "google"}.get(provider, provider)
    entry = next(entry for entry in get_snapshot().providers if entry.id == known)
    for model in entry.models:
        profile: Any = init_chat_model(model.id, model_provider=provider).profile or {}
        if not (profile.get("structured_output") or profile.get("tool_calling")):
            continue
        name = f"{provider}:{model.id}"
        bill = tariff(name)
        into, out = bill.per_million if bill is not None else (None, None)
        yield Available(
            name,
            f"key in {key}",
            context=profile.get("max_input_tokens") or model.context_window,
            structured=profile.get("structured_output"),
            tools=profile.get("tool_calling"),
            dollars_in=into,
            dollars_out=out,
        )
