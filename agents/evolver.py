"""``builtin:evolver``: planner, designer and reflection agent without a language model.

It gets the same briefs and answers the same schemas as the language models,
needs no network and no weights, and designs by evolution under the rules in
force. It is the offline default, the fallback of every model, and the baseline
that a model has to beat. ``builtin:random`` differs in one thing: it designs
by drawing members of the niche at random.
"""

import json
from collections.abc import Callable
from itertools import product
from operator import eq

import numpy as np

from pelnas.agents.design_brief import DesignBrief
from pelnas.agents.designer import Designer
from pelnas.agents.planner import NichePlan, NicheStatus, PlanAnswer, PlanBrief, Planner
from pelnas.agents.reflection import ReflectBrief, Reflection, Reflector
from pelnas.agents.toolbox import Toolbox
from pelnas.architecture import Architecture
from pelnas.evolution import Evolution, Task
from pelnas.inputs.quantities import Metric
from pelnas.knowledge.prior import Prior
from pelnas.objectives import Objectives
from pelnas.rules.rule import Rule, bias
from pelnas.rules.verdicts import candidate_rules
from pelnas.surrogate import Seen, Surrogate, propose
from pelnas.validator import Intake, Proposal

EVOLVER = "builtin:evolver"
RANDOM = "builtin:random"
SURROGATE = "surrogate"  # the method of designs that it chose
KNOWLEDGE = "knowledge"  # of designs by rules of earlier runs
#: One of so many first designs is by these rules. The others are spread over the niche as without
#: them: the surrogate learns from the whole niche, and rules that do not hold here cost less.
CARRIED_SHARE = 2
PRIOR_STREAM = 4  # of the draws for these, beside those of the step
RULES_PROPOSED = 4  # rules it proposes for one niche, metric and round
YIELD_WEIGHT = (
    3.0  # how much more a niche gets that fills the whole front than one that adds nothing
)


class BuiltinPlanner(Planner):
    """Gives more to the niches that hold the front and gained points on it lately.

    Half of a niche's claim is its share of the front, half its share of the
    last round's gains, so that a niche that stalls loses ground; every niche
    keeps a base claim, since a front may be broken open from anywhere.
    """

    name = EVOLVER

    def plan(self, brief: PlanBrief) -> PlanAnswer:
        holds = sum(status.on_front for status in brief.niches) or 1
        gains = sum(status.gained for status in brief.niches) or 1
        claims = [
            1.0 + YIELD_WEIGHT * (status.on_front / holds + status.gained / gains) / 2
            for status in brief.niches
        ]
        return PlanAnswer(
            niches=[
                NichePlan(
                    niche=status.index,
                    designs=round(1000 * claim / sum(claims)),
                    focus=_focus(status),
                )
                for status, claim in zip(brief.niches, claims, strict=True)
            ]
        )


def _focus(status: NicheStatus) -> str:
    if not status.designed:
        return "first look: spread over the niche"
    if status.gap is not None:
        return f"the widest gap of its front, {status.gap}"
    return "a second point on its front"


