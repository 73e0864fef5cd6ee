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
    confirms: bool = False  # whether measuring again, with more care, may find another cost
    source: str  # one phrase for reports: "measured on this machine", "HW-NAS-Bench table"

    @abstractmethod
    def costs(self, architectures: Sequence[Architecture]) -> Iterator[Cost]:
        """One Cost for each architecture, in order, each as soon as it is known."""

    def confirm(
        self, architectures: Sequence[Architecture], company: Sequence[Architecture] = ()
    ) -> Iterator[Cost]:
        """The same with more care, for costs on which much depends.

        ``company``: others that these are measured in turn with, where they are few.
        """
        del company
        return self.costs(architectures)

    def close(self) -> None:
        """Release what the device holds; a second call does nothing."""
