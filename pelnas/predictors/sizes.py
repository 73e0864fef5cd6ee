"""The proxies that need no pass over images: what a network's description says of its size."""

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import TYPE_CHECKING

from pelnas.architecture import Architecture, Shape
from pelnas.spaces import SearchSpace

if TYPE_CHECKING:
    from torch import nn

Size = Callable[[SearchSpace, Architecture, Shape], float]


def _parameters(space: SearchSpace, architecture: Architecture, shape: Shape) -> float:
    return float(space.parameters(architecture, shape))


def _flops(space: SearchSpace, architecture: Architecture, shape: Shape) -> float:
    return space.flops(architecture, shape)


def _entropy(space: SearchSpace, architecture: Architecture, shape: Shape) -> float:
    from pelnas.proxies.size import entropy_of  # torch takes seconds to import

    return entropy_of(skeleton(space, architecture, shape))


#: By the name of the proxy of the built network, whose value they give.
SIZES: Mapping[str, Size] = {"params": _parameters, "flops": _flops, "entropy": _entropy}


class Sizes:
    """Sizes of a space's architectures for images of a shape, as ``ProxyScores`` gives proxies."""

    def __init__(self, space: SearchSpace, shape: Shape, names: Sequence[str]) -> None:
        self._space, self._shape, self._names = space, shape, tuple(names)

    def of(self, texts: Sequence[str]) -> Generator[dict[str, float], None, None]:
        """The sizes of each architecture (official text), in order."""
        for architecture in map(self._space.parse, texts):
            yield {
                name: SIZES[name](self._space, architecture, self._shape) for name in self._names
            }

    def begin(self, texts: Sequence[str]) -> None:
        """They are known at once."""

    def close(self) -> None:
        """There is nothing to release."""


def skeleton(space: SearchSpace, architecture: Architecture, shape: Shape) -> "nn.Module":
    """The network without its weights where it can be built so; random numbers are left alone."""
    import torch

    with torch.random.fork_rng(devices=[]):
        try:
            with torch.device("meta"):
                return space.build(architecture, shape)
        except (RuntimeError, NotImplementedError):  # it looks at the weights that it draws
            return space.build(architecture, shape)
