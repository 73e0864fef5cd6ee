"""The nodes: each reads the state, lets one box of the method work, and returns what changed.

Which step comes next follows from the records of the run (``pelnas.graph.session.position``),
never from the state of the graph, which may be older or somebody else's: a step that is
not due does nothing. A node that runs again after a kill does the same work with the
same result: it replaces what its interrupted execution wrote, finds recorded answers by
their ids, and scores no candidate twice.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, TypeVar, cast

from langgraph.graph import END
from langgraph.types import Send

from pelnas.agents.design_brief import DesignBrief
from pelnas.agents.designer import Designer
from pelnas.agents.evolver import BuiltinPlanner, EvolvingDesigner, RandomDesigner
from pelnas.agents.planner import Planner, settle
from pelnas.agents.reflection import Reflection, Reflector
from pelnas.errors import AnswerError, BudgetExhausted, ModelCallError
from pelnas.graph.search.briefs import design_brief, plan_brief, reflect_brief
from pelnas.graph.search.directive_effects import claims, note_exhaustion
from pelnas.graph.search.evaluate import evaluate_round, score_ahead
from pelnas.graph.search.inherit import evaluate_inherited, remeasure
from pelnas.graph.search.probe import ask_probes
from pelnas.graph.search.reflection_tools import measured
from pelnas.graph.search.share import lead
from pelnas.graph.search.state import NicheTask, SearchState
from pelnas.graph.session.extend import goes_on
from pelnas.graph.session.open_runs import Sessions
from pelnas.graph.session.position import ALL_ROUNDS, NOTHING_LEFT, Position, is_behind
from pelnas.graph.session.session import Session
from pelnas.graph.session.tracer import rule_changes
from pelnas.report import front_points, write_all
from pelnas.report.knowledge import carried
from pelnas.store import PlanEntry
from pelnas.validator import Intake

Change = dict[str, Any]
Node = TypeVar("Node", bound=Callable[..., Change])
Agent = TypeVar("Agent", bound=Planner | Designer | Reflector)
Answer = TypeVar("Answer")


def _step(name: str, agent: str = "") -> Callable[[Node], Node]:
    """A node that works only where its step is due, and whose beginning and end are events."""

    def bounded(node: Node) -> Node:
        @wraps(node)
        def work(self: "Nodes", state: Any) -> Change:
            session, niche = self._sessions.get(state["run"]), state.get("niche")
            at = session.position()
            if session.ending or not at.is_due(name, state.get("round"), niche):
                return {}
            if at.ahead:
                score_ahead(session, at.oldest)
            with session.tracer.step(name, at.round, agent, niche):
                change = node(self, state | {"round": at.round})
                if at.ahead and "stop" in change:  # what is designed is still evaluated
                    change = change | {"stop": ""}
                return _ends(session, change)

        return cast(Node, work)

    return bounded


def _ends(session: Session, change: Change) -> Change:
    """Remember why the search ends, where the node says so."""
    session.ending = change.get("stop", "")
    return change


class Nodes:
    """The nodes over a set of open runs."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def prepare(self, state: SearchState) -> Change:
        """Open the run, or make one out of the settings that a client sent."""
        if "run" in state:
            session = self._sessions.get(state["run"])
        else:
            session = self._sessions.create(state.get("settings", {}))
        at = session.position()
        session.ending = "" if is_behind(session.store, at) else _already_over(session, at)
        return {"run": session.store.folder.name, "round": at.round, "stop": session.ending}

    def inherit(self, state: SearchState) -> Change:
        """Evaluate what earlier rounds lack, and measure the rules on it.

        In a fork that is what it took over. Also after a repair that had to drop records.
        """
        session = self._sessions.get(state["run"])
        at = session.position()
        if session.ending or not is_behind(session.store, at):
            return {}
        session.step(at.round, "plan")
        with session.tracer.inheriting():
            try:
                done = evaluate_inherited(session, at.oldest)
            except BudgetExhausted as spent:
                return _ends(session, {"stop": str(spent)})
            if not done:
                return _ends(session, {"stop": session.meter.exhausted()})
            remeasure(session, at.oldest - 1)
        return _ends(session, {"stop": _over_before(session, at)})

    @_step("plan", "planner")
    def plan(self, state: SearchState) -> Change:
        """The planner shares out the designs of the round."""
        session = self._sessions.get(state["run"])
        session.step(state["round"], "plan")
        _tell_knowledge(session, state["round"])
        try:
            ask_probes(session, state["round"])
            brief = plan_brief(session, state["round"])
            planners = (
                (BuiltinPlanner(),) if _is_drawn(session, brief.round) else session.team.planners
            )
            planner, answer = _first(session, planners, lambda p: p.plan(brief))
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

    @_step("design", "designer")
    def design(self, state: NicheTask) -> Change:
        """One designer makes the designs of its niche; evolution fills what is missing."""
        session = self._sessions.get(state["run"])
        session.step(state["round"], "design")
        whole, intake = design_brief(session, state)
        if _is_drawn(session, whole.round):
            RandomDesigner().design(whole, intake)
        brief = lead(session, whole, intake) if intake.missing else None
        designer = _by_chain(session, brief, intake) if brief is not None else None
        if intake.missing and designer != EvolvingDesigner.name:  # else it has just tried
            EvolvingDesigner().design(brief or whole, intake)
        note_exhaustion(session, intake, whole.niche.index)
        with session.store.together():
            place = (whole.round, whole.niche.index)
            ids = session.store.replace_designs(*place, intake.accepted, intake.refused)
            session.store.replace_avoided(*place, intake.avoided)
            session.event(
                "designed", accepted=len(ids), refused=len(intake.refused), candidates=ids
            )
        return {}

    @_step("evaluate")
    def evaluate(self, state: SearchState) -> Change:
        """Accuracy, then latency, of every candidate of the round that does not have them yet."""
        session = self._sessions.get(state["run"])
        session.step(state["round"], "evaluate")
        if session.config.overlap:
            score_ahead(session, state["round"])
            score_ahead(session, state["round"] + 1)
        try:
            done = evaluate_round(session, state["round"])
        except BudgetExhausted as spent:
            return {"stop": str(spent)}
        return {"stop": "" if done else session.meter.exhausted()}

    @_step("reflect", "reflection")
    def reflect(self, state: NicheTask) -> Change:
        """One reflection agent proposes rules for its niche."""
        session = self._sessions.get(state["run"])
        session.step(state["round"], "reflect")
        brief = reflect_brief(session, state)
        reflectors = session.team.reflectors
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

    @_step("learn")
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
        now = measured(session, known.values())
        rules = [asked.judged(rule) for rule in now]
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
        at = session.position()
        reason = session.ending = session.ending or _already_over(session, at)
        if not reason:  # asked for by a state that is not this run's: there is work left
            return {}
        for round_ in (at.oldest, at.oldest + 1):
            if session.tracer.is_open(round_):
                session.tracer.round_ends("round-cut", round_, reason=reason)
        session.let_go()  # the pictures of the report take as much
        warning = session.contribute(session.store)
        if warning:
            session.event("notice", message=warning)
        with session.store.together():
            with session.tracer.reporting():
                session.store.finish(reason)
                (session.write_report or write_all)(session.store)
                front = [point.to_dict() for point in front_points(session.store)]
            session.event("run-finished", reason=reason)
        self._sessions.close(state["run"])
        return {"front": front}

    @staticmethod
    def _next_round(session: Session, round_: int) -> Change:
        archive = session.archive()
        session.tracer.round_ends(
            "round-done", round_, front=len(archive.union()), hypervolume=archive.hypervolume()
        )
        for warning in session.meter.warnings():
            session.event("budget", message=warning)
        return {"round": round_ + 1, "stop": _why_over(session, round_)}

    # -- where to go next -------------------------------------------------------

    def to_first(self, state: SearchState) -> list[Send] | str:
        """Where the run is; or what its earlier rounds lack, which comes before."""
        session = self._sessions.get(state["run"])
        if not session.ending and is_behind(session.store, session.position()):
            return "inherit"
        return self.onward(state)

    def onward(self, state: SearchState) -> list[Send] | str:
        """The next step; one designer or reflection agent for each niche that waits, in parallel."""
        session = self._sessions.get(state["run"])
        if session.ending:
            return "report"
        at = session.position()
        return _send(state["run"], at) if at.waiting else at.step

    def after_report(self, state: SearchState) -> list[Send] | str:
        """The end, unless the run has work left."""
        return self.onward(state) if self._sessions.is_open(state["run"]) else END


