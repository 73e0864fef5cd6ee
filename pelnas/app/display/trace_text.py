"""One model call, one candidate or one rule in full, for a person or as a document."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from pelnas.app.display.output import milliseconds, print_json, print_table, say
from pelnas.calls.call import CallRecord
from pelnas.calls.prices import in_words
from pelnas.calls.usage import NOTHING, Usage, flat
from pelnas.errors import RunError
from pelnas.store.conversations import TalkCall, TalkLog
from pelnas.traces.text import one_line

if TYPE_CHECKING:
    from pelnas.rules.rule import Rule
    from pelnas.store import RunStore
    from pelnas.traces.lineage import CandidateStory, Relative, RuleStory

RELATIVES = (
    "id",
    "round",
    "niche",
    "score",
    "latency ms",
    "front",
    "how",
    "designed by",
    "parents",
)


def tell_call(store: "RunStore", call_id: str, as_json: bool) -> None:
    """Prompt and answer as they were, of the search or of a conversation. RunError: no such call."""
    call = store.call(call_id) or TalkLog(store.folder).call(call_id)
    if call is None:
        raise RunError(
            f"run {store.name} has no model call {call_id[:40]!r}: ids look like r3.designer.n2.a0"
            " or, in conversations, t1f0c9a2b.3; see `pelnas trace`, with --conversations or without"
        )
    if as_json:
        print_json(flat(call) | {"tokens": call.usage.tokens})
        return
    _facts(
        ("call", call.id),
        ("model", f"{call.model}, answered by {call.answered_by or 'nobody'}"),
        ("outcome", f"{call.outcome}{': ' if call.problem else ''}{call.problem}"),
        ("cost", f"{call.usage.seconds:.2f} s, {_cost(call.usage)}"),
        *_circumstances(call),
    )
    for message in call.messages:
        _passage(message.role, message.content)
    _passage("answer", call.answer or "(none)")


def _cost(usage: Usage) -> str:
    parts = [f"{usage.tokens_in:,} tokens in, {usage.tokens_out:,} out"]
    if usage.tokens_cached is not None:
        parts.append(f"{usage.tokens_cached:,} of those in were cached")
    if usage.tokens_reasoning is not None:
        parts.append(f"{usage.tokens_reasoning:,} of those out were reasoning")
    parts.append(in_words(usage.price))
    return ", ".join(parts)


def _circumstances(call: CallRecord | TalkCall) -> list[tuple[str, str]]:
    if isinstance(call, CallRecord):
        return [("schema", call.schema), ("request", call.request)]
    return [("when", _moment(call.time)), ("said", f"{one_line(call.words)} ({call.author})")]


def tell_conversations(store: "RunStore", as_json: bool) -> None:
    """What models were asked in conversations about the run, and what that cost."""
    calls = TalkLog(store.folder).calls()
    if as_json:
        print_json({"run": store.name, "calls": [flat(call) for call in calls]})
        return
    used = sum((call.usage for call in calls), NOTHING)
    talks = len({call.talk for call in calls})
    print_table(
        f"{sum(bool(c.model) for c in calls)} model calls in {talks} conversations about {store.name},"
        f" {used.tokens:,} tokens, {in_words(used.dollars, used.unpriced)}",
        ("id", "when", "by", "model", "tokens", "price", "outcome", "said"),
        (
            (
                call.id,
                _moment(call.time),
                call.author,
                call.model,
                f"{call.usage.tokens:,}",
                in_words(call.usage.price),
                call.outcome,
                one_line(call.words, 60),
            )
            for call in calls
        ),
        right=("tokens", "price"),
    )


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M:%S")


def tell_candidate(story: "CandidateStory", as_json: bool) -> None:
    """A candidate back to its roots."""
    if as_json:
        print_json(story.to_dict())
        return
    subject, design = story.subject, story.subject.candidate.design
    call = (
        "" if design.call is None else f" in {design.call}, see pelnas trace --call {design.call}"
    )
    _facts(
        ("candidate", f"{subject.candidate.id}, of round {subject.candidate.round}"),
        ("is", design.architecture),
        ("niche", str(subject.candidate.niche)),
        ("designed", f"by {design.author}, by {design.method}{call}"),
        ("because", one_line(design.rationale, 2000) or "(no reason given)"),
        ("found", _found(subject)),
    )
    _relatives(f"{len(story.ancestors)} ancestors", story.ancestors, generations=True)
    if not story.rules:
        say("its designer saw no rules")
        return
    print_table(
        f"{len(story.rules)} rules that its designer saw",
        ("rule", "then", "now", "effect then", "effect now", "text"),
        (
            (
                seen.now.id,
                seen.then.status,
                seen.now.status,
                _effect(seen.then),
                _effect(seen.now),
                seen.now.text,
            )
            for seen in story.rules
        ),
    )


def tell_rule(story: "RuleStory", as_json: bool) -> None:
    """A rule from its proposal on."""
    if as_json:
        print_json(story.to_dict())
        return
    rule = story.rule
    proposals = "; ".join(
        f"round {p.round}, niche {p.niche}, {p.author}" + (f" in {p.call}" if p.call else "")
        for p in story.proposals
    )
    _facts(
        ("rule", f"{rule.id}, {rule.status}: {rule.reason}"),
        ("claims", f"{rule.predicate} {rule.polarity} {rule.metric}"),
        ("in words", rule.text),
        ("niche", "all" if rule.scope.niche is None else str(rule.scope.niche)),
        ("proposed", proposals or "by an earlier run"),
        *([("origin", rule.origin)] if rule.origin else []),
        ("evidence", " ".join(rule.evidence) or "(none yet)"),
    )
    print_table(
        "verdicts",
        ("round", "status", "effect", "for", "against", "why"),
        (
            (
                str(round_) if round_ >= 0 else "earlier",
                version.status,
                _effect(version),
                str(version.support),
                str(version.contradictions),
                version.reason,
            )
            for round_, version in story.history
        ),
        right=("round", "effect", "for", "against"),
    )
    kept = sum(relative.on_front for relative in story.shaped)
    title = f"{len(story.shaped)} candidates designed under it, {kept} of them on the front"
    _relatives(title, story.shaped, generations=False)


def _facts(*facts: tuple[str, str]) -> None:
    for name, value in facts:
        say(f"{name:10}{value}")


def _passage(name: str, text: str) -> None:
    say(f"\n--- {name} ---")
    say(text)


def _relatives(title: str, relatives: Sequence["Relative"], *, generations: bool) -> None:
    if not relatives:
        say(title)
        return
    print_table(
        title,
        (*(["generation"] if generations else []), *RELATIVES),
        (
            (
                *([str(relative.generation)] if generations else []),
                relative.candidate.id,
                str(relative.candidate.round),
                str(relative.candidate.niche),
                "" if relative.evaluation is None else f"{relative.evaluation.score:.4g}",
                _latency(relative),
                "yes" if relative.on_front else "",
                relative.candidate.design.method,
                relative.candidate.design.author,
                " ".join(relative.candidate.design.parents),
            )
            for relative in relatives
        ),
        right=("generation", "round", "niche", "score", "latency ms"),
    )


def _latency(relative: "Relative") -> str:
    evaluation = relative.evaluation
    return "" if evaluation is None else milliseconds(evaluation.cost.latency_ms)


def _found(relative: "Relative") -> str:
    evaluation = relative.evaluation
    if evaluation is None:
        return "not evaluated yet"
    where = "on the front" if relative.on_front else "not on the front"
    latency = milliseconds(evaluation.cost.latency_ms)
    unit = "" if evaluation.cost.latency_ms is None else " ms"
    return f"score {evaluation.score:.4g}, latency {latency}{unit}, {where}"


def _effect(rule: "Rule") -> str:
    return "" if rule.measured is None else f"{rule.measured:+.2f} ± {rule.error:.2f}"
