"""Orders about the run: its rounds, budgets and models, its clock, and what is taken back."""

import re
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Literal, Self

from pydantic import ValidationError

from pelnas.config import AUTO, ROLES, Budget, SearchConfig
from pelnas.directives.order import (
    Order,
    Records,
    designs_since,
    need,
    need_word,
    number,
    read_number,
    read_words,
    wrong,
)
from pelnas.errors import DirectiveError
from pelnas.inputs import bounds
from pelnas.spaces import SearchSpace

if TYPE_CHECKING:
    from pelnas.directives.conflicts import Standing
    from pelnas.directives.directive import Directive


class Setting(Order):
    """An order that stands in the place of a setting of the run."""

    __slots__ = ()

    def not_in_fork(self, same_unit: bool) -> str:
        return "it is among the settings of this fork"


@dataclass(frozen=True, slots=True)
class SetRounds(Setting):
    """End after so many rounds in all."""

    rounds: int

    prefix = "/rounds"
    forms = (("20", "end after so many rounds in all"),)

    def __post_init__(self) -> None:
        need(self.rounds in bounds.ROUNDS, f"{bounds.ROUNDS} rounds", self.rounds)

    @classmethod
    def read(cls, rest: str, form: str) -> Self:
        if not re.fullmatch(r"[0-9]{1,9}", rest):
            raise wrong(form, rest)
        return cls(int(rest))

    def say(self, space: SearchSpace | None = None) -> str:
        return f"end after {self.rounds} rounds in all"

    def applied(self, config: SearchConfig) -> SearchConfig:
        return config.model_copy(update={"rounds": self.rounds})

    def outcome(self, given: "Directive", records: Records) -> str:
        return f"{records.rounds_begun()} of {self.rounds} rounds begun"


@dataclass(frozen=True, slots=True)
class SetBudget(Setting):
    """Another limit of a budget over the whole run; ``None``: no limit."""

    name: str
    limit: float | None

    prefix = "/budget"
    forms = ((f"{'|'.join(Budget.model_fields)} NUMBER|none", "another limit over the whole run"),)

    def __post_init__(self) -> None:
        names = tuple(Budget.model_fields)
        need(self.name in names, f"a budget, one of {', '.join(names)}", self.name)
        if self.limit is None:
            return
        try:
            Budget.model_validate({self.name: self.limit})
        except ValidationError as error:
            problem = error.errors()[0]["msg"].lower()
            raise DirectiveError(
                f"a budget of {self.limit:g} {self.name} cannot be set ({problem}): correct it"
            ) from None

    @classmethod
    def read(cls, rest: str, form: str) -> Self:
        name, limit = read_words(rest, 2, form)
        return cls(name, None if limit == "none" else read_number(limit, form))

    def say(self, space: SearchSpace | None = None) -> str:
        if self.limit is None:
            return f"set no limit of {self.name}"
        return f"spend at most {number(self.limit)} {self.name} over the whole run"

    def applied(self, config: SearchConfig) -> SearchConfig:
        budget = config.budget.model_dump() | {self.name: self.limit}
        return config.model_copy(update={"budget": Budget.model_validate(budget)})

    def outcome(self, given: "Directive", records: Records) -> str:
        limit = "any number" if self.limit is None else f"{self.limit:g}"
        return f"{records.spent(self.name):.4g} {self.name} spent of {limit}"


@dataclass(frozen=True, slots=True)
class SetModel(Setting):
    """Another model for a role, from the next node on."""

    role: str
    model: str

    prefix = "/model"
    forms = ((f"{'|'.join(ROLES)} PROVIDER:MODEL", "another model from the next node on"),)

    def __post_init__(self) -> None:
        need(self.role in ROLES, f"a role, one of {', '.join(ROLES)}", self.role)
        need_word(self.model)
        provider, _, name = self.model.partition(":")
        need(bool(provider and name), "a model as provider:model", self.model)
        if provider == "hand":  # it makes its folder: whoever steers may not choose any
            folder = PurePath(name)
            below = not folder.is_absolute() and not {"..", "~"} & {*folder.parts, name[:1]}
            need(below, "a folder below the search's own, such as hand:answers", self.model)

    @classmethod
    def read(cls, rest: str, form: str) -> Self:
        return cls(*read_words(rest, 2, form))

    def say(self, space: SearchSpace | None = None) -> str:
        return f"let {self.model} play the {self.role} from the next node on"

    @property
    def scope(self) -> str:
        return self.role

    def applied(self, config: SearchConfig) -> SearchConfig:
        return config.model_copy(update={f"{self.role}_model": self.model})

    def outcome(self, given: "Directive", records: Records) -> str:
        begun = given.effect.round if given.effect else 0
        if self.role == "designer":
            by = designs_since(given, records, lambda e: e.candidate.design.author == self.model)
            return f"{by} by it since"
        if self.role == "planner":
            rounds = [round_ for round_ in records.planned(self.model) if round_ >= begun]
            return f"{len(rounds)} rounds planned by it since"
        claimed = [r for r in records.rules if r.author == self.model and r.born >= begun]
        return f"{len(claimed)} rules claimed by it since"


