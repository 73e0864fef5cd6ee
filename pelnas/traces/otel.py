"""Spans for OpenTelemetry, with the conventions for generative AI, where its variables ask for them.

Nothing is imported and nothing is sent unless ``OTEL_EXPORTER_OTLP_ENDPOINT`` or
``OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`` is set. Everything else is the standard
exporter's own: its variables say where to, with which headers, how long to wait.
What was said to models and by them is left out unless
``OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT`` asks for it.
"""

import json
import os
from collections.abc import Callable, Mapping
from importlib.metadata import version
from threading import Lock
from typing import TYPE_CHECKING, Any

from pelnas.calls.call import CallRecord
from pelnas.store import Event, RunStore
from pelnas.text import install
from pelnas.traces.spans import CLOSING, OPENING, RUN

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
MISSING = f"spans are not exported: {install('otel')} for what OTEL_EXPORTER_OTLP_ENDPOINT asks"
#: Data of events that no model and no person has worded: ids, and words of our own.
NAMES = (
    *("candidate", "candidates", "rule", "rules", "call", "model", "author", "to", "directive"),
    *("status", "old", "new", "kind", "metric", "tool", "outcome", "day", "catalogue", "after"),
)
#: LangChain's names of providers that OpenTelemetry calls otherwise.
PROVIDERS = {
    "azure_openai": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "bedrock_converse": "aws.bedrock",
    "google_genai": "gcp.gemini",
    "google_vertexai": "gcp.vertex_ai",
    "mistralai": "mistral_ai",
    "xai": "x_ai",
}


