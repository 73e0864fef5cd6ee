"""Settings: which model plays which role, and what is said of a value that cannot be used."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pelnas.config import DEFAULT_MODEL, ROLES, SearchConfig

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
