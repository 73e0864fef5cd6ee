"""Search spaces: one file each, one entry in the table."""

from importlib.metadata import entry_points

from pelnas.errors import SpaceError
from pelnas.spaces.base import SearchSpace
from pelnas.spaces.nasbench201 import NasBench201
from pelnas.spaces.tiny import Tiny

SPACES: dict[str, type[SearchSpace]] = {"nasbench201": NasBench201, "tiny": Tiny}

__all__ = ["SPACES", "SearchSpace", "get_space"]


def get_space(name: str) -> SearchSpace:
    """The space of this name, from the table or the entry-point group ``pelnas.spaces``.

    SpaceError: no such space.
    """
    if name in SPACES:
        return SPACES[name]()
    for entry in entry_points(group="pelnas.spaces", name=name):
        space: SearchSpace = entry.load()()
        return space
    raise SpaceError(f"unknown space {name!r}: use one of {', '.join(SPACES)}")