def wanted(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the standard variables ask for spans."""
    return (
        any(environment.get(name) for name in ENDPOINTS)
        and environment.get("OTEL_SDK_DISABLED", "").strip().lower() != "true"
        and environment.get("OTEL_TRACES_EXPORTER", "otlp").strip().lower() == "otlp"
    )


def export(store: RunStore) -> Callable[[], None]:
    """Export the spans of this process's work on a run; call the result when the work is over.

    A run that is resumed is another trace, with the same ``gen_ai.conversation.id``.
    ``notice`` is called where spans are wanted and the package is missing.
    """
    if not wanted():
        return _nothing
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        store.event("notice", span=RUN, message=MISSING)
        return _nothing
    named = {} if os.environ.get("OTEL_SERVICE_NAME") else {SERVICE_NAME: "pelnas"}
    provider = TracerProvider(resource=Resource.create(named), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    exporter = _Exporter(store, provider)
    store.subscribe(exporter.hear)
    return exporter.close


def _nothing() -> None:
    """Close what was never opened."""


class _Exporter:
    """Turns events into spans as they come."""

    def __init__(self, store: RunStore, provider: "TracerProvider") -> None:
        self._store = store
        self._provider = provider
        self._tracer = provider.get_tracer("pelnas", version("pelnas"))
        self._open: dict[str, Span] = {}
        self._content = _content_wanted()
        self._lock = Lock()
        self._closed = False

    def hear(self, event: Event) -> None:
        """One event of the run."""
        with self._lock:
            if event.kind in OPENING:
                self._begin(event)
            elif event.kind in CLOSING:
                self._end(event)
            elif event.span in self._open:
                kept = self._kept(event)
                self._open[event.span].add_event(event.kind, kept, _nanoseconds(event))

    def _kept(self, event: Event) -> dict[str, str | bool | int | float]:
        """The attributes of an event. Text may be a model's, or a prompt that a server sent back."""
        return {
            name: _plain(value)
            for name, value in event.data.items()
            if self._content or name in NAMES or _is_number(value)
        }

    def close(self) -> None:
        """End what a stop has left open, and send what is left; a second call does nothing."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            for span in reversed(self._open.values()):
                span.end()
            self._open.clear()
        self._provider.shutdown()

    def _begin(self, event: Event) -> None:
        from opentelemetry.trace import SpanKind, set_span_in_context

        parent = self._open.get(event.parent) or self._open.get(RUN)
        sort = OPENING[event.kind]
        self._open[event.span] = self._tracer.start_span(
            _name(sort, event),
            context=set_span_in_context(parent) if parent else None,
            kind=SpanKind.CLIENT if sort == "call" else SpanKind.INTERNAL,
            attributes=self._attributes(sort, event),
            start_time=_nanoseconds(event),
        )

    def _end(self, event: Event) -> None:
        from opentelemetry.trace import StatusCode

        span = self._open.pop(event.span, None)
        if span is None:
            return
        outcome = event.data.get("outcome", "ok")
        if event.kind == "call":
            call = self._store.call(event.span)
            if call is not None:
                span.set_attributes(_answered(call) | (_said(call) if self._content else {}))
        if outcome in ("error", "failed", "invalid"):
            span.set_attribute("error.type", outcome)
            span.set_status(StatusCode.ERROR)
        span.end(_nanoseconds(event))

    def _attributes(self, sort: str, event: Event) -> dict[str, Any]:
        """What is known when a span begins."""
        found: dict[str, Any] = {"pelnas.span": event.span}
        found |= {"gen_ai.conversation.id": self._store.name}
        found |= {
            f"pelnas.{k}": v for k in ("round", "niche") if (v := getattr(event, k)) is not None
        }
        if event.data.get("again"):
            found["pelnas.again"] = True
        if event.agent:
            found["gen_ai.agent.name"] = event.agent
        match sort:
            case "run":
                found |= {"gen_ai.operation.name": "invoke_workflow"}
                # The conventions renamed the first into the second: collectors read either.
                found |= dict.fromkeys(("gen_ai.workflow.name", "gen_ai.agent.name"), "search")
            case "step" if event.agent:
                found |= {"gen_ai.operation.name": _operation(event.agent)}
                found |= _model(self._store.config.model_of(event.agent))
            case "call":
                found |= {"gen_ai.operation.name": "chat", "gen_ai.output.type": "json"}
                found |= _model(str(event.data["model"]))
            case "tool":
                found |= {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.type": "function"}
                found |= {"gen_ai.tool.name": event.data["tool"]}
                found |= {"pelnas.candidates": event.data["candidates"]}
        return found


def _name(sort: str, event: Event) -> str:
    """As the conventions name spans."""
    match sort:
        case "run":
            return "invoke_workflow search"
        case "step" if event.agent:
            return f"{_operation(event.agent)} {event.agent}"
        case "call":
            return f"chat {str(event.data['model']).partition(':')[2]}"
        case "tool":
            return f"execute_tool {event.data['tool']}"
    return event.span.rpartition(".")[2] if sort == "step" else f"round {event.round}"


def _operation(agent: str) -> str:
    return "plan" if agent == "planner" else "invoke_agent"


def _model(name: str) -> dict[str, str]:
    provider, _, model = name.partition(":")
    return {
        "gen_ai.provider.name": PROVIDERS.get(provider, provider),
        "gen_ai.request.model": model,
    }


def _answered(call: CallRecord) -> dict[str, Any]:
    """The attributes of a finished call; what the provider did not report is left out."""
    attributes = {
        "gen_ai.response.model": call.answered_by if _is_name(call.answered_by) else None,
        "gen_ai.usage.input_tokens": call.usage.tokens_in if call.answered_by else None,
        "gen_ai.usage.output_tokens": call.usage.tokens_out if call.answered_by else None,
        "gen_ai.usage.cache_read.input_tokens": call.usage.tokens_cached,
        "gen_ai.usage.reasoning.output_tokens": call.usage.tokens_reasoning,
    }
    return {name: value for name, value in attributes.items() if value is not None}


def _said(call: CallRecord) -> dict[str, str]:
    """What was said, in the form of the conventions."""
    system = [_text(m.content) for m in call.messages if m.role == "system"]
    others = [
        {"role": m.role, "parts": [_text(m.content)]} for m in call.messages if m.role != "system"
    ]
    answer = {"role": "assistant", "parts": [_text(call.answer)], "finish_reason": "stop"}
    return {
        "gen_ai.system_instructions": json.dumps(system),
        "gen_ai.input.messages": json.dumps(others),
        "gen_ai.output.messages": json.dumps([answer] if call.answer else []),
    }


def _text(content: str) -> dict[str, str]:
    return {"type": "text", "content": content}


def _content_wanted() -> bool:
    return os.environ.get(CONTENT, "").strip().lower() in ("true", "span_only", "span_and_event")


def _is_name(text: str) -> bool:
    """Whether it may be a model's name: a server may as well send back what it was asked."""
    return bool(text) and not any(letter.isspace() for letter in text)


def _is_number(value: Any) -> bool:
    return isinstance(value, bool | int | float)


def _plain(value: Any) -> str | bool | int | float:
    """A value that an attribute can have."""
    return value if isinstance(value, str | bool | int | float) else json.dumps(value)


def _nanoseconds(event: Event) -> int:
    return round(event.time * 1e9)
