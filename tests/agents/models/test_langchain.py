"""Names become models or one clear error; the OpenAI path over real HTTP, sound and faulty."""

import itertools
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from pydantic import BaseModel, Field

from pelnas.agents.models.base import LanguageModel, RetryPolicy
from pelnas.agents.models.connection import connect
from pelnas.agents.testing.server import Fault, LoopbackServer
from pelnas.calls.call import Message
from pelnas.errors import ModelCallError, ModelError

KEY_VARIABLES = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GOOGLE_API_KEY", "GEMINI_API_KEY")
QUICK = RetryPolicy(timeout=30.0, attempts=3, total=60.0, first_wait=0.01)
KEY = "sk-very-secret-0123456789"


class Answer(BaseModel):
    word: str = Field(max_length=9)


ASKED = [Message("system", "be brief"), Message("user", "a word?")]
TEXT = '{"word": "yes"}'


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in (*KEY_VARIABLES, "OPENAI_BASE_URL", "OPENAI_API_BASE"):
        monkeypatch.delenv(variable, raising=False)


def say_yes(_messages: Sequence[Message], _schema: dict[str, Any]) -> str:
    return TEXT


def completion(text: str, finish: str = "stop", **more: Any) -> bytes:
    """An answer of a server, written out, with no more than it must have."""
    choice = {
        "index": 0,
        "finish_reason": finish,
        "message": {"role": "assistant", "content": text},
    }
    return json.dumps({"model": "other", "choices": [choice], **more}).encode()


def client(server: LoopbackServer, **settings: Any) -> LanguageModel:
    return connect("openai:toy", base_url=server.url, **{"retry": QUICK, **settings})


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("gpt-5", "expected a model as provider:model, found 'gpt-5'"),
        ("openai:", "expected a model as provider:model"),
        (":gpt-5", "expected a model as provider:model"),
        ("builtin:evolver", "designs without a language model"),
        ("opnai:gpt-5", "unknown model provider 'opnai'.*did you mean openai"),
        ("openai:gpt-5", "needs a key: set the variable OPENAI_API_KEY"),
        ("anthropic:claude", "needs a key: set the variable ANTHROPIC_API_KEY"),
        ("local:nowhere.gguf", "expected a GGUF file at nowhere.gguf, found No such file"),
    ],
)
def test_a_name_that_cannot_be_connected_to_says_why(name: str, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        connect(name)


@pytest.mark.parametrize(
    ("name", "package", "remedy"),
    [
        ("openai:gpt-5", "langchain_openai", r"pip install -c constraints.txt -e '\.\[openai\]'"),
        (
            "anthropic:claude",
            "langchain_anthropic",
            r"pip install -c constraints.txt -e '\.\[anthropic\]'",
        ),
        ("ollama:qwen3", "langchain_ollama", r"pip install -c constraints.txt -e '\.\[ollama\]'"),
        ("groq:llama", "langchain_groq", "pip install langchain-groq"),
    ],
)
def test_a_missing_package_is_named_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch, name: str, package: str, remedy: str
) -> None:
    from langchain.chat_models import base

    base._get_chat_model_creator.cache_clear()
    monkeypatch.setitem(sys.modules, package, None)
    for variable in KEY_VARIABLES:
        monkeypatch.setenv(variable, KEY)
    with pytest.raises(ModelError, match=remedy):
        connect(name)


def test_the_request_carries_the_schema_and_no_temperature_unless_set() -> None:
    with LoopbackServer(say_yes) as server:
        client(server).ask(ASKED, Answer)
        client(server, temperature=0.25).ask(ASKED, Answer)
    plain, warm = server.requests
    form = plain["response_format"]
    assert form["type"] == "json_schema"
    assert form["json_schema"]["schema"]["properties"]["word"]["maxLength"] == 9
    assert [m["content"] for m in plain["messages"]] == ["be brief", "a word?"]
    assert plain["model"] == "toy"
    assert "temperature" not in plain
    assert warm["temperature"] == 0.25


def test_tokens_are_counted_where_the_server_does_not() -> None:
    body = completion("{}")
    with LoopbackServer(say_yes, faults=[Fault(body=body)]) as server:
        reply = client(server).ask(ASKED, Answer)
    assert (reply.text, reply.model) == ("{}", "other")
    assert reply.usage.tokens_in == 2 * 4 + 2 + 3
    assert reply.usage.tokens_out == 1


def rungs(server: LoopbackServer) -> list[str]:
    """How each request was held to a form."""
    return [
        "native" if "response_format" in request else "tool" if "tools" in request else "text"
        for request in server.requests
    ]


