"""A GGUF file that answers inside this process, by llama.cpp through xllamacpp."""

import json
import os
import secrets
import threading
import time
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.exceptions import ContextOverflowError, ModelInvalidRequestError
from langchain_core.exceptions import ModelError as ProviderError
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.messages.utils import convert_to_openai_messages
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from pydantic import BaseModel, ConfigDict

from pelnas.agents.models.base import OptionLogprobs, Reply, RetryPolicy
from pelnas.agents.models.langchain import ProviderModel
from pelnas.calls.prices import Tariff
from pelnas.calls.usage import Usage
from pelnas.errors import ModelCallError, ModelError, UnreadableError
from pelnas.inputs.formats import regular
from pelnas.inputs.paths import expanded
from pelnas.text import install

CONTEXT = 8192  # tokens of prompt and answer together; more costs memory
SIDES = ("prompt_tokens", "completion_tokens")
ANSWER = 2048  # tokens of an answer: a small model may never come to an end
KEPT = 256  # MiB for what was read of earlier prompts; llama.cpp itself would take 8 GiB
LIKELY = 2000  # tokens among which an option is looked for: any that a text makes likely


class Engine:
    """A loaded file; requests wait for each other, since one alone uses all its threads."""

    def __init__(self, path: Path) -> None:
        self._server = _load(path)
        self._lock = threading.Lock()
        # llama.cpp's loop is still starting; ended before it runs, it would never end.
        try:
            self.complete({"messages": [{"role": "user", "content": ""}], "max_tokens": 1})
        except ProviderError as error:
            raise ModelError(
                f"{path} does not chat ({error}): give an instruction-tuned model in GGUF form"
            ) from None

    def complete(self, request: dict[str, Any]) -> dict[str, Any]:
        """The answer to an OpenAI chat request, or to one for a completion if it has a prompt.

        ContextOverflowError: the prompt does not fit. ModelInvalidRequestError: anything
        else that llama.cpp refuses, such as a JSON schema that it cannot follow.
        """
        with self._lock:
            try:
                answer: dict[str, Any] = self._handler(request)(request)
            except (ValueError, RuntimeError) as error:
                raise _refusal(str(error)) from error
        problem = answer.get("error")
        if problem is None:
            return answer
        if "n_ctx" in problem:
            raise ContextOverflowError(
                f"{problem['n_prompt_tokens']} tokens, and the context holds {problem['n_ctx']}"
            )
        raise _refusal(str(problem.get("message", problem)))

    def _handler(self, request: dict[str, Any]) -> Any:
        server = self._server
        return server.handle_completions if "prompt" in request else server.handle_chat_completions


