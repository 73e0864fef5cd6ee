"""What every LanguageModel keeps, whoever answers."""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from pelnas.agents.models.base import LanguageModel, Reply
from pelnas.agents.models.connection import connect
from pelnas.agents.models.json_answer import read_answer
from pelnas.agents.testing.scripted import ScriptedModel
from pelnas.agents.testing.server import LoopbackServer
from pelnas.calls.call import Message


class Answer(BaseModel):
    good: bool


ASKED = [Message("system", "Be brief."), Message("user", "Is it good?")]


def affirm(messages: Sequence[Message], schema: dict[str, Any]) -> str:
    if not schema:  # it stands in the prompt
        schema = json.loads(messages[-1].content.partition("JSON schema: ")[2])
    return json.dumps(dict.fromkeys(schema.get("properties", {}), True))


SERVERS: dict[str, dict[str, Any]] = {
    "openai": {},
    "openai by a tool": {"formats": False},
    "openai in text": {"formats": False, "tools": "refused"},
}


@pytest.fixture(params=["scripted", "openai", "openai by a tool", "openai in text", "local"])
def model(request: pytest.FixtureRequest) -> Iterator[LanguageModel]:
    if request.param == "scripted":
        yield ScriptedModel(affirm)
    elif request.param in SERVERS:
        pytest.importorskip("langchain_openai", reason="the extra 'openai' is not installed")
        with LoopbackServer(affirm, **SERVERS[request.param]) as server:
            yield connect("openai:toy", base_url=server.url)
    else:
        file: Path = request.getfixturevalue("loaded_smollm2")
        local = connect(f"local:{file}")
        yield local
        local.close()


def test_a_name_is_provider_and_model(model: LanguageModel) -> None:
    provider, _, rest = model.name.partition(":")
    assert provider
    assert rest


def test_an_answer_fits_its_schema_and_is_counted(model: LanguageModel) -> None:
    reply = model.ask(ASKED, Answer)
    assert isinstance(reply, Reply)
    answer, problem = read_answer(reply.text, Answer)
    assert answer is not None, problem
    assert reply.usage.tokens_in > 0
    assert reply.usage.tokens_out > 0
    assert reply.usage.seconds >= 0
    assert reply.model


def test_a_conversation_may_hold_answers(model: LanguageModel) -> None:
    messages = [*ASKED, Message("assistant", "perhaps"), Message("user", "Answer in JSON.")]
    assert read_answer(model.ask(messages, Answer).text, Answer)[0] is not None


def test_threads_may_ask_at_once(model: LanguageModel) -> None:
    with ThreadPoolExecutor(3) as pool:
        replies = list(pool.map(lambda _: model.ask(ASKED, Answer), range(3)))
    assert all(read_answer(reply.text, Answer)[0] for reply in replies)


def test_closing_twice_does_nothing(model: LanguageModel) -> None:
    model.close()
    model.close()
