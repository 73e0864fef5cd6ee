"""What a designer may call while it designs: the run's own evaluator, surrogate, front and rules.

A draft that is scored is one of the designs of its niche and round: it goes through the intake like
any other, takes one of the designs that the planner granted, and so one of the run's budget of
evaluations; it is stored at once, with its author and the call that asked, and evaluated once.
The step ``evaluate`` then finds it done. All other results depend on earlier rounds and on this
step's own drafts, never on a niche that is designed concurrently, so that a step that is repeated
or replayed gets the same results.
"""

import json
from collections.abc import Mapping, Sequence
from operator import eq
from typing import Any

from pydantic import BaseModel, Field, create_model

from pelnas.agents.design_brief import DesignBrief
from pelnas.agents.evolver import EVOLVER
from pelnas.agents.question_forms import FORMS, LETTERS
from pelnas.agents.toolbox import Tool, Toolbox
from pelnas.architecture import Architecture, Candidate, Evaluation
from pelnas.errors import ArchitectureError, InputError
from pelnas.graph.search.evaluate import evaluate_draft
from pelnas.graph.search.outlook import outlooks, short
from pelnas.graph.search.tool_spans import traced
from pelnas.graph.session.session import Session
from pelnas.rules.rule import Rule, render
from pelnas.spaces import SearchSpace
from pelnas.validator import Intake, Proposal

DRAFT = "draft"  # the method of designs that were evaluated while their designer was at work
NEIGHBOURS = 4  # networks that are listed at most
RULES = 6  # that are listed at most
NEAREST = 1  # parents that are recorded for a draft

Given = str | dict[str, Any]


class About(BaseModel):
    """A question about rules."""

    about: str = Field(max_length=200, description="what the rules should be about")


def designer_tools(session: Session, brief: DesignBrief, intake: Intake) -> Toolbox:
    """The tools of one designer's step."""
    return Toolbox(
        _DesignerTools(session, brief, intake).tools(),
        session.config.tool_calls,
        traced(session),
    )


