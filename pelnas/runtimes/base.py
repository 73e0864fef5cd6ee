"""The interface of a runtime: a network in, a forward pass that can be called out."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

import numpy as np
from numpy.typing import NDArray

from pelnas.cache import Cache
from pelnas.runtimes.deployed import Deployed
from pelnas.runtimes.timing import Clock, clock

Floats = NDArray[np.float32]
#: One forward pass over images of the network's input shape (batch, channels, height, width);
#: logits (batch, classes).
Pass = Callable[[Floats], Floats]


class Runtime(ABC):
    """What executes networks on this machine, in evaluation mode and float32."""

    name: str
    title: str  # for people, with its version: "ONNX Runtime 1.32.0"
    alternates: bool = True  # whether several networks may be loaded, and run in turn
    versions: dict[str, str]  # of everything that decides how fast a network runs, by package
    processor: str = ""  # that runs them, where it is not this machine's central one
    clock: Callable[[int], Clock] = staticmethod(clock)  # for passes of so many threads

    def prepare(self, networks: Sequence[Deployed], cache: Cache) -> None:
        """Do what can be done on all cores before any of these is loaded and timed."""
        del networks, cache

    @abstractmethod
    def loaded(
        self, deployed: Deployed, threads: int, cache: Cache
    ) -> AbstractContextManager[Pass]:
        """A network, ready to run with so many threads; it is released at the end of the block.

        DeviceError: the runtime cannot run the network, such as for want of an operator.
        """
