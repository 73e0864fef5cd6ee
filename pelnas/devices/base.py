"""The interface of a device: what each architecture costs on it."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

from pelnas.architecture import Architecture, Cost


class Device(ABC):
    """A target whose latency is looked up or measured. All costs: lower is better."""

    name: str
    measures: bool = (
        False  # whether a cost takes time to find out, so that it is asked for sparingly
    )
    source: str  # one phrase for reports: "measured on this machine", "HW-NAS-Bench table"

    @abstractmethod
    def costs(self, architectures: Sequence[Architecture]) -> Iterator[Cost]:
        """One Cost for each architecture, in order, each as soon as it is known."""

    def close(self) -> None:
        """Release what the device holds; a second call does nothing."""