class _DesignerTools:
    """The tools over one step."""

    def __init__(self, session: Session, brief: DesignBrief, intake: Intake) -> None:
        self._session = session
        self._brief = brief
        self._intake = intake
        self._archive = session.archive(brief.round)
        self._known = {e.candidate.architecture: e for e in self._archive.evaluations}

    def tools(self) -> list[Tool[Any]]:
        """All of them."""
        space = self._space
        name = self._session.config.model_of("designer")
        form = FORMS[self._brief.forms.get(name, LETTERS)]
        kind = form.architecture(space, self._brief.niche, name)
        one = create_model("Network", architecture=(kind, ...))
        text = "official text, or one choice for each position, or an id that you know"
        anywhere = create_model("AnyNetwork", architecture=(Given, Field(description=text)))
        changed = create_model(
            "Change",
            __base__=anywhere,
            position=(
                str,
                Field("", max_length=60, description="position that changes; '' for none"),
            ),
            choice=(str, Field("", max_length=120, description="what stands there then")),
        )
        return [
            Tool("score_architecture", self._about_scoring(), one, self._score),
            Tool("lookup_latency", self._about_cost(), one, self._look_up),
            Tool("what_if", _ABOUT_CHANGES, changed, self._what_if),
            Tool("neighbours_on_front", _ABOUT_NEIGHBOURS, anywhere, self._neighbours),
            Tool(
                "rules_about",
                "Rules with their evidence, the nearest to some words.",
                About,
                self._rules,
            ),
        ]

    @property
    def _space(self) -> SearchSpace:
        return self._brief.partition.space

    def _about_scoring(self) -> str:
        return (
            f"Evaluate a new network of your niche: {self._brief.objectives.goal}."
            " It becomes one of your designs."
        )

    def _about_cost(self) -> str:
        return f"What a network costs on {self._brief.device}, without its accuracy; no design of yours."

    # -- evaluating -------------------------------------------------------------------

    def _score(self, given: Any, call: str) -> Mapping[str, Any]:
        architecture = self._read(given.architecture)
        known = self._known.get(self._space.format(architecture))
        if known is not None:
            return {**self._figures(known), "evaluated": "before"}
        if self._intake.missing <= 0:
            raise InputError("no more designs are wanted in this niche and round")
        draft = self._accepted(architecture, call)
        found = evaluate_draft(self._session, draft)
        self._known[draft.architecture] = found
        return {
            **self._figures(found),
            "evaluated": "now",
            "dominated_by": self._dominators(found),
            "designs_left": self._intake.missing,
        }

    def _accepted(self, architecture: Architecture, call: str) -> Candidate:
        """The draft as a design of this step. InputError: the intake refuses it."""
        text = self._space.format(architecture)
        kin = self._nearest(architecture, [(p.id, p.architecture) for p in self._brief.parents])
        proposal = Proposal(
            text, DRAFT, tuple(kin[:NEAREST]), "scored before the rest was designed"
        )
        author = self._author(call)
        refused = self._intake.submit(proposal, author, self._brief.rule_ids, call or None)
        if refused:
            raise InputError(refused)
        return self._stored(text)

    def _author(self, call: str) -> str:
        if not call:  # no model's
            return EVOLVER
        found = self._session.store.call(call)
        return self._session.config.model_of("designer") if found is None else found.model

    def _stored(self, text: str) -> Candidate:
        """The draft in the store; what an interrupted attempt has stored there stays, and counts."""
        store, place = self._session.store, (self._brief.round, self._brief.niche.index)
        accepted = [design.architecture for design in self._intake.accepted]
        stored = store.candidates(*place)
        if [each.architecture for each in stored[: len(accepted)]] != accepted:
            store.replace_designs(*place, self._intake.accepted, self._intake.refused)
            stored = store.candidates(*place)
        return next(each for each in stored if each.architecture == text)

    def _look_up(self, given: Any, call: str) -> Mapping[str, Any]:
        architecture = self._read(given.architecture)
        with_cost = self._session.cost(architecture)
        counted: dict[str, Any] = {}
        if self._session.config.counts_footprint:
            footprint = self._brief.partition.footprint(architecture)
            counted = {"memory": footprint.memory, "size": footprint.size}
        return {
            "architecture": self._space.format(architecture),
            "device": self._brief.device,
            "feasible": with_cost.feasible,
            "latency_ms": short(with_cost.latency_ms),
            **({} if with_cost.energy_mj is None else {"energy_mj": short(with_cost.energy_mj)}),
            **counted,
        }

    # -- looking up -------------------------------------------------------------------

    def _what_if(self, given: Any, call: str) -> Mapping[str, Any]:
        before = self._read(given.architecture)
        after = self._changed(before, given.position, given.choice) if given.position else before
        text, home = self._space.format(after), self._brief.partition.locate(after)
        found = {"architecture": text, "in_your_niche": home == self._brief.niche.index}
        known = self._known.get(text)
        if known is not None:
            return {**found, **self._figures(known), "is": "evaluated"}
        return {**found, **self._predicted(after)}

    def _predicted(self, architecture: Architecture) -> dict[str, Any]:
        for found in outlooks(self._brief, [architecture], gains=True):
            figures = {**found.mean, "uncertainty": dict(found.uncertainty)}
            return {"is": "predicted", **figures, "expected_gain": found.gain}
        return {"is": "unknown", "why": "too few networks are evaluated to predict others"}

    def _neighbours(self, given: Any, call: str) -> Mapping[str, Any]:
        architecture = self._read(given.architecture)
        front = {e.id: e for e in self._archive.union()}
        texts = [(id_, e.candidate.architecture) for id_, e in front.items()]
        nearest = self._nearest(architecture, texts)[:NEIGHBOURS]
        return {"front": [self._figures(front[id_]) for id_ in nearest], "points": len(front)}

    def _rules(self, given: About, call: str) -> Mapping[str, Any]:
        scope = self._session.scope(self._brief.niche.index)
        retired = self._session.directives.retired_rules
        found: Sequence[Rule] = self._session.knowledge.retrieve(
            scope, given.about, RULES + len(retired)
        )
        kept = [rule for rule in found if rule.id not in retired][:RULES]
        return {"rules": [render(rule) for rule in kept]}

    # -- what they share --------------------------------------------------------------

    def _read(self, given: Given) -> Architecture:
        """An architecture by id, text or choices. InputError: it is none of them."""
        if isinstance(given, str):
            for evaluation in self._known.values():
                if evaluation.id == given:
                    return self._space.parse(evaluation.candidate.architecture)
        try:
            return self._space.proposed(_unquoted(given))
        except ArchitectureError as error:
            raise InputError(str(error)) from None

    def _changed(self, architecture: Architecture, position: str, choice: str) -> Architecture:
        """With another choice at one position. InputError: no such position or choice."""
        if not self._space.is_by_choices:
            raise InputError("this space has no positions by name: give the whole network instead")
        choices = self._space.choices_of(architecture)
        if position not in choices:
            raise InputError(
                f"there is no position {position!r}: positions are {', '.join(choices)}"
            )
        try:
            return self._space.architecture_of({**choices, position: choice})
        except ArchitectureError as error:
            raise InputError(str(error)) from None

    def _figures(self, evaluation: Evaluation) -> dict[str, Any]:
        values = [cost.of(evaluation) for cost in self._brief.objectives.costs]
        fields = self._brief.objectives.fields
        figures = zip(fields, map(short, [*values, evaluation.score]), strict=True)
        return {
            "id": evaluation.id,
            "architecture": evaluation.candidate.architecture,
            **dict(figures),
        }

    def _dominators(self, found: Evaluation) -> list[str]:
        """Ids of evaluated networks of the niche that dominate it, at most ``NEIGHBOURS``."""
        dominates = self._brief.objectives.dominates
        niche = self._brief.niche.index
        inside = [e for e in self._known.values() if e.candidate.niche == niche]
        return [e.id for e in inside if dominates(e, found)][:NEIGHBOURS]

    def _nearest(self, architecture: Architecture, texts: Sequence[tuple[str, str]]) -> list[str]:
        """Ids by how many choices their networks share, the most first."""
        genes = architecture.genes
        shared = {id_: sum(map(eq, genes, self._space.parse(text).genes)) for id_, text in texts}
        return sorted(shared, key=lambda id_: -shared[id_])


_ABOUT_CHANGES = (
    "What one changed choice would cost or bring: as evaluated, else as the run's surrogate predicts,"
    " with its uncertainty and what the network would add to the front (expected_gain, higher is"
    " better). Without a position: what the network itself is. No design of yours."
)
_ABOUT_NEIGHBOURS = "The networks of the front that share most choices with one, and their figures."


def _unquoted(given: Given) -> Given:
    """Choices that came as JSON in a string, as models send them."""
    if isinstance(given, str) and given.lstrip().startswith("{"):
        try:
            found = json.loads(given)
        except (ValueError, RecursionError):
            return given
        return found if isinstance(found, dict) else given
    return given
