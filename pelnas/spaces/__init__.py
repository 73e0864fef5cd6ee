"""Search spaces: one file each, one entry in the table."""

from functools import cache
from importlib.metadata import EntryPoint, entry_points

from pelnas.errors import SpaceError
from pelnas.spaces.autoformer import AutoFormer, AutoFormerSmall
from pelnas.spaces.base import SearchSpace
from pelnas.spaces.fbnet import FBNet
from pelnas.spaces.mnasnet import MnasNet, ScaledMnasNet
from pelnas.spaces.nasbench201 import NasBench201
from pelnas.spaces.tiny import Tiny

SPACES: dict[str, type[SearchSpace]] = {
    "nasbench201": NasBench201,
    "mnasnet": MnasNet,
    "mnasnet_scaled": ScaledMnasNet,
    "fbnet": FBNet,
    "tiny": Tiny,
    "autoformer": AutoFormer,
    "autoformer_small": AutoFormerSmall,
}
GROUP = "pelnas.spaces"  # of entry points by which other packages name their spaces

__all__ = ["SPACES", "SearchSpace", "get_space", "known_spaces"]


def known_spaces() -> tuple[str, ...]:
    """The names of all spaces: of the table, then of other packages. None of these is loaded."""
    others = sorted({entry.name for entry in entry_points(group=GROUP)} - set(SPACES))
    return (*SPACES, *others)


def get_space(name: str) -> SearchSpace:
    """The space of this name, from the table or the entry-point group ``pelnas.spaces``.

    SpaceError: no such space, or one of another package that cannot be loaded.
    """
    if name in SPACES:
        return _made(SPACES[name])
    for entry in entry_points(group=GROUP, name=name):
        return _loaded(entry)
    raise SpaceError(f"unknown space {name!r}: use one of {', '.join(known_spaces())}")


@cache
def _made(kind: type[SearchSpace]) -> SearchSpace:
    """One for all who ask: a space is a value, and what it finds out of itself it keeps."""
    return kind()


def _loaded(entry: EntryPoint) -> SearchSpace:
    try:
        space = entry.load()()
    except (ImportError, AttributeError, TypeError) as error:
        raise SpaceError(
            f"expected space {entry.name!r} at {entry.value}, found: {error}; mend or remove the"
            " package that names it"
        ) from error
    if not isinstance(space, SearchSpace):
        raise SpaceError(
            f"expected a SearchSpace at {entry.value} for space {entry.name!r}, found"
            f" {type(space).__name__}: derive it from pelnas.spaces.SearchSpace"
        )
    return space
