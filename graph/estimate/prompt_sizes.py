"""The sizes of the prompts and answers to expect, before there is a run: for estimates.

The prompts are the real ones, filled with drawn networks and invented figures.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
from pydantic import BaseModel

from pelnas.agents import answer_schema
from pelnas.agents import design_brief as designing
from pelnas.agents import planner as planning
from pelnas.agents import reflection as reflecting
from pelnas.agents.question_forms import (
    EDITED_PARENTS,
    EDITED_RULES,
    EDITS,
    FORMS,
    LETTERS,
    NAMED,
)
from pelnas.architecture import Candidate, Cost, Design, Evaluation, Prediction, candidate_id
from pelnas.calls import tokens
from pelnas.calls.call import Message
from pelnas.calls.usage import Usage
from pelnas.config import SearchConfig
from pelnas.evolution import Task
from pelnas.objectives import Objectives
from pelnas.partition import Partition
from pelnas.predicate import Condition, Predicate
from pelnas.prompts import load_prompt
from pelnas.rules.evidence import Evidence
from pelnas.rules.rule import Rule, Scope, propose

SENTENCE = "Swaps pooling for a wider convolution on the longest path, which may gain accuracy."
REASON = "Wider convolution on the longest path."
SCORE, LATENCY_MS = 71.35, 4.217  # as long as figures are
FRONT = 12  # points of all niches together, or at most of one
NEW_RULES = 2  # that a niche gets in a round: others say again what is known


class Rehearsal:
    """The calls of a search by configuration and partition, as they are in the middle of it."""

    def __init__(self, config: SearchConfig, partition: Partition) -> None:
        self._config = config
        self._partition = partition
        self._objectives = Objectives.of(config.objectives)
        self._costs = (LATENCY_MS,) * len(self._objectives.costs)
        self._cells = self._drawn()

    def planner(self, round_: int) -> Usage:
        """The planner's call of a round, counted from 0."""
        brief = self.plan_brief(self._front if round_ else ())
        wanted = self._config.per_niche
        plans = [
            planning.NichePlan(niche=status.index, designs=wanted, focus=SENTENCE)
            for status in brief.niches
        ]
        return self._usage("planner", planning.variables(brief), planning.PlanAnswer(niches=plans))

    def designer(self, round_: int, niche: int, designs: int, before: int) -> Usage:
        """A designer's call for so many designs, where the niche has so many from ``before``."""
        found = self._evaluated(niche, min(before, self._config.parents))
        parents = tuple(
            designing.Parent(e.id, e.candidate.architecture, SCORE, self._costs) for e in found
        )
        brief = designing.DesignBrief(
            partition=self._partition,
            niche=self._partition.niches[niche],
            round=1,
            device=self._config.device,
            dataset=self._config.dataset,
            focus=SENTENCE,
            tasks=(Task("crossover", (0, 1)) if len(parents) > 1 else Task("sample"),) * designs,
            parents=parents,
            rules=self._rules(min(NEW_RULES * round_, self._config.rules)),
            seed=(0,),
            objectives=self._objectives,
        )
        form = FORMS[self._form]
        if self._form == EDITS:
            few = brief.with_parents(brief.parents[:EDITED_PARENTS])
            brief = replace(few, rules=few.rules[:EDITED_RULES])
        answer = self._answer(niche, designs, [parent.id for parent in parents[:2]])
        return self._usage("designer", form.variables(brief), answer, form.prompt)

    @property
    def _form(self) -> str:
        """How designers are asked; where a probe decides, as models are that answer it well."""
        wanted = self._config.question_form
        return wanted if wanted in FORMS else LETTERS

    def _answer(self, niche: int, designs: int, parents: list[str]) -> BaseModel:
        space, cell = self._partition.space, self._cells[niche]
        if self._form == EDITS and space.is_by_choices:
            edit = answer_schema.Edit(
                parent="r1n1c1", position=space.slots[0], choice=space.choices[0][0]
            )
            return answer_schema.EditedDesigns(edits=[edit] * designs)
        named = self._form == NAMED
        choices = space.choices_of(space.parse(cell)) if space.is_by_choices else cell
        design = answer_schema.ProposedDesign(
            architecture=choices
            if named or not space.letters
            else FORMS[LETTERS].written(space, cell),
            operation="crossover" if named else None,
            parents=parents,
            rationale=SENTENCE if named else REASON,
        )
        return answer_schema.Designs(designs=[design] * designs)

    def reflection(self, round_: int, niche: int, designs: int, before: int) -> Usage:
        """A reflection agent's call about so many designs of this round."""
        brief = reflecting.ReflectBrief(
            partition=self._partition,
            niche=self._partition.niches[niche],
            round=1,
            scope=self._scope,
            fresh=self._evaluated(niche, designs),
            best=self._evaluated(niche, min((before + designs) // 2, FRONT)),
            rules=self._rules(min(NEW_RULES * round_, reflecting.RULES_SHOWN)),
            evidence=Evidence(),
            objectives=self._objectives,
            short=self._form != NAMED,
        )
        rule = reflecting.ProposedRule(
            text=SENTENCE,
            predicate=str(self._rules(1)[0].predicate) if self._rules(1) else "",
            metric="accuracy",
            polarity="helps",
            effect=0.5,
        )
        answer = reflecting.ReflectAnswer(rules=[rule] * reflecting.RULES_ASKED)
        return self._usage("reflection", reflecting.variables(brief), answer)

    def plan_brief(
        self, front: Sequence[tuple[tuple[float, ...], float, int]] = ()
    ) -> planning.PlanBrief:
        """The planner's brief for a search that has not designed anything."""
        niches = self._partition.niches
        return planning.PlanBrief(
            round=0,
            rounds=self._config.rounds,
            total=self._config.per_niche * len(niches),
            device=self._config.device,
            unit="predicted score",
            niches=tuple(
                planning.NicheStatus(
                    index=niche.index,
                    label=niche.label,
                    designed=0,
                    left=self._partition.left(niche.index, 0),
                    on_front=0,
                    gained=0,
                    best_score=SCORE if front else None,
                    least=LATENCY_MS if front else None,
                    gap=None,
                )
                for niche in niches
            ),
            front=tuple(front),
            objectives=self._objectives,
            short=self._form != NAMED,
        )

    # -- what they speak of ---------------------------------------------------------

    @cached_property
    def _front(self) -> list[tuple[tuple[float, ...], float, int]]:
        return [(self._costs, SCORE, k % len(self._partition.niches)) for k in range(FRONT)]

    @property
    def _scope(self) -> Scope:
        return Scope(self._config.space, self._config.device, self._config.dataset, None)

    def _drawn(self) -> list[str]:
        """One network of each niche; of another one where it has none."""
        rng = np.random.default_rng(0)
        space = self._partition.space
        found = [next(self._partition.sample(n.index, rng), None) for n in self._partition.niches]
        return [space.format(one or space.sample(rng)) for one in found]

    def _evaluated(self, niche: int, count: int) -> tuple[Evaluation, ...]:
        design = Design(self._cells[niche], "", "crossover", rationale=SENTENCE)
        return tuple(
            Evaluation(
                Candidate(candidate_id(1, niche, slot), 1, niche, slot, design),
                Prediction(SCORE),
                Cost(LATENCY_MS, energy_mj=LATENCY_MS),
                parameters=0,
                flops=0.0,
                memory=0,
                size=0,
            )
            for slot in range(count)
        )

    def _rules(self, count: int) -> tuple[Rule, ...]:
        features = sorted(self._partition.feature_names)
        predicate = Predicate(tuple(Condition(name, ">=", 1) for name in features[:2]))
        rule = propose(SENTENCE, "helps", "accuracy", predicate, self._scope)
        return (rule,) * count

    def _usage(
        self, role: str, values: dict[str, str], answer: BaseModel, prompt: str = ""
    ) -> Usage:
        model = self._config.model_of(role)
        system, user = load_prompt(prompt or role, self._config.prompts).render(values)
        asked = [Message("system", system), Message("user", user)]
        said = answer.model_dump_json(exclude_none=True)
        return Usage(tokens.estimate(asked, model), tokens.count(said, model))
