"""LangChain's provider clients: which exist, what each needs, and why one cannot be used."""

import os
import re
from collections.abc import Sequence
from difflib import get_close_matches
from importlib.util import find_spec
from typing import Any

from langchain.chat_models import init_chat_model
from langchain_core.language_models import BaseChatModel

from pelnas.agents.models.base import RetryPolicy
from pelnas.agents.models.provider_errors import NO_KEY, clean
from pelnas.errors import ModelError
from pelnas.inputs import address
from pelnas.text import install

EXTRAS = {
    "openai": "openai",
    "anthropic": "anthropic",
    "google_genai": "google",
    "ollama": "ollama",
}
KEYS = {
    "openai": ("OPENAI_API_KEY",),
    "anthropic": ("ANTHROPIC_API_KEY",),
    "google_genai": ("GOOGLE_API_KEY", "GEMINI_API_KEY"),
}
_PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")


def construct(
    name: str, server: str | None, temperature: float | None, retry: RetryPolicy
) -> BaseChatModel:
    """The client of a ``provider:model``, which has not asked anything yet.

    ``server``: answers in the provider's place. ModelError: no such provider, no key, a key
    that cannot be sent, a missing or broken package, or settings that no client takes.
    """
    provider, _, model = name.partition(":")
    variable, key = key_of(provider)
    keyless = provider not in KEYS or (provider == "openai" and server is not None)
    if not key and not keyless:
        raise ModelError(f"{name} needs a key: set the variable {KEYS[provider][0]}")
    _check_key(variable, key)
    settings = _settings(provider, server, temperature, retry)
    if key and (provider in KEYS or key != os.environ[variable]):
        settings["api_key"] = key
    try:
        made: BaseChatModel = init_chat_model(model, model_provider=provider, **settings)
    except ImportError as error:
        raise ModelError(_missing(name, provider, error)) from None
    except Exception as error:  # noqa: BLE001 - each provider's client refuses in its own way
        raise ModelError(_unusable(name, provider, error, key, server)) from None
    return made


def key_of(provider: str) -> tuple[str, str]:
    """The variable that holds the provider's key, and the key, without white space around it.

    Files and copies bring line ends along, and no key has any.
    """
    for variable in KEYS.get(provider, (f"{provider.upper()}_API_KEY",)):
        key = os.environ.get(variable, "").strip()
        if key:
            return variable, key
    return "", ""


def _check_key(variable: str, key: str) -> None:
    """ModelError: the key could be sent in no header."""
    if key[:1] in "\"'`" and key:
        wrong = "one in quotes"
    elif any(letter.isspace() for letter in key):
        wrong = "one with a space or a line end in it"
    elif not (key.isascii() and key.isprintable()):
        wrong = "one with characters that no key has"
    else:
        return
    raise ModelError(f"expected a key in the variable {variable}, found {wrong}: set the key alone")


def _settings(
    provider: str, server: str | None, temperature: float | None, retry: RetryPolicy
) -> dict[str, Any]:
    """What the provider's client is made with. Retries are counted here, not in the client."""
    settings: dict[str, Any] = {"disable_streaming": True}
    if provider == "ollama":
        settings["client_kwargs"] = {"timeout": retry.timeout}
    else:
        # Google's client counts attempts, and takes 0 for its own default of five.
        retries = 1 if provider == "google_genai" else 0
        settings |= {"timeout": retry.timeout, "max_retries": retries}
    if temperature is not None or provider == "google_genai":  # which else sends one of its own
        settings["temperature"] = temperature
    if provider == "openai":
        settings["use_responses_api"] = False
        if server is not None:
            settings |= {"base_url": server, "api_key": NO_KEY}
            bare, query = address.split_query(server)
            if query:  # the client adds its paths to the end of an address
                settings |= {"base_url": bare, "default_query": query}
    return settings


def _missing(name: str, provider: str, error: ImportError) -> str:
    """A package that is not there, or one that is and cannot be imported, or a proxy's."""
    words = clean(str(error), ())
    if "socks" in words.lower() and (proxy := _proxy()):
        return (
            f"{name} cannot be reached through the proxy that {proxy} names, which needs a package"
            f" that is not installed: pip install socksio, or unset {proxy}"
        )
    package = f"langchain_{provider}"
    if _installed(package):
        return (
            f"{name} needs {package}, which is installed and cannot be imported ({words}):"
            " install it again with what it needs"
        )
    if provider in EXTRAS:
        remedy = install(EXTRAS[provider])
    else:
        found = re.search(r"pip install \S+?(?=[`'\"\s]|$)", str(error))
        remedy = found.group() if found else f"pip install langchain-{provider.replace('_', '-')}"
    return f"{name} needs a package that is not installed: {remedy}"


def _installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except (ImportError, ValueError):  # it is there in name alone
        return False


def _proxy() -> str:
    """The variable that names a SOCKS proxy; '' for none."""
    names = (form for name in _PROXIES for form in (name, name.lower()))
    return next((name for name in names if os.environ.get(name, "").startswith("socks")), "")


def _unusable(name: str, provider: str, error: Exception, key: str, server: str | None) -> str:
    supported = _supported(error)
    if supported:
        return _unknown(name, provider, supported)
    secrets = (key, *address.secrets(server or ""))
    words = clean(str(error), [secret for secret in secrets if secret])
    lost = _lost_certificates() if isinstance(error, OSError) else ""
    return f"{name} cannot be used as configured: {words}{lost}"


def _lost_certificates() -> str:
    """Which variable names certificates that are not there; '' for none."""
    for variable in _CERTIFICATES:
        path = os.environ.get(variable)
        if path and not os.path.exists(path):
            return f", the variable {variable} names {path}"
    return ""


def check_provider(provider: str, where: str) -> None:
    """ModelError: LangChain has no provider of this name. ``where``: what names it."""
    try:
        init_chat_model("any", model_provider="nobody")  # to hear of the others, and call none
    except ValueError as error:
        supported = _supported(error)
        if supported and provider not in supported:
            raise ModelError(_unknown(where, provider, supported)) from None


def _unknown(where: str, provider: str, supported: Sequence[str]) -> str:
    near = get_close_matches(provider, supported, n=1) or ["openai"]
    return (
        f"unknown model provider {provider!r} in {where}, did you mean {near[0]}:"
        f" use local or one of {', '.join(supported)}"
    )


def _supported(error: Exception) -> list[str]:
    """The providers that LangChain lists where it does not know one."""
    found = re.search(r"Supported model providers are: (.*)", str(error), re.DOTALL)
    return [name.strip() for name in found.group(1).split(",")] if found else []