@dataclass(frozen=True, slots=True)
class SetShare(Setting):
    """Another share of each niche's designs for the designers' model, from the next node on."""

    share: float | Literal["auto"]

    prefix = "/share"
    forms = (
        ("0.3", "leave this share of the designs to the designers' model"),
        ("auto", "leave it the share that what it brings is worth"),
    )

    def __post_init__(self) -> None:
        fits = self.share == AUTO or self.share in bounds.SHARE
        need(fits, f"a share of {bounds.SHARE} or auto", self.share)

    @classmethod
    def read(cls, rest: str, form: str) -> Self:
        return cls(AUTO if rest == AUTO else read_number(rest, form))

    def say(self, space: SearchSpace | None = None) -> str:
        if self.share == AUTO:
            return "leave the designers' model the share of designs that what it brings is worth"
        return f"leave {number(self.share)} of each niche's designs to the designers' model"

    def applied(self, config: SearchConfig) -> SearchConfig:
        return config.model_copy(update={"designer_share": self.share})

    def outcome(self, given: "Directive", records: Records) -> str:
        by = designs_since(given, records, lambda e: e.candidate.design.call is not None)
        return f"{by} by models since"


class Control(Order):
    """An order about the clock alone: it changes no result and is honoured at once."""

    __slots__ = ()

    def not_in_fork(self, same_unit: bool) -> str:
        return "it was for the clock of the run that this one was forked from"


@dataclass(frozen=True, slots=True)
class Pause(Control):
    """Wait after the piece of work under way."""

    prefix = "/pause"
    forms = (("", "wait after the piece of work under way"),)

    def say(self, space: SearchSpace | None = None) -> str:
        return "pause after the piece of work under way"

    def outcome(self, given: "Directive", records: Records) -> str:
        seconds = records.waited(given.id)
        return "" if seconds is None else f"the search waited {seconds:.0f} s"


@dataclass(frozen=True, slots=True)
class Resume(Control):
    """End the pause."""

    prefix = "/resume"
    forms = (("", "end the pause"),)

    def say(self, space: SearchSpace | None = None) -> str:
        return "go on after the pause"

    def check(self, beside: "Standing") -> Order:
        if beside.in_force.pause is None:
            raise DirectiveError("the search is not paused: there is nothing to resume")
        return self

    def outcome(self, given: "Directive", records: Records) -> str:
        earlier = [d for d in records.directives if d.number < given.number]
        pauses = [d.id for d in earlier if isinstance(d.order, Pause)]
        return f"ended the wait of {pauses[-1]}" if pauses else ""


@dataclass(frozen=True, slots=True)
class Stop(Control):
    """Finish the round, then end with a report; ends a pause, too."""

    prefix = "/stop"
    forms = (("", "finish the round, then end with the report"),)

    def say(self, space: SearchSpace | None = None) -> str:
        return "finish the round, then end with the report"

    def outcome(self, given: "Directive", records: Records) -> str:
        return records.reason if f" by {given.id} " in records.reason else ""


@dataclass(frozen=True, slots=True)
class Undo(Order):
    """Take back an earlier directive."""

    directive: str

    prefix = "/undo"
    forms = (("d3", "take back an earlier directive"),)

    def __post_init__(self) -> None:
        known = re.fullmatch(r"d[1-9][0-9]{0,8}", self.directive) is not None
        need(known, "the id of a directive such as d3", self.directive)

    @classmethod
    def read(cls, rest: str, form: str) -> Self:
        return cls(read_words(rest, 1, form)[0])

    def say(self, space: SearchSpace | None = None) -> str:
        return f"take back {self.directive}"

    def check(self, beside: "Standing") -> Order:
        target = next((d for d in beside.given if d.id == self.directive), None)
        if target is None:
            raise DirectiveError(
                f"there is no directive {self.directive}: see `pelnas directives` for those given"
            )
        if target.status in ("undone", "refused"):
            raise DirectiveError(
                f"{target.id} is {target.status} already: there is nothing to undo"
            )
        if isinstance(target.order, Undo | Resume):
            raise DirectiveError(
                f"{target.id} ({target.order.command}) cannot be undone: give the directive again"
            )
        return self

    def outcome(self, given: "Directive", records: Records) -> str:
        asked = next(d for d in records.directives if d.id == self.directive)
        return f"took back: {asked.order.say()}"
