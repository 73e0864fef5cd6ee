"""The outcome of orders that exclude no network: one clause each, from the run's records."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from pelnas.architecture import Evaluation
from pelnas.config import DEFAULT_MODEL
from pelnas.directives import (
    AddRule,
    Boundary,
    Claim,
    Directive,
    EditRule,
    Pause,
    Pin,
    Resume,
    RetireRule,
    Seed,
    SetBudget,
    SetModel,
    SetRounds,
    Stop,
    Undo,
    Weigh,
    say,
)
from pelnas.rules.rule import Rule
from pelnas.spaces import SearchSpace
from pelnas.store import RunStore
from pelnas.text import plural

BEFORE_DESIGNS = ("plan", "design")  # a directive from here on holds for the designs of its round
RUN = "run"  # the span of what concerns a run as a whole


def made_before(round_: int, boundary: Boundary) -> bool:
    """Whether the designs of a round were made before a boundary."""
    early = round_ == boundary.round and boundary.node not in BEFORE_DESIGNS
    return round_ < boundary.round or early


@dataclass(frozen=True)
class Outcomes:
    """Looks up what came of directives; what is not asked about is not read."""

    store: RunStore
    space: SearchSpace
    evaluations: list[Evaluation]

    def of(self, directive: Directive) -> str:
        """What came of it so far; '' where there is nothing to report, or another figure shows it."""
        begun = directive.effect
        if begun is None or directive.status == "refused":
            return ""
        match directive.order:
            case Seed(text) | Pin(text):
                return self._tried(text, begun)
            case Weigh():
                count = self._since(directive, lambda e: e.candidate.design.author == DEFAULT_MODEL)
                return f"weighed in the choice of {_designs(count)} by evolution"
            case AddRule(claim) | EditRule(_, claim):
                return self._claimed(directive, claim)
            case RetireRule(rule):
                count = self._since(directive, lambda e: rule in e.candidate.design.rules)
                return f"{rule} was shown for {_designs(count)} since"
            case SetRounds(rounds):
                return f"{self.store.designed()[0]} of {rounds} rounds begun"
            case SetBudget(name, limit):
                return self._spent(name, limit)
            case SetModel(role, model):
                return self._played(directive, role, model, begun.round)
            case Pause() | Resume() | Stop() | Undo():
                return self._control(directive)
            case _:
                return ""

    def _tried(self, text: str, begun: Boundary) -> str:
        found = next((e for e in self.evaluations if e.candidate.architecture == text), None)
        if found is None:
            return "not tried yet"
        before = "already " if made_before(found.candidate.round, begun) else ""
        place = f"{before}tried as {found.id} in round {found.candidate.round + 1}"
        return f"{place}: score {found.score:.4g}, {found.latency_ms:.4g} ms"

    def _claimed(self, directive: Directive, claim: Claim) -> str:
        """The verdict of the program on what a person claimed."""
        rule = next((rule for rule in self._rules if _is(rule, claim)), None)
        if rule is None:
            return "not measured yet"
        count = self._since(directive, lambda e: rule.id in e.candidate.design.rules)
        effect = "not measured" if rule.measured is None else f"effect {rule.measured:+.2f}"
        return f"{rule.id} is {rule.status} ({effect}), shown for {_designs(count)}"

    def _spent(self, name: str, limit: float | None) -> str:
        spent = self.store.spent()
        used = spent.seconds / 60 if name == "minutes" else float(getattr(spent, name))
        return f"{used:.4g} {name} spent of {'any number' if limit is None else f'{limit:g}'}"

    def _played(self, directive: Directive, role: str, model: str, since: int) -> str:
        if role == "designer":
            count = self._since(directive, lambda e: e.candidate.design.author == model)
            return f"{_designs(count)} by it since"
        if role == "planner":
            rounds = {at for at, entry in self.store.plans() if entry.author == model}
            return f"{len([at for at in rounds if at >= since])} rounds planned by it since"
        claimed = [rule for rule in self._rules if rule.author == model and rule.born >= since]
        return f"{len(claimed)} rules claimed by it since"

    def _control(self, directive: Directive) -> str:
        match directive.order:
            case Pause():
                seconds = self._paused.get(directive.id)
                return "" if seconds is None else f"the search waited {seconds:.0f} s"
            case Resume() | Stop():
                earlier = [d for d in self._directives if d.number < directive.number]
                pauses = [d.id for d in earlier if isinstance(d.order, Pause)]
                ended = self.store.reason if f" by {directive.id} " in self.store.reason else ""
                resumed = isinstance(directive.order, Resume) and pauses
                return ended or (f"ended the wait of {pauses[-1]}" if resumed else "")
            case Undo(target):
                asked = next(d for d in self._directives if d.id == target)
                return f"took back: {say(asked.order)}"
            case _:
                return ""

    def _since(self, directive: Directive, held: Callable[[Evaluation], bool]) -> int:
        """How many evaluated designs since a directive, and until its end, are so."""
        begun, ended = directive.effect, directive.ended
        return sum(
            held(each)
            for each in self.evaluations
            if begun is not None
            and not made_before(each.candidate.round, begun)
            and (ended is None or made_before(each.candidate.round, ended))
        )

    @cached_property
    def _rules(self) -> list[Rule]:
        return self.store.rules()

    @cached_property
    def _directives(self) -> list[Directive]:
        return self.store.directives()

    @cached_property
    def _paused(self) -> dict[str, float]:
        """Seconds of waiting, by the directive that asked for it; of pauses that have ended."""
        waited: dict[str, float] = {}
        begun: tuple[str, float] | None = None
        for event in self.store.events_of(RUN):
            if event.kind == "paused":
                begun = str(event.data["directive"]), event.time
            elif event.kind == "unpaused" and begun is not None:
                waited[begun[0]] = waited.get(begun[0], 0.0) + event.time - begun[1]
                begun = None
        return waited


def _is(rule: Rule, claim: Claim) -> bool:
    own = (rule.predicate, rule.polarity, rule.metric, rule.scope.niche)
    return own == (claim.predicate, claim.polarity, claim.metric, claim.niche)


def _designs(count: int) -> str:
    return f"{count} {plural(count, 'design')}"
