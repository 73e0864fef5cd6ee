"""Search spaces: one file each, one entry in the table."""

from functools import cache

from pelnas.errors import SpaceError
from pelnas.plugins import Group
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
    "autoformer": AutoFormer,
    "autoformer_small": AutoFormerSmall,
    "tiny": Tiny,
}

__all__ = ["PLUGINS", "SPACES", "SearchSpace", "get_space", "known_spaces"]


#: Spaces of other packages; an entry point names a class that is made without arguments.
PLUGINS = Group("pelnas.spaces", "space", SearchSpace, SpaceError)  # type: ignore[type-abstract]


def known_spaces() -> tuple[str, ...]:
    """The names of all spaces: of the table, then of other packages. None of these is loaded."""
    return (*SPACES, *PLUGINS.names(besides=SPACES))


@cache
def get_space(name: str) -> SearchSpace:
    """The space of this name, from the table or from another package; one for all who ask.

    SpaceError: no such space, or one of another package that cannot be loaded.
    """
    if name in SPACES:
        return SPACES[name]()  # a space is a value, and what it finds out of itself it keeps
    space = PLUGINS.make(name)
    if space is None:
        raise SpaceError(f"unknown space {name!r}: use one of {', '.join(known_spaces())}")
    return space
