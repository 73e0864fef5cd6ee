"""Other names for models: a model that recalls loses by them, one that looks at figures does not."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from fakes import members_asked_for
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from pelnas.agents.models.base import LanguageModel, Reply
from pelnas.agents.testing.scripted import ScriptedModel
from pelnas.bench.search.methods import METHODS
from pelnas.bench.search.problem import Cell, Trial
from pelnas.bench.search.renamed import Names, Renamed
from pelnas.bench.search.sources import problem_of
from pelnas.calls.call import Message
from pelnas.calls.usage import Usage
from pelnas.config import SearchConfig
from pelnas.errors import BudgetExhausted, ConfigError
from pelnas.spaces import SPACES, get_space

CELL = Cell("tiny", "toy10", "toy", "table")
TINY = Names.of(get_space("tiny"), 0)


@pytest.mark.parametrize("name", [name for name in SPACES if get_space(name).is_by_choices])
def test_names_are_one_to_one_and_none_is_a_true_one(name: str) -> None:
    space = get_space(name)
    names = Names.of(space, 3)
    true = {*space.operations, *space.slots}
    assert names.other.keys() == true
    assert len(set(names.other.values())) == len(true)
    assert not true & set(names.other.values())
    assert names != Names.of(space, 4)


@given(
    st.lists(
        st.sampled_from([*(TINY.other.keys() - {"none"}), "|", "~0", " ", "\n", ": ", "conv", "9"])
    )
)
def test_what_is_hidden_is_revealed_again(parts: list[str]) -> None:
    text = "".join(parts)
    assert TINY.reveal(TINY.hide(text)) == text
    assert TINY.reveal("nor_conv_3x3") not in TINY.other


def test_networks_and_rules_are_hidden_and_words_are_not() -> None:
    space = get_space("tiny")
    hidden = TINY.hide(space.format(space.at(77)) + " nor_conv_3x3 >= 2")
    assert not any(name in hidden for name in space.operations)
    said = "directives: none\nRules:\nnone\nno_nor_conv_3x3_here"
    assert TINY.hide(said) == said
    assert "none" not in TINY.hide("none: zero")


class Answer(BaseModel):
    """An answer with a choice."""

    edge0_1: str


class Heard(LanguageModel):
    """Keeps what it was asked, and answers what it was given."""

    name, calls_tools = "test:heard", True

    def __init__(self, text: str) -> None:
        self._text = text
        self.asked: list[tuple[str, type[BaseModel]]] = []

    def ask(self, messages: Sequence[Message], schema: type[BaseModel]) -> Reply:
        self.asked.append((messages[-1].content, schema))
        return Reply(self._text, Usage(), self.name)


def test_prompts_schemas_and_answers_have_other_names() -> None:
    place, operation = TINY.other["edge0_1"], TINY.other["skip_connect"]
    model = Heard(json.dumps({place: operation}))
    renamed = Renamed(model, TINY)
    assert not renamed.calls_tools
    reply = renamed.ask([Message("user", "Is skip_connect good at edge0_1?")], Answer)
    ((text, schema),) = model.asked
    assert text == f"Is {operation} good at {place}?"
    assert list(schema.model_json_schema()["properties"]) == [place]
    assert schema.__name__ == "Answer"
    assert json.loads(reply.text) == {"edge0_1": "skip_connect"}


def recalling(messages: Sequence[Message], schema: dict[str, Any]) -> str:
    """Knows the best networks by heart, whatever it is asked."""
    best = [f"|nor_conv_3x3~0|+|{one}~0|nor_conv_3x3~1|" for one in get_space("tiny").operations]
    return _designs(schema, best)


def _designs(schema: dict[str, Any], cells: Sequence[str]) -> str:
    if "designs" not in schema["properties"]:
        return json.dumps({"niches": []} if "niches" in schema["properties"] else {"rules": []})
    return json.dumps({"designs": [{"architecture": cell} for cell in cells]})


def searched(method: str, tables: Path, output: Path, answer: Any) -> Trial:
    config = SearchConfig(data=tables, output=output, per_niche=4, model="scripted:answers")
    trial = Trial(problem_of(CELL, config), 24, 0, first=12)
    variant = METHODS[method].search
    model = ScriptedModel(answer)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("pelnas.agents.team.connect", lambda *_, **__: model)
        with pytest.raises(BudgetExhausted):
            variant(trial)
    return trial


def by_model(trial: Trial) -> int:
    return sum(author.startswith("scripted") for author in trial.authors)


def test_a_model_that_recalls_designs_nothing_by_other_names(
    tiny_tables: Path, tmp_path: Path
) -> None:
    known = searched("pelnas", tiny_tables, tmp_path, recalling)
    unknown = searched("pelnas renamed", tiny_tables, tmp_path, recalling)
    assert by_model(known) > 0
    assert by_model(unknown) == 0


def test_a_model_that_reads_is_understood_by_other_names(tiny_tables: Path, tmp_path: Path) -> None:
    def reading(messages: Sequence[Message], schema: dict[str, Any]) -> str:
        if "designs" not in schema["properties"]:
            return _designs(schema, ())
        asked = " ".join(m.content for m in messages)
        assert "nor_conv_3x3" not in asked
        true = [replace_names(m) for m in messages]
        return TINY.hide(_designs(schema, members_asked_for(true, 8)))

    def replace_names(message: Message) -> Message:
        return Message(message.role, TINY.reveal(message.content))

    assert by_model(searched("pelnas renamed", tiny_tables, tmp_path, reading)) > 0


def test_builtin_agents_read_no_names(tiny_tables: Path, tmp_path: Path) -> None:
    config = SearchConfig(data=tiny_tables, output=tmp_path, per_niche=4)
    with pytest.raises(ConfigError, match="give --model"):
        METHODS["pelnas renamed"].search(Trial(problem_of(CELL, config), 24, 0, first=12))
