"""Settings: which model plays which role, and what is said of a value that cannot be used."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pelnas.config import (
    DEFAULT_MODEL,
    ROLES,
    SearchConfig,
    differences,
    load_config,
    with_settings,
)
from pelnas.errors import ConfigError

NAMES = st.sampled_from(["a:one", "b:two", "c:three", "builtin:random", DEFAULT_MODEL])
CHAINS = st.none() | st.lists(NAMES, max_size=4)


@given(NAMES, st.lists(NAMES, max_size=4), st.fixed_dictionaries(dict.fromkeys(ROLES, CHAINS)))
def test_a_chain_names_each_model_once_and_ends_with_what_is_built_in(
    model: str, fallbacks: list[str], own: dict[str, Any]
) -> None:
    chains = {f"{role}_fallbacks": names for role, names in own.items()}
    config = SearchConfig.model_validate({"model": model, "fallbacks": fallbacks} | chains)
    for role in ROLES:
        *models, last = config.chain_of(role)
        named = [model, *(fallbacks if own[role] is None else own[role])]
        assert last.startswith("builtin:")
        assert not any(name.startswith("builtin:") for name in models)
        assert len(set(models)) == len(models)
        assert [*models, last] == sorted({*models, last}, key=[*named, DEFAULT_MODEL].index)


def test_settings_survive_being_written_down() -> None:
    config = SearchConfig.model_validate({"model": "a:one", "planner_fallbacks": []})
    again = SearchConfig.model_validate_json(config.model_dump_json())
    assert again == config
    assert again.planner_fallbacks == ()
    assert again.designer_fallbacks is None


# -- calls at a time ------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "limits"),
    [
        ((), (None, None)),
        (None, (None, None)),
        (2, (2, 2)),
        ("openai=4", (4, None)),
        (["openai=4", "ollama = 1", "8"], (4, 8)),
        (["8", "ollama=1"], (8, 8)),
    ],
)
def test_a_provider_has_its_own_limit_or_that_of_all_others(
    given: Any, limits: tuple[int | None, int | None]
) -> None:
    config = SearchConfig.model_validate({"concurrency": given})
    assert (config.at_once("openai"), config.at_once("hand")) == limits
    again = SearchConfig.model_validate_json(config.model_dump_json())
    assert again == config
    assert with_settings(again, {"seed": 0}) == config


def test_limits_are_written_as_they_are_given() -> None:
    config = with_settings(SearchConfig(), {"concurrency": "openai=4, 8"})
    assert config.model_dump(mode="json")["concurrency"] == ["openai=4", "8"]


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ("0", "expected calls at a time as PROVIDER=N or N.*found '0'"),
        (0, "expected calls at a time"),
        (-3, "expected calls at a time"),
        (True, "expected calls at a time"),
        (["openai=many"], r"setting 'concurrency\.0': .*found 'openai=many'"),
        (["=4"], "expected calls at a time"),
        (["openai:gpt=4"], "expected calls at a time"),
        (["openai=4", "openai=5"], "found several for openai: leave one"),
        (["4", "5"], "found several for all others"),
        (2.5, "setting 'concurrency'"),
    ],
)
def test_a_limit_that_cannot_be_read_is_refused(given: Any, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        load_config(None, {"concurrency": given})


# -- changed settings -----------------------------------------------------------


def test_settings_are_changed_by_dotted_names_from_text() -> None:
    config = with_settings(
        SearchConfig(),
        {
            "scoring.batch": "64",
            "budget.minutes": "2.5",
            "images": "photos",
            "fallbacks": "openai:x, ollama:y",
            "designer_fallbacks": "ollama:z",
            "temperature": "none",
            "rounds": 4,
        },
    )
    assert (config.scoring.batch, config.budget.minutes, config.rounds) == (64, 2.5, 4)
    assert (config.images, config.temperature) == (Path("photos"), None)
    assert config.fallbacks == ("openai:x", "ollama:y")
    assert config.designer_fallbacks == ("ollama:z",)
    assert with_settings(config, {"fallbacks": ""}).fallbacks == ()


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"round": "4"}, "unknown setting 'round': settings are space"),
        ({"scoring.size": "4"}, r"unknown setting 'scoring\.size'"),
        ({"seed.first": "4"}, r"unknown setting 'seed\.first': 'seed' has no parts"),
        ({"nothing.at.all": "4"}, "unknown setting 'nothing'"),
        ({"": "4"}, "unknown setting ''"),
        ({"rounds": "many"}, "setting 'rounds': input should be a valid integer.*found 'many'"),
        ({"rounds": "0"}, "setting 'rounds'.*greater than or equal to 1"),
        ({"rounds": "none"}, "setting 'rounds'.*found None"),
        ({"scoring": "64"}, "setting 'scoring'"),
        (
            {"partition": "size"},
            "setting 'partition': input should be 'auto', 'operations' or 'flops'",
        ),
    ],
)
def test_what_no_setting_takes_is_refused(settings: dict[str, str], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        with_settings(SearchConfig(), settings)


def test_differences_are_what_with_settings_changes() -> None:
    changes = {"seed": 3, "scoring.batch": 64, "budget.calls": 5, "images": "photos"}
    one = SearchConfig()
    other = with_settings(one, changes | {"name": "b", "output": "elsewhere"})
    assert differences(one, other) == {
        "seed": (0, 3),
        "images": (None, "photos"),
        "budget.calls": (None, 5),
        "scoring.batch": (32, 64),
    }
    assert differences(one, one) == {}