def test_a_server_without_formats_is_asked_by_a_tool_call() -> None:
    with LoopbackServer(say_yes, formats=False) as server:
        model = client(server)
        replies = [model.ask(ASKED, Answer) for _ in range(2)]
    assert [(reply.text, reply.rung) for reply in replies] == [(TEXT, "a tool call")] * 2
    assert rungs(server) == ["tool", "tool"]
    (tool,) = server.requests[0]["tools"]
    assert tool["function"]["name"] == "Answer"
    assert tool["function"]["parameters"]["properties"]["word"]["maxLength"] == 9
    assert server.requests[0]["tool_choice"]["function"]["name"] == "Answer"
    assert [m["content"] for m in server.requests[0]["messages"]] == ["be brief", "a word?"]


def test_a_server_without_formats_and_tools_gets_the_schema_in_the_prompt() -> None:
    with LoopbackServer(say_yes, formats=False, tools="refused") as server:
        model = client(server)
        reply = model.ask(ASKED, Answer)
        assert (reply.text, reply.rung) == (TEXT, "JSON in text")
        assert '"maxLength":9' in server.requests[0]["messages"][-1]["content"]
        server.formats, server.tools = True, "called"
        assert model.ask(ASKED, Answer).text == TEXT
    assert rungs(server) == ["text", "text"]  # what worked is remembered


def test_a_tool_call_that_brings_nothing_is_paid_once_and_not_tried_again() -> None:
    with LoopbackServer(say_yes, formats=False, tools="empty") as server:
        model = client(server)
        first, second = (model.ask(ASKED, Answer) for _ in range(2))
    assert rungs(server) == ["tool", "text", "text"]
    assert (first.text, first.rung) == (second.text, second.rung) == (TEXT, "JSON in text")
    assert (
        first.usage.tokens_in - second.usage.tokens_in == 2 * 4 + 2 + 3
    )  # the prompt without the schema
    assert first.usage.tokens_out == second.usage.tokens_out


@pytest.mark.parametrize("text", ["no", "{}", '{"word": "y', '{"word": NaN}'])
def test_arguments_that_break_the_schema_come_back_as_they_are(text: str) -> None:
    with LoopbackServer(lambda *_: text, formats=False) as server:
        reply = client(server).ask(ASKED, Answer)
    assert (reply.text, reply.rung) == (text, "a tool call")
    assert rungs(server) == ["tool"]


@pytest.mark.parametrize("text", ["[1]", '"yes"', "NaN"])
def test_arguments_that_are_no_object_are_asked_for_in_text(text: str) -> None:
    with LoopbackServer(lambda *_: text, formats=False) as server:
        reply = client(server).ask(ASKED, Answer)
    assert (reply.text, reply.rung) == (text, "JSON in text")
    assert rungs(server) == ["tool", "text"]


@pytest.mark.parametrize("status", [404, 500])
def test_a_server_that_breaks_on_tools_is_asked_in_text_and_tools_are_tried_again(
    status: int,
) -> None:
    with LoopbackServer(say_yes, formats=False, faults=[Fault(status)]) as server:
        model = client(server)
        found = [model.ask(ASKED, Answer).rung for _ in range(2)]
    assert found == ["JSON in text", "a tool call"]
    assert rungs(server) == ["tool", "text", "tool"]


def test_a_rung_that_has_served_is_kept_where_one_question_is_refused() -> None:
    with LoopbackServer(say_yes, faults=[None, Fault(400)]) as server:
        model = client(server)
        found = [model.ask(ASKED, Answer).rung for _ in range(3)]
    native = "the provider's own schema"
    assert found == [native, "a tool call", native]


def test_a_refusal_of_another_reason_is_told_and_the_format_kept() -> None:
    with LoopbackServer(say_yes, faults=[Fault(400)] * 3) as server:
        model = client(server)
        with pytest.raises(ModelCallError, match="gave no answer: it said HTTP 400"):
            model.ask(ASKED, Answer)
        model.ask(ASKED, Answer)
    assert rungs(server) == ["native", "tool", "text", "native"]


@pytest.mark.parametrize("text", ["", "no", "{}", '{"word": ' + "x," * 40_000])
def test_an_answer_that_breaks_the_schema_comes_back_as_it_is(text: str) -> None:
    with LoopbackServer(lambda *_: text) as server:
        assert client(server).ask(ASKED, Answer).text == text
    assert len(server.requests) == 1


