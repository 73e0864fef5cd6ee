"""The nodes: each reads the state, lets one box of the method work, and returns what changed.

A node that runs again after a kill does the same work with the same result:
it replaces what its interrupted execution wrote, finds recorded answers by
their ids, and scores no candidate twice.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, TypeVar, cast

from langgraph.types import Send

from pelnas.agents.designer import Designer
from pelnas.agents.evolver import EvolvingDesigner
from pelnas.agents.planner import Planner, settle
from pelnas.agents.reflection import Reflection, Reflector
from pelnas.errors import AnswerError, BudgetExhausted, ModelCallError
from pelnas.graph.briefs import design_brief, plan_brief, reflect_brief
from pelnas.graph.evaluating import evaluate_round
from pelnas.graph.guidance import claims, note_exhaustion
from pelnas.graph.inheriting import evaluate_inherited, remeasure
from pelnas.graph.session import Session
from pelnas.graph.sessions import Sessions
from pelnas.graph.state import ALL_ROUNDS, NOTHING_LEFT, NicheTask, SearchState
from pelnas.graph.telling import rule_changes
from pelnas.report import front_points, write_all
from pelnas.store import PlanEntry
from pelnas.verdicts import measure_all

Change = dict[str, Any]
Node = TypeVar("Node", bound=Callable[..., Change])
Agent = TypeVar("Agent", bound=Planner | Designer | Reflector)
Answer = TypeVar("Answer")


def _told(step: str, agent: str = "") -> Callable[[Node], Node]:
    """A node whose beginning and end are events of the run."""

    def telling(node: Node) -> Node:
        @wraps(node)
        def told(self: "Nodes", state: Any) -> Change:
            session, niche = self._sessions.get(state["run"]), state.get("niche")
            with session.teller.step(step, state["round"], agent, niche):
                return node(self, state)

        return cast(Node, told)

    return telling


class Nodes:
    """The nodes over a set of open runs."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def prepare(self, state: SearchState) -> Change:
        """Open the run, or make one out of the settings that a client sent."""
        if "run" in state:
            session = self._sessions.get(state["run"])
            return {"round": state.get("round", session.first_round), "stop": ""}
        session = self._sessions.create(state.get("settings", {}))
        return {"run": session.store.folder.name, "round": 0, "stop": ""}

    def inherit(self, state: SearchState) -> Change:
        """Make what a fork took over its own: evaluations that it lacks, and rules measured here."""
        session, round_ = self._sessions.get(state["run"]), state["round"]
        session.step(round_, "plan")
        with session.teller.inheriting():
            try:
                done = evaluate_inherited(session, round_)
            except BudgetExhausted as spent:
                return {"stop": str(spent)}
            if not done:
                return {"stop": session.meter.exhausted()}
            remeasure(session, round_ - 1)
        return {"stop": _why_over(session, round_ - 1)}

    @_told("plan", "planner")
    def plan(self, state: SearchState) -> Change:
        """The planner shares out the designs of the round."""
        session = self._sessions.get(state["run"])
        session.step(state["round"], "plan")
        brief = plan_brief(session, state["round"])
        try:
            planner, answer = _first(session, session.cast.planners, lambda p: p.plan(brief))
        except BudgetExhausted as spent:
            session.event("budget", message=str(spent))
            return {"plan": [], "stop": str(spent)}
        entries = [
            PlanEntry(plan.niche, plan.designs, plan.focus, planner.name)
            for plan in settle(answer, brief)
            if plan.designs
        ]
        plan = [{"niche": e.niche, "designs": e.count, "focus": e.focus} for e in entries]
        with session.store.together():
            session.store.replace_plan(brief.round, entries)
            session.event("round-planned", author=planner.name, plan=plan)
        return {"plan": plan, "stop": "" if plan else NOTHING_LEFT}

    @_told("design", "designer")
    def design(self, state: NicheTask) -> Change:
        """One designer makes the designs of its niche; evolution fills what is missing."""
        session = self._sessions.get(state["run"])
        session.step(state["round"], "design")
        brief, intake = design_brief(session, state)
        *_, designer = session.cast.designers
        try:
            designer, _ = _first(
                session,
                session.cast.designers,
                lambda d: d.design(brief, intake) if intake.missing else None,
            )
        except BudgetExhausted as spent:
            session.event("budget", message=str(spent))
            intake.wanted = len(intake.accepted)
        if intake.missing and designer.name != EvolvingDesigner.name:  # else it has just tried
            EvolvingDesigner().design(brief, intake)
        note_exhaustion(session, intake, brief.niche.index)
        with session.store.together():
            ids = session.store.replace_designs(
                brief.round, brief.niche.index, intake.accepted, intake.refused
            )
            session.store.replace_avoided(brief.round, brief.niche.index, intake.avoided)
            session.event(
                "designed", accepted=len(ids), refused=len(intake.refused), candidates=ids
            )
        return {}

    @_told("evaluate")
    def evaluate(self, state: SearchState) -> Change:
        """Accuracy, then latency, of every candidate of the round that does not have them yet."""
        session = self._sessions.get(state["run"])
        session.step(state["round"], "evaluate")
        try:
            done = evaluate_round(session, state["round"])
        except BudgetExhausted as spent:
            return {"stop": str(spent)}
        return {"stop": "" if done else session.meter.exhausted()}

    @_told("reflect", "reflection")
    def reflect(self, state: NicheTask) -> Change:
        """One reflection agent proposes rules for its niche."""
        session = self._sessions.get(state["run"])
        session.step(state["round"], "reflect")
        brief = reflect_brief(session, state)
        reflectors = session.cast.reflectors
        try:
            reflector, found = _first(session, reflectors, lambda r: r.reflect(brief))
        except BudgetExhausted as spent:
            session.event("budget", message=str(spent))
            reflector, found = reflectors[0], Reflection(())
        with session.store.together():
            session.store.replace_proposals(
                brief.round, brief.niche.index, reflector.name, found.rules, found.call
            )
            ids = [rule.id for rule in found.rules]
            session.event("reflected", author=reflector.name, call=found.call, rules=ids)
        return {}

    @_told("learn")
    def learn(self, state: SearchState) -> Change:
        """Every rule, old and proposed, is measured on all evaluations; the knowledge base follows."""
        session, round_ = self._sessions.get(state["run"]), state["round"]
        session.step(round_, "learn")
        before = session.store.rules(through_round=round_ - 1)
        here = session.scope(None)
        known = {rule.id: rule for rule in before if rule.scope.everywhere() == here}
        for proposed in session.store.proposals(round_):
            known.setdefault(proposed.id, proposed)
        asked = claims(session)
        for rule in asked.added:
            known[rule.id] = asked.merged(rule, known.get(rule.id))
        observations = session.observations()
        rules = [asked.judged(rule) for rule in measure_all(known.values(), observations)]
        counts = Counter(rule.status for rule in rules)
        with session.store.together():
            session.store.replace_rules(round_, rules)
            for kind, data in rule_changes(before, rules):
                session.event(kind, **data)
            session.event("learned", in_force=counts["in-force"], retired=counts["retired"])
        session.knowledge.put(rules)
        return self._next_round(session, round_)

    def report(self, state: SearchState) -> Change:
        """Front, figure and report; the run is finished and closed.

        All in one transaction: a run that is killed in here has not finished, and reports again.
        """
        session = self._sessions.get(state["run"])
        reason = state.get("stop") or ALL_ROUNDS
        if session.teller.is_open(state["round"]):
            session.teller.round_ends("round-cut", state["round"], reason=reason)
        with session.store.together():
            with session.teller.reporting():
                session.store.finish(reason)
                write_all(session.store)
                front = [point.to_dict() for point in front_points(session.store)]
            session.event("run-finished", reason=reason)
        self._sessions.close(state["run"])
        return {"front": front}

    @staticmethod
    def _next_round(session: Session, round_: int) -> Change:
        archive = session.archive()
        session.teller.round_ends(
            "round-done", round_, front=len(archive.union()), hypervolume=archive.hypervolume()
        )
        for warning in session.meter.warnings():
            session.event("budget", message=warning)
        return {"round": round_ + 1, "stop": _why_over(session, round_)}

    # -- where to go next -------------------------------------------------------

    def to_first(self, state: SearchState) -> str:
        """The plan of the round; or its evaluation, where a run that goes on was cut off in it.

        Before the first plan of a fork, what it took over.
        """
        session, round_ = self._sessions.get(state["run"]), state["round"]
        if 0 < round_ == session.first_round and not session.store.plans(round_):
            return "inherit"
        cut = session.teller.is_open(round_) and session.store.candidates(round_)
        return "evaluate" if cut else "plan"

    @staticmethod
    def to_plan(state: SearchState) -> str:
        """The plan of the round, or the report."""
        return "report" if state["stop"] else "plan"

    @staticmethod
    def to_designers(state: SearchState) -> list[Send] | str:
        """One designer for each niche that got designs, in parallel."""
        return _send("design", state) or "report"

    @staticmethod
    def to_reflection(state: SearchState) -> list[Send] | str:
        """One reflection agent for each niche that was designed for, in parallel."""
        return "report" if state["stop"] else _send("reflect", state)


def _why_over(session: Session, round_: int) -> str:
    """Why the search ends after a round; '' where it goes on."""
    if session.steering.scheduled:  # the run that this one repeats was let go on from here
        return ""
    asked = session.directives.stop
    if asked is not None:
        return f"stopped after round {round_ + 1} by {asked.id} ({asked.author})"
    return ALL_ROUNDS if round_ + 1 >= session.config.rounds else session.meter.exhausted()


def _first(
    session: Session, chain: Sequence[Agent], ask: Callable[[Agent], Answer]
) -> tuple[Agent, Answer]:
    """The first agent of a chain that does not fail, and what it answered; each failure is told."""
    *hopeful, last = chain
    for place, agent in enumerate(hopeful, start=1):
        try:
            return agent, ask(agent)
        except (AnswerError, ModelCallError) as failure:
            session.event("fallback", problem=str(failure), to=chain[place].name)
    return last, ask(last)


def _send(node: str, state: SearchState) -> list[Send]:
    return [
        Send(
            node,
            NicheTask(
                run=state["run"],
                round=state["round"],
                niche=entry["niche"],
                designs=entry["designs"],
                focus=entry["focus"],
            ),
        )
        for entry in state["plan"]
    ]