class LocalChat(BaseChatModel):
    """The engine as a chat model of LangChain, so that tracing sees its calls."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    engine: Engine
    model: str
    temperature: float | None = None

    @property
    def _llm_type(self) -> str:
        return "pelnas-local"

    def with_structured_output(
        self,
        schema: dict[str, Any] | type[BaseModel],
        *,
        include_raw: bool = False,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, Any]:
        """The message, its text constrained to a JSON schema token by token. ValueError: another method."""
        if not isinstance(schema, dict) or include_raw or kwargs != {"method": "json_schema"}:
            raise ValueError("a local model answers a JSON schema by method json_schema, unparsed")
        form = {"name": schema.get("title", "answer"), "schema": schema}
        return self.bind(response_format={"type": "json_schema", "json_schema": form})

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        request = {"messages": convert_to_openai_messages(messages), "max_tokens": ANSWER, **kwargs}
        if stop:
            request["stop"] = stop
        if self.temperature is not None:
            request["temperature"] = self.temperature
        # The same question gets the same answer, without a setting that must be passed on.
        request["seed"] = zlib.crc32(repr(request).encode("utf-8", "replace"))
        answer = self.engine.complete(request)
        return ChatResult(generations=[ChatGeneration(message=self._message(answer))])

    def _message(self, answer: dict[str, Any]) -> AIMessage:
        usage = answer["usage"]
        return AIMessage(
            answer["choices"][0]["message"].get("content") or "",
            response_metadata={"model_name": self.model},
            usage_metadata={
                "input_tokens": usage["prompt_tokens"],
                "output_tokens": usage["completion_tokens"],
                "total_tokens": usage["total_tokens"],
            },
        )


class LocalModel(ProviderModel):
    """``local:PATH.gguf``: loaded once for each path in a process, held until all are closed.

    ModelError: xllamacpp is not installed, or the file is missing or no model.
    ``ask`` raises ModelCallError also when prompt and answer exceed the context.
    """

    first_rung = "constrained decoding"
    calls_tools = False  # small ones choose better than they call
    tells_logprobs = True

    def __init__(self, path: str | Path, *, temperature: float | None = None) -> None:
        file = expanded(Path(path))
        self._engine = _engine(file)
        self._file = file.name
        chat = LocalChat(engine=self._engine, model=file.name, temperature=temperature)
        super().__init__(f"local:{path}", chat, RetryPolicy(attempts=1), Tariff())

    def _once(self, request: Callable[[], AIMessage], until: float) -> AIMessage:
        """It computes here, and takes as long as it takes."""
        self._waiting.check()
        return request()

    def option_logprobs(
        self, text: str, ends: Sequence[str], options: Sequence[str]
    ) -> OptionLogprobs:
        began = time.perf_counter()
        request: dict[str, Any] = {"max_tokens": 1, "temperature": 0.0, "logprobs": LIKELY}
        # An option is drawn, and the listed probabilities are those without this bias: where the
        # model would end, or go on with half a letter, llama.cpp would list nothing.
        request["logit_bias"] = [[options[0], 100.0]]
        prompts = [(text + end).encode("utf-8", "replace").decode() for end in ends]
        try:
            answers = [self._engine.complete(request | {"prompt": prompt}) for prompt in prompts]
        except ProviderError as error:
            raise ModelCallError(self._failure(error, 1)) from None
        logs = tuple(_logs(answer, options) for answer in answers)
        likeliest = json.dumps([max(log, key=log.__getitem__) for log in logs])
        read, written = (sum(a["usage"][side] for a in answers) for side in SIDES)
        usage = Usage(read, written, seconds=time.perf_counter() - began)
        return OptionLogprobs(logs, Reply(likeliest, usage, self._file))

    def close(self) -> None:
        for held in ("_ladder", "_engine"):
            self.__dict__.pop(held, None)  # the last one to let go frees the memory


_ENGINES: "WeakValueDictionary[Path, Engine]" = WeakValueDictionary()  # of this process
_loading = threading.Lock()


def _engine(path: Path) -> Engine:
    """The engine of a file: one for all models of this process that use it."""
    with _loading:
        key = path.resolve()
        engine = _ENGINES.get(key)
        if engine is None:
            engine = _ENGINES[key] = Engine(path)
        return engine


def _logs(answer: dict[str, Any], options: Sequence[str]) -> dict[str, float]:
    """The log probability of each option's first token; of the least likely listed, if unlisted."""
    listed = answer["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
    known = {token["token"]: float(token["logprob"]) for token in listed}
    least = min(known.values())
    starts = [[option[:end] for end in range(len(option), 0, -1)] for option in options]
    first = [next((start for start in each if start in known), "") for each in starts]
    return {option: known.get(start, least) for option, start in zip(options, first, strict=True)}


def _load(path: Path) -> Any:
    """llama.cpp with the file loaded."""
    try:
        import xllamacpp
    except ImportError:
        raise ModelError(
            f"local:{path} needs a package that is not installed: {install('local')}"
        ) from None
    _check_file(path)
    try:
        return xllamacpp.Server(_parameters(xllamacpp.CommonParams(), path))
    except RuntimeError:
        raise ModelError(
            f"llama.cpp cannot load {path}: the file is damaged, not a chat model, too new for"
            " xllamacpp or larger than memory; download it again or choose a smaller one"
        ) from None


def _check_file(path: Path) -> None:
    try:
        with regular(path).open("rb") as file:
            magic = file.read(4)
    except (UnreadableError, OSError) as error:
        raise ModelError(
            f"expected a GGUF file at {path}, found {getattr(error, 'strerror', error)}:"
            " correct the path"
        ) from None
    if magic != b"GGUF":
        raise ModelError(
            f"expected a GGUF file at {path}, found a file that begins with {magic!r}:"
            " give a model in GGUF form"
        )


def _parameters(parameters: Any, path: Path) -> Any:
    parameters.model.path = str(path)
    parameters.n_ctx = CONTEXT
    parameters.n_parallel = 1
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = _threads()
    parameters.cache_ram_mib = KEPT
    parameters.warmup = False
    parameters.verbosity = -1  # no log on the terminal
    # The engine also listens on a loopback port; nobody but this process may use it.
    parameters.api_keys = [secrets.token_hex(16)]
    parameters.ui = False
    return parameters


def _threads() -> int:
    """Half of the processors: llama.cpp's threads wait for each other at every layer.

    Where each has a processor more are faster; where other work holds one processor,
    two threads were measured to be more than ten times slower than one.
    """
    return max(1, (os.cpu_count() or 1) // 2)


def _refusal(reason: str) -> ModelInvalidRequestError:
    """The error with the status that a server would give it."""
    error = ModelInvalidRequestError(reason)
    error.code = 400  # type: ignore[attr-defined] # read as any provider's status is
    return error
