"""The scripted model reads its script to the end and says so."""

import pytest
from pydantic import BaseModel

from pelnas.agents.testing.scripted import ScriptedModel
from pelnas.calls.call import Message
from pelnas.errors import ModelCallError


class Answer(BaseModel):
    word: str


def test_a_script_is_read_in_order_and_ends() -> None:
    model = ScriptedModel(["raw", Answer(word="a"), ModelCallError("out")], name="scripted:three")
    asked = [Message("user", "?")]
    assert model.ask(asked, Answer).text == "raw"
    assert model.ask(asked, Answer).text == '{"word":"a"}'
    with pytest.raises(ModelCallError, match="out"):
        model.ask(asked, Answer)
    with pytest.raises(ModelCallError, match="script of answers has ended"):
        model.ask(asked, Answer)
    assert model.requests == [tuple(asked)] * 4
    assert model.name == "scripted:three"


def test_a_function_sees_messages_and_schema() -> None:
    model = ScriptedModel(lambda messages, schema: f"{messages[-1].content} {schema['title']}")
    reply = model.ask([Message("user", "hello world")], Answer)
    assert (reply.text, reply.usage.tokens_in, reply.usage.tokens_out) == (
        "hello world Answer",
        6,
        3,
    )
