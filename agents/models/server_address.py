"""The server that answers in the place of a model's provider."""

import os

from pelnas.errors import ModelError
from pelnas.inputs import address

OWN_SERVERS = {
    "openai": ("OPENAI_BASE_URL", "OPENAI_API_BASE"),
    "anthropic": ("ANTHROPIC_API_URL", "ANTHROPIC_BASE_URL"),
    "google_genai": ("GOOGLE_GEMINI_BASE_URL",),
}  # variables of the providers' clients, which name another address


def own_server(name: str, base_url: str | None) -> str | None:
    """The server that answers in the place of a model's provider; ``None``: the provider's own does.

    ``base_url`` is for the ``openai`` provider; the others, too, have variables of their clients.
    Where it is as a run keeps it, without its key, the variables are to name the whole of it.
    ModelError: they do not.
    """
    provider = name.partition(":")[0]
    found = (os.environ.get(variable) for variable in OWN_SERVERS.get(provider, ()))
    named = [server.strip() for server in found if server and server.strip()]
    if not base_url or provider != "openai":
        return next(iter(named), None)
    if address.HIDDEN not in base_url:
        return base_url
    whole = next((server for server in named if address.shown(server) == base_url), None)
    if whole is None:
        raise ModelError(
            f"the address of this run's model server, {base_url}, is kept without its key:"
            f" set the variable {OWN_SERVERS[provider][0]} to the whole address"
        )
    return whole
