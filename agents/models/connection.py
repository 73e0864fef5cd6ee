"""From a name to a language model; LangChain and llama.cpp are loaded when they are needed."""

from pelnas.agents.models.base import LanguageModel, RetryPolicy
from pelnas.errors import ModelError


def connect(
    name: str,
    *,
    base_url: str | None = None,
    temperature: float | None = None,
    retry: RetryPolicy | None = None,
) -> LanguageModel:
    """The language model of a ``provider:model`` name, ready to be asked.

    ``local:PATH.gguf`` loads the file into this process; ``hand:FOLDER`` asks a person
    by files; any other provider is one of
    LangChain's. ``base_url`` is of an OpenAI-compatible server and is used by the
    ``openai`` provider only. ``temperature`` is sent only when it is given.
    ModelError: no such provider, a package, key or file is missing, or the file is no
    model; it is raised here and not at the first call.
    """
    provider, _, model = name.partition(":")
    if not provider or not model:
        raise ModelError(
            f"expected a model as provider:model, found {name!r}:"
            " name one such as openai:gpt-5-mini, ollama:qwen3 or local:model.gguf"
        )
    if provider == "builtin":
        raise ModelError(
            f"{name} designs without a language model: it cannot be connected to, name a provider's"
        )
    if provider == "local":
        from pelnas.agents.models.gguf import LocalModel

        return LocalModel(model, temperature=temperature)
    if provider == "hand":
        from pelnas.agents.models.human import HandModel

        return HandModel(model)
    from pelnas.agents.models.langchain import connect_provider

    return connect_provider(name, base_url, temperature, retry or RetryPolicy())
