import pytest

from pelnas.agents.team import check_turns, connect_all
from pelnas.agents.testing.scripted import ScriptedModel
from pelnas.config import SearchConfig
from pelnas.errors import ModelError


def test_builtin_roles_connect_to_nothing() -> None:
    assert connect_all(SearchConfig()) == {}


def test_an_unknown_builtin_is_refused_by_name() -> None:
    with pytest.raises(ModelError, match="builtin:evolver"):
        connect_all(SearchConfig(planner_model="builtin:oracle"))


def test_one_model_is_connected_once_for_all_its_roles() -> None:
    model = ScriptedModel([])
    config = SearchConfig(model="builtin:evolver", designer_model=model.name)
    assert connect_all(config, {model.name: model}) == {model.name: model}


@pytest.mark.parametrize("limit", ["openai=4", "ollama=1", "local=1", "hand=1", "scripted=2", "7"])
def test_turns_are_for_any_provider_that_there_is(limit: str) -> None:
    check_turns(SearchConfig.model_validate({"concurrency": [limit], "model": "scripted:x"}))


def test_turns_for_a_provider_that_does_not_exist_are_refused() -> None:
    config = SearchConfig.model_validate({"concurrency": ["olama=1", "4"]})
    with pytest.raises(ModelError, match=r"provider 'olama' in .*olama=1.*did you mean ollama"):
        check_turns(config)
