import pytest

from pelnas.agents.cast import connect_all
from pelnas.agents.scripted import ScriptedModel
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
