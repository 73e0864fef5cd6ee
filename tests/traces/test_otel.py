"""Spans arrive at a real collector's endpoint, with the conventions, and only when asked for."""

import gzip
import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from fakes import agents
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from pelnas import Search, SearchConfig
from pelnas.agents.testing.scripted import ScriptedModel
from pelnas.errors import ModelCallError
from pelnas.traces.otel import wanted

PLAN = '{"niches": [{"niche": 0, "designs": 3, "focus": "a secret plan"}]}'


class Collector:
    """An OTLP endpoint that speaks protobuf over HTTP and keeps what it gets."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.resource: dict[str, str] = {}
        self.headers: list[dict[str, str]] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                assert self.path == "/v1/traces"
                assert self.headers["Content-Type"] == "application/x-protobuf"
                collector.take(ExportTraceServiceRequest.FromString(body), dict(self.headers))
                answer = ExportTraceServiceResponse().SerializeToString()
                self.send_response(200)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def take(self, request: ExportTraceServiceRequest, headers: dict[str, str]) -> None:
        self.headers.append(headers)
        for resource in request.resource_spans:
            self.resource |= {a.key: a.value.string_value for a in resource.resource.attributes}
            for scope in resource.scope_spans:
                self.spans += scope.spans

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(60)

    def named(self, name: str) -> list[Span]:
        return [span for span in self.spans if span.name == name]


@pytest.fixture
def collector() -> Iterator[Collector]:
    listening = Collector()
    yield listening
    listening.close()


def attributes(span: Span) -> dict[str, Any]:
    return {a.key: getattr(a.value, str(a.value.WhichOneof("value"))) for a in span.attributes}


def fails(_: Any) -> str:
    raise ModelCallError("out of order")


def search(tmp_path: Path, tables: Path) -> Path:
    model = ScriptedModel(agents(PLAN, "no design", fails), name="openai:scripted-1")
    config = SearchConfig(
        space="tiny",
        device="toy",
        dataset="toy10",
        data=tables,
        accuracy="table",
        rounds=1,
        per_niche=2,
        model=model.name,
        output=tmp_path / "runs",
    )
    return Search(config, {model.name: model}).run().folder


def test_a_search_arrives_as_one_trace_with_the_conventions(
    tmp_path: Path, tiny_tables: Path, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-team=nas")
    folder = search(tmp_path, tiny_tables)
    assert collector.headers[0]["x-team"] == "nas"
    assert collector.resource["service.name"] == "pelnas"
    assert len({span.trace_id for span in collector.spans}) == 1
    (run,) = [span for span in collector.spans if not span.parent_span_id]
    assert run.name == "invoke_workflow search"
    assert attributes(run)["gen_ai.workflow.name"] == "search"
    assert attributes(run)["gen_ai.agent.name"] == "search"
    by_id = {span.span_id: span for span in collector.spans}

    (call,) = [
        s
        for s in collector.named("chat scripted-1")
        if by_id[s.parent_span_id].name.endswith("planner")
    ]
    found = attributes(call)
    assert found["gen_ai.operation.name"] == "chat"
    assert found["gen_ai.provider.name"] == "openai"
    assert found["gen_ai.request.model"] == "scripted-1"
    assert found["gen_ai.response.model"] == "openai:scripted-1"
    assert found["gen_ai.agent.name"] == "planner"
    assert found["gen_ai.conversation.id"] == folder.name
    assert found["pelnas.span"] == "r0.planner.a0"
    assert found["gen_ai.usage.input_tokens"] > 50
    assert found["gen_ai.usage.output_tokens"] > 5
    assert call.kind == Span.SPAN_KIND_CLIENT

    agent = by_id[call.parent_span_id]
    assert agent.name == "plan planner"
    assert attributes(agent)["gen_ai.operation.name"] == "plan"
    designing = collector.named("invoke_agent designer")
    assert {attributes(s)["gen_ai.operation.name"] for s in designing} == {"invoke_agent"}
    assert by_id[agent.parent_span_id].name == "round 0"
    assert by_id[by_id[agent.parent_span_id].parent_span_id] is run
    assert agent.start_time_unix_nano <= call.start_time_unix_nano
    assert call.end_time_unix_nano <= agent.end_time_unix_nano

    (tool,) = collector.named("execute_tool score_architecture")
    assert attributes(tool)["gen_ai.tool.name"] == "score_architecture"
    assert attributes(tool)["gen_ai.operation.name"] == "execute_tool"
    names = [event.name for event in tool.events]
    assert names == ["predicted"] * attributes(tool)["pelnas.candidates"]

    outcomes = {attributes(s).get("error.type") for s in collector.named("chat scripted-1")}
    assert outcomes == {None, "invalid", "failed"}
    for span in collector.spans:  # what was said is nobody's business unless asked for
        assert "messages" not in " ".join(attributes(span))
        assert "secret plan" not in str(attributes(span))
        assert "secret plan" not in str(span.events)
        assert "out of order" not in str(span.events)  # a server may send a prompt back in an error
    names = {event.name for span in collector.spans for event in span.events}
    assert {"round-planned", "fallback"} <= names


def test_what_was_said_is_sent_only_where_the_variable_asks(
    tmp_path: Path, tiny_tables: Path, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"{collector.url}/v1/traces")
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "true")
    search(tmp_path, tiny_tables)
    (planned,) = [
        found
        for found in map(attributes, collector.spans)
        if found["pelnas.span"] == "r0.planner.a0"
    ]
    (said,) = json.loads(planned["gen_ai.output.messages"])
    assert said["parts"] == [{"type": "text", "content": PLAN}]
    assert [m["role"] for m in json.loads(planned["gen_ai.input.messages"])] == ["user"]
    assert "planner" in planned["gen_ai.system_instructions"]
    assert "secret plan" in str([span.events for span in collector.spans])


def test_nothing_is_exported_without_the_variables(
    tmp_path: Path, tiny_tables: Path, collector: Collector
) -> None:
    search(tmp_path, tiny_tables)
    assert collector.spans == []


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_the_standard_variables_decide(environment: dict[str, str], expected: bool) -> None:
    assert wanted(environment) is expected


def test_a_collector_that_is_away_harms_no_search(
    tmp_path: Path,
    tiny_tables: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    with caplog.at_level(logging.CRITICAL):
        folder = search(tmp_path, tiny_tables)
    assert (folder / "front.json").is_file()
