"""The validator: form, niche, novelty and directives, decided by the program."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pelnas.architecture import Architecture, Design, Refusal
from pelnas.directives.gate import Gate
from pelnas.errors import ArchitectureError
from pelnas.partition import Niche, Partition

SHOWN = 200  # characters of a refused text that are kept


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a designer proposes; nothing of it is trusted. Texts are data.

    ``architecture``: its official text, or an operation for each position.
    """

    architecture: str | Mapping[str, object]
    method: str
    parents: tuple[str, ...] = ()
    rationale: str = ""

    @property
    def shown(self) -> str:
        """The architecture as it was proposed, cut to a readable length."""
        given = self.architecture
        text = (
            given if isinstance(given, str) else json.dumps(given, ensure_ascii=False, default=str)
        )
        return text[:SHOWN]


class Intake:
    """Takes one designer step's proposals for one niche and keeps what may be evaluated.

    ``seen``: texts of every architecture already designed in this niche.
    ``gate``: what the directives in force let in; ``None``: everything.
    """

    def __init__(
        self,
        partition: Partition,
        niche: Niche,
        seen: Iterable[str],
        wanted: int,
        gate: Gate | None = None,
    ) -> None:
        self._partition = partition
        self._niche = niche
        self._seen = set(seen)
        self._earlier: set[str] = set()
        self._gate = gate
        self._passed_over: set[Architecture] = set()
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

    def closed(self, architecture: Architecture) -> bool:
        """Whether a child is not worth proposing: designed before, or kept out by a formula."""
        if self.seen(self._partition.space.format(architecture)):
            return True
        return self._keeps_out(architecture, cost=False)

    def lets_in(self, architecture: Architecture) -> bool:
        """Whether the directives let a child in; its cost may be measured to decide."""
        return not self._keeps_out(architecture, cost=True)

    @property
    def avoided(self) -> dict[str, int]:
        """How many children were passed over in place of being proposed, by directive."""
        return dict(self._gate.passed_over(self._passed_over)) if self._gate else {}

    @property
    def short(self) -> bool:
        """Whether children were turned away only because no more costs could be measured."""
        return self._gate is not None and self._gate.short

    def submit(
        self, proposal: Proposal, author: str, rules: tuple[str, ...], call: str | None
    ) -> str:
        """Accept a proposal, or refuse it and say why in one sentence ('' when accepted)."""
        kind, reason, architecture = self._judge(proposal.architecture)
        directive = None
        if not kind and architecture is not None and self.missing > 0:
            kind, reason, directive = self._judge_by_directives(architecture)
        if kind == "repeated" or (not kind and self.missing <= 0):
            return ""
        if kind or architecture is None:
            self.refused.append(Refusal(proposal.shown, author, kind, reason, call, directive))
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

    def _judge(self, given: str | Mapping[str, object]) -> tuple[str, str, Architecture | None]:
        space = self._partition.space
        try:
            architecture = space.proposed(given)
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

    def _judge_by_directives(self, architecture: Architecture) -> tuple[str, str, str | None]:
        found = self._gate.judge(architecture) if self._gate else None
        if found is None:
            return "", "", None
        directive, why = found
        text = self._partition.space.format(architecture)
        return "directive", f"{text} breaks {directive} ({why}): design another one", directive

    def _keeps_out(self, architecture: Architecture, *, cost: bool) -> bool:
        if self._gate is None:
            return False
        judge = self._gate.judge if cost else self._gate.by_formula
        if judge(architecture) is None:
            return False
        self._passed_over.add(architecture)
        return True