class EvolvingDesigner(Designer):
    """What the surrogate of the run's evaluations expects most of, once it knows enough.

    Before that, and where it is not wanted: mutation and crossover of the niche's parents, the
    rules in force choosing among children. With tools, half of its designs are scored first, as
    far as its allowance goes, and the surrogate learns from them before it chooses the others.
    """

    name = EVOLVER

    def design(self, brief: DesignBrief, intake: Intake) -> None:
        rng = np.random.default_rng(brief.seed)
        surrogate = self.learned(brief)
        if surrogate is not None and intake.missing:
            if brief.tools is not None:
                surrogate = self._drafted(surrogate, brief.tools, brief, intake, rng)
            self._expected(surrogate, brief, intake, rng)
        elif brief.prior is not None and not brief.parents:
            self.carry_over(brief.prior, brief, intake)
        self._evolved(brief, intake, rng)

    def learned(self, brief: DesignBrief) -> Surrogate | None:
        """The surrogate, once it knows enough to be asked."""
        surrogate = brief.surrogate
        return surrogate if surrogate is not None and surrogate.ready else None

    def _drafted(
        self,
        surrogate: Surrogate,
        tools: Toolbox,
        brief: DesignBrief,
        intake: Intake,
        rng: np.random.Generator,
    ) -> Surrogate:
        """Score half of the designs by a tool; the surrogate with what they were found to be."""
        count = min(tools.left, intake.missing // 2)
        seen, infeasible = [], []
        for architecture in self._proposed(surrogate, brief, intake, count, rng):
            text = brief.partition.space.format(architecture)
            answer = json.loads(tools.call("score_architecture", {"architecture": text}, ""))
            if "error" in answer:
                break
            figures = [answer[name] for name in brief.objectives.fields]
            if None in figures:
                infeasible.append(architecture)
            else:
                *costs, score = figures
                seen.append(Seen(architecture, score, tuple(costs)))
        return surrogate.extended(seen, infeasible) if seen or infeasible else surrogate

    def _proposed(
        self,
        surrogate: Surrogate,
        brief: DesignBrief,
        intake: Intake,
        count: int,
        rng: np.random.Generator,
    ) -> list[Architecture]:
        """What the surrogate expects to widen the front most, and directives let in."""
        niche, names = brief.niche.index, brief.objectives.names
        found = propose(
            surrogate, brief.partition, niche, count, intake.closed, rng, brief.weights, names
        )
        return [architecture for architecture in found if intake.lets_in(architecture)]

    def _expected(
        self, surrogate: Surrogate, brief: DesignBrief, intake: Intake, rng: np.random.Generator
    ) -> None:
        """Submit what the surrogate expects to widen the front most."""
        for architecture in self._proposed(surrogate, brief, intake, intake.missing, rng):
            text = brief.partition.space.format(architecture)
            kin = _nearest(architecture, brief)
            why = "most to gain by what the evaluations so far let expect"
            why += f"; nearest to {kin[0]}" if kin else ""
            intake.submit(Proposal(text, SURROGATE, kin, why), self.name, brief.rule_ids, None)

    def carry_over(self, prior: Prior, brief: DesignBrief, intake: Intake) -> None:
        """What rules of earlier runs let expect on the front, before the run knows anything itself."""
        rng = np.random.default_rng((*brief.seed, PRIOR_STREAM))
        metrics = brief.objectives.metrics
        wanted = -(-intake.missing // CARRIED_SHARE)
        found = prior.designs(
            brief.niche.index, wanted, metrics, lambda a: not _free(intake, a), rng
        )
        for architecture in found:
            text = brief.partition.space.format(architecture)
            why = "on the front that rules of earlier runs let expect"
            intake.submit(Proposal(text, KNOWLEDGE, (), why), self.name, brief.rule_ids, None)

    def _evolved(self, brief: DesignBrief, intake: Intake, rng: np.random.Generator) -> None:
        """Children of the parents, or a first population spread over the range of the niche."""
        space = brief.partition.space
        evolution = Evolution(brief.partition)
        parents = [space.parse(parent.architecture) for parent in brief.parents]
        tasks = self.tasks(brief)
        for place in range(len(tasks) - intake.missing, len(tasks)):
            prefer = _preference(brief, _shares(brief.objectives, rng))
            aim = self.aim(place, len(tasks))
            child = evolution.child(
                brief.niche.index,
                tasks[place],
                parents,
                rng,
                intake.closed,
                prefer,
                intake.lets_in,
                aim,
            )
            if child is None:
                return
            proposal = _proposal(space.format(child), tasks[place], brief)
            intake.submit(proposal, self.name, brief.rule_ids, None)

    def aim(self, place: int, count: int) -> float | None:
        """Where in the range of its niche a sample is drawn: evenly spread, both ends included."""
        return place / (count - 1) if count > 1 else None

    def tasks(self, brief: DesignBrief) -> tuple[Task, ...]:
        """What it makes of the tasks it is given."""
        return brief.tasks


def _free(intake: Intake, architecture: Architecture) -> bool:
    """Whether it is new, and let in."""
    return not intake.closed(architecture) and intake.lets_in(architecture)


def _shares(objectives: Objectives, rng: np.random.Generator) -> tuple[float, ...]:
    """A point of the trade-off: how much accuracy counts, and each cost; they add up to 1."""
    if len(objectives.costs) == 1:
        accuracy = float(rng.random())
        return accuracy, 1 - accuracy
    return tuple(float(share) for share in rng.dirichlet(np.ones(len(objectives.costs) + 1)))


def _nearest(architecture: Architecture, brief: DesignBrief) -> tuple[str, ...]:
    """The parent that shares most choices, by which people can follow a design; () without one."""
    space, genes = brief.partition.space, architecture.genes

    def shared(text: str) -> int:
        return sum(map(eq, genes, space.parse(text).genes))

    ids = [parent.id for parent in sorted(brief.parents, key=lambda p: -shared(p.architecture))]
    return tuple(ids[:1])


def _preference(brief: DesignBrief, shares: tuple[float, ...]) -> Callable[[Architecture], float]:
    """What the rules say, weighed for one point of the trade-off: a front needs them all."""
    asked = brief.weights
    weights: dict[Metric, float] = {
        name: share * asked.get(name, 1.0)
        for name, share in zip(brief.objectives.metrics, shares, strict=True)
    }

    def prefer(architecture: Architecture) -> float:
        return bias(brief.rules, brief.partition.features(architecture), weights)

    return prefer


class RandomDesigner(EvolvingDesigner):
    """Draws members of the niche at random, whatever the task says."""

    name = RANDOM

    def learned(self, brief: DesignBrief) -> Surrogate | None:
        return None

    def carry_over(self, prior: Prior, brief: DesignBrief, intake: Intake) -> None:
        """Nothing: it draws at random."""

    def aim(self, place: int, count: int) -> float | None:
        return None

    def tasks(self, brief: DesignBrief) -> tuple[Task, ...]:
        return tuple(Task("sample") for _ in brief.tasks)


def _proposal(text: str, task: Task, brief: DesignBrief) -> Proposal:
    chosen = [brief.parents[i] for i in task.parents]
    features = brief.partition.features(brief.partition.space.parse(text))
    followed = [str(rule.predicate) for rule in brief.rules if rule.predicate.holds(features)]
    reason = (
        f"{task.method} of {' and '.join(p.id for p in chosen)}" if chosen else "drawn at random"
    )
    if followed:
        reason += f"; follows or risks: {', '.join(followed[:3])}"
    return Proposal(text, task.method, tuple(parent.id for parent in chosen), reason)


class ScreeningReflector(Reflector):
    """Screens simple predicates over all evaluations and proposes the strongest ones.

    Within its niche, and across all niches: early on, one niche alone has too
    few evaluations to show anything.
    """

    name = EVOLVER

    def reflect(self, brief: ReflectBrief) -> Reflection:
        found: list[Rule] = []
        for metric, scope in product(
            brief.objectives.metrics, (brief.scope, brief.scope.everywhere())
        ):
            found += candidate_rules(
                brief.evidence,
                brief.partition.feature_names,
                scope,
                metric,
                RULES_PROPOSED,
                born=brief.round,
                author=self.name,
                noun=brief.partition.space.noun,
            )
        return Reflection(tuple(found))
