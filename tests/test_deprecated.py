"""What the documentation of release 0.1.0 imported can still be imported, with a warning."""

from importlib import import_module

import pytest

from pelnas.deprecated import MODULES

OLD = {
    "pelnas.agents.loopback": ("Fault", "LoopbackServer"),
    "pelnas.agents.models": ("LanguageModel", "Patience", "Reply", "connect"),
    "pelnas.agents.providers": ("ProviderModel",),
    "pelnas.agents.scripted": ("ScriptedModel",),
    "pelnas.call": ("Message",),
    "pelnas.graph.helm": ("Helm",),
    "pelnas.graph.run": ("Search",),
    "pelnas.graph.search": ("build_graph",),
    "pelnas.prices": ("tariff",),
    "pelnas.tools.explanation": ("explain",),
    "pelnas.tools.inspection": ("afford", "front"),
}


@pytest.mark.parametrize(("module", "name"), [(m, n) for m, names in OLD.items() for n in names])
def test_an_old_name_is_what_has_taken_its_place(module: str, name: str) -> None:
    with pytest.warns(DeprecationWarning, match=rf"{module}\.{name} is deprecated: import"):
        found = getattr(import_module(module), name)
    assert found is not None
    assert found.__module__ != module


def test_every_old_module_is_tried() -> None:
    assert set(MODULES) <= set(OLD)


def test_what_was_never_there_is_not_there() -> None:
    with pytest.raises(ImportError, match="nothing"):
        exec("from pelnas.agents.providers import nothing")  # noqa: S102 - as a user writes it
    with pytest.raises(ModuleNotFoundError):
        import_module("pelnas.agents.nothing")