def test_an_unfinished_answer_comes_back_as_it_is() -> None:
    usage = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
    body = completion('{"word": "y', finish="length", usage=usage)
    with LoopbackServer(say_yes, faults=[Fault(body=body)]) as server:
        reply = client(server).ask(ASKED, Answer)
    assert (reply.text, reply.usage.tokens_in, reply.usage.tokens_out) == ('{"word": "y', 7, 5)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(429),
        Fault(500),
        Fault(503, {"Retry-After": "0"}),
        Fault(drop=True),
        Fault(body=b"<html>proxy</html>"),
        Fault(body=b""),
        Fault(body=b'{"choices": null}'),
    ],
    ids=str,
)
def test_a_passing_fault_is_asked_again(fault: Fault) -> None:
    with LoopbackServer(say_yes, faults=[fault]) as server:
        assert client(server).ask(ASKED, Answer).text == TEXT
    assert len(server.requests) == 2


def test_a_request_that_stalls_is_given_up_and_asked_again() -> None:
    retry = RetryPolicy(timeout=3.0, attempts=2, first_wait=0.01)
    with LoopbackServer(say_yes, faults=[Fault(stall=600.0)]) as server:
        assert client(server, retry=retry).ask(ASKED, Answer).text == TEXT
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault(500), "after 3 attempts: it said HTTP 500"),
        (Fault(429), "after 3 attempts: it limits the rate or the quota"),
        (Fault(stall=600.0), "after 3 attempts: it did not answer in time"),
        (Fault(drop=True), "after 3 attempts: it cannot be reached"),
        (Fault(body=b"?"), "after 3 attempts: what it sent cannot be read"),
    ],
    ids=str,
)
def test_a_lasting_fault_ends_after_the_attempts(fault: Fault, said: str) -> None:
    with LoopbackServer(say_yes, faults=itertools.repeat(fault)) as server:
        model = client(server, retry=RetryPolicy(timeout=1.0, attempts=3, first_wait=0.01))
        with pytest.raises(ModelCallError, match=f"openai:toy gave no answer {said}"):
            model.ask(ASKED, Answer)
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("status", "said"), [(401, "does not accept the key"), (404, "does not know this model")]
)
def test_a_fault_that_stays_is_not_asked_again(status: int, said: str) -> None:
    with LoopbackServer(say_yes, faults=[Fault(status)]) as server:
        model = client(server)
        with pytest.raises(ModelCallError, match=f"gave no answer: it {said}"):
            model.ask(ASKED, Answer)
    assert len(server.requests) == 1


def test_an_exhausted_quota_is_not_asked_again() -> None:
    body = b'{"error": {"message": "you are out of money", "code": "insufficient_quota"}}'
    with LoopbackServer(say_yes, faults=[Fault(429, body=body)]) as server:
        model = client(server)
        with pytest.raises(ModelCallError, match="out of money"):
            model.ask(ASKED, Answer)
    assert len(server.requests) == 1


def test_the_wait_that_the_server_asks_for_is_kept() -> None:
    with LoopbackServer(say_yes, faults=[Fault(429, {"Retry-After": "1.5"})]) as server:
        started = time.monotonic()
        client(server).ask(ASKED, Answer)
    assert time.monotonic() - started >= 1.5


@pytest.mark.parametrize("as_date", [False, True])
def test_a_wait_beyond_the_total_is_not_begun(as_date: bool) -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    fault = Fault(429, {"Retry-After": later if as_date else "3600"})
    with LoopbackServer(say_yes, faults=[fault]) as server:
        model = client(server)
        with pytest.raises(ModelCallError, match="limits the rate"):
            model.ask(ASKED, Answer)
    assert len(server.requests) == 1


def test_a_key_is_sent_and_never_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    echo = f'{{"error": {{"message": "bad key {KEY}, Bearer {KEY}"}}}}'.encode()
    with LoopbackServer(say_yes, key=KEY, faults=[None, Fault(403, body=echo)]) as server:
        model = client(server)
        assert model.ask(ASKED, Answer).text == TEXT
        with pytest.raises(ModelCallError) as caught:
            model.ask(ASKED, Answer)
    assert "bad key ***" in str(caught.value)
    assert KEY not in repr(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_server_that_is_not_there_is_told() -> None:
    with LoopbackServer(say_yes) as server:
        pass
    model = client(server)
    with pytest.raises(ModelCallError, match="after 3 attempts: it cannot be reached"):
        model.ask(ASKED, Answer)


def test_lone_surrogates_of_an_answer_can_be_stored() -> None:
    body = completion("\ud800")
    with LoopbackServer(say_yes, faults=[Fault(body=body)]) as server:
        assert client(server).ask(ASKED, Answer).text == "?"


def test_importing_models_loads_no_heavy_library() -> None:
    code = (
        "import sys, pelnas.agents.models.base, pelnas.agents.dialogue, pelnas.agents.testing.scripted;"
        "print([m for m in ('langchain', 'langchain_core', 'xllamacpp', 'torch', 'tiktoken')"
        " if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.strip() == "[]"
