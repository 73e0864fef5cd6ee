"""Models are asked once what they can, and then in the form that fits them."""

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fakes import members_asked_for, proposed

from pelnas import Search, SearchConfig
from pelnas.agents.probe import change
from pelnas.agents.testing.scripted import ScriptedModel
from pelnas.calls.call import Message
from pelnas.graph.runs.replay import replay
from pelnas.recording import open_recording
from pelnas.spaces import get_space
from pelnas.store import RunStore

Settings = Callable[..., SearchConfig]


@pytest.fixture
def settings(toy: Settings, tmp_path: Path) -> Settings:
    return partial(toy, tmp_path, rounds=2, per_niche=4)


def answering(unbeaten: Sequence[str]) -> Callable[[Sequence[Message], dict[str, Any]], str]:
    def answer(messages: Sequence[Message], schema: dict[str, Any]) -> str:
        fields = schema["properties"]
        if "unbeaten" in fields:
            right = change(get_space("tiny"))[-1]
            return json.dumps({"unbeaten": list(unbeaten), "architecture": right})
        if "edits" in fields:
            edit = schema["$defs"]["Edit"] if "Edit" in schema.get("$defs", {}) else None
            kinds = edit or fields["edits"]["items"]
            first = {name: one["enum"] for name, one in kinds["properties"].items()}
            count = int(re.search(r"Choose (\d+) edits", messages[1].content)[1])  # type: ignore[index]
            edits = [
                {"parent": parent, "position": position, "choice": choice}
                for parent in first["parent"]
                for position in first["position"]
                for choice in first["choice"]
            ]
            return json.dumps({"edits": edits[:: max(1, len(edits) // count)][:count]})
        return json.dumps(proposed(members_asked_for(messages, 8)))

    return answer


@pytest.mark.parametrize(("unbeaten", "form"), [("ABD", "letters"), ("AC", "edits")])
def test_a_probe_chooses_the_form_once_and_a_replay_takes_it_over(
    settings: Settings, tmp_path: Path, unbeaten: str, form: str
) -> None:
    model = ScriptedModel(answering(unbeaten))
    config = settings(designer_model=model.name, question_form="probe")
    folder = Search(config, {model.name: model}).run().folder
    with RunStore.read(folder) as store:
        (asked,) = store.calls(agent="probe")
        (chosen,) = (event for event in store.events() if event.kind == "form-chosen")
        assert (chosen.data["model"], chosen.data["form"]) == (model.name, form)
        assert chosen.data["call"] == asked.id
        schemas = Counter(call.schema for call in store.calls(agent="designer"))
        assert set(schemas) == {"Designs" if form == "letters" else "Edits"}
        by = Counter(c.design.author for c in store.candidates())
        assert by[model.name] > 0
        if form == "edits":  # there is nothing to change in the first round
            assert {c.round for c in store.candidates() if c.design.call} == {1}
    with open_recording(folder) as recording:
        assert replay(recording, tmp_path / "again").same_front


def test_hosted_models_are_not_probed(settings: Settings) -> None:
    model = ScriptedModel(answering("ABD"))
    folder = Search(settings(designer_model=model.name), {model.name: model}).run().folder
    with RunStore.read(folder) as store:
        assert not store.calls(agent="probe")
        assert {call.schema for call in store.calls(agent="designer")} == {"Designs"}