def _tell_knowledge(session: Session, round_: int) -> None:
    """Say what earlier runs brought, as the first round begins."""
    found = carried(session.store) if round_ == 0 else None
    if found is not None:
        session.event("notice", message=found.said)


def _already_over(session: Session, at: Position) -> str:
    """Why a run that an earlier process left between two rounds ends here; '' where it goes on."""
    reason = _over_before(session, at) if at.round else ""
    return "" if reason and goes_on(session.store, reason) else reason


def _over_before(session: Session, at: Position) -> str:
    """Why the search ends before this step; '' where it goes on, such as within a round."""
    is_between = at.step == "plan" and not at.ahead
    return _why_over(session, at.round - 1) if is_between else ""


def _why_over(session: Session, round_: int) -> str:
    """Why the search ends after a round; '' where it goes on."""
    if session.queue.scheduled:  # the run that this one repeats was let go on from here
        return ""
    if session.config.overlap and session.store.plans(round_ + 1):  # designed already
        return ""
    asked = session.directives.stop
    if asked is not None:
        return f"stopped after round {round_ + 1} by {asked.id} ({asked.author})"
    return ALL_ROUNDS if round_ + 1 >= session.config.rounds else session.meter.exhausted()


def _by_chain(session: Session, brief: DesignBrief, intake: Intake) -> str:
    """Let the chain of designers work; the name of the last one that did."""
    *_, designer = session.team.designers
    try:
        designer, _ = _first(
            session,
            session.team.designers,
            lambda d: d.design(brief, intake) if intake.missing else None,
        )
    except BudgetExhausted as spent:
        session.event("budget", message=str(spent))
        intake.wanted = len(intake.accepted)
    return designer.name


def _is_drawn(session: Session, round_: int) -> bool:
    """Whether a round is the first population that searches with other models begin with, too."""
    return round_ == 0 and session.config.first_round == "drawn"


def _first(
    session: Session, chain: Sequence[Agent], ask: Callable[[Agent], Answer]
) -> tuple[Agent, Answer]:
    """The first agent of a chain that does not fail, and what it answered; each failure is reported."""
    *hopeful, last = chain
    for place, agent in enumerate(hopeful, start=1):
        try:
            return agent, ask(agent)
        except (AnswerError, ModelCallError) as failure:
            session.event("fallback", problem=str(failure), to=chain[place].name)
    return last, ask(last)


def _send(run: str, at: Position) -> list[Send]:
    return [
        Send(
            at.step,
            NicheTask(
                run=run,
                round=at.round,
                niche=entry.niche,
                designs=entry.count,
                focus=entry.focus,
            ),
        )
        for entry in at.waiting
    ]
