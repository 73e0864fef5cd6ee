"""The validator: form, niche and novelty of whatever is proposed, decided by the program."""

from collections.abc import Iterable
from dataclasses import dataclass

from pelnas.architecture import Architecture, Design, Refusal
from pelnas.errors import ArchitectureError
from pelnas.partition import Niche, Partition

SHOWN = 200  # characters of a refused text that are kept


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a designer proposes; nothing of it is trusted. Texts are data."""

    architecture: str
    method: str
    parents: tuple[str, ...] = ()
    rationale: str = ""


class Intake:
    """Takes one designer step's proposals for one niche and keeps what may be evaluated.

    ``seen``: texts of every architecture already designed in this niche.
    """

    def __init__(
        self, partition: Partition, niche: Niche, seen: Iterable[str], wanted: int
    ) -> None:
        self._partition = partition
        self._niche = niche
        self._seen = set(seen)
        self._earlier: set[str] = set()
        self.wanted = wanted
        self.accepted: list[Design] = []
        self.refused: list[Refusal] = []

    @property
    def missing(self) -> int:
        """How many designs are still wanted."""
        return self.wanted - len(self.accepted)

    def next_answer(self) -> None:
        """A new answer begins: what an earlier one had accepted may be repeated without blame."""
        self._earlier = {design.architecture for design in self.accepted}

    def seen(self, text: str) -> bool:
        """Whether an architecture of this niche has been designed before."""
        return text in self._seen

    def submit(
        self, proposal: Proposal, author: str, rules: tuple[str, ...], call: str | None
    ) -> str:
        """Accept a proposal, or refuse it and say why in one sentence ('' when accepted)."""
        kind, reason, architecture = self._judge(proposal.architecture)
        if kind == "repeated" or (not kind and self.missing <= 0):
            return ""
        if kind or architecture is None:
            self.refused.append(Refusal(proposal.architecture[:SHOWN], author, kind, reason, call))
            return reason
        text = self._partition.space.format(architecture)
        self._seen.add(text)
        self.accepted.append(
            Design(
                architecture=text,
                author=author,
                method=proposal.method,
                parents=proposal.parents,
                rationale=proposal.rationale,
                rules=rules,
                call=call,
            )
        )
        return ""

    def _judge(self, text: str) -> tuple[str, str, Architecture | None]:
        space = self._partition.space
        try:
            architecture = space.parse(text)
        except ArchitectureError as error:
            return "malformed", str(error), None
        official = space.format(architecture)
        if official in self._earlier:
            return "repeated", "", None
        if official in self._seen:
            return "duplicate", f"{official} has been designed before: design a new one", None
        home = self._partition.locate(architecture)
        if home != self._niche.index:
            label = self._partition.niches[home].label
            reason = (
                f"{official} lies in niche {home} ({label}), not in niche {self._niche.index}"
                f" ({self._niche.label}): it must satisfy {self._niche.predicate}"
            )
            return "out-of-niche", reason, None
        return "", "", architecture
