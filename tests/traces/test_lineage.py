"""From every candidate back to its roots, from every rule on to what became of it."""

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from pelnas.errors import RunError
from pelnas.report import front_points
from pelnas.store import RunStore
from pelnas.traces.lineage import story_of_candidate, story_of_rule


@pytest.fixture(scope="module")
def store(talkative_run: Path) -> Iterator[RunStore]:
    with RunStore.read(talkative_run) as run:
        yield run


def test_every_candidate_leads_back_to_its_call_its_prompt_and_its_roots(store: RunStore) -> None:
    candidates = {candidate.id: candidate for candidate in store.candidates()}
    by_model = 0
    for candidate in candidates.values():
        story = story_of_candidate(store, candidate.id)
        assert story.subject.candidate == candidate
        if candidate.design.author == "scripted:answers":
            by_model += 1
            assert story.call is not None
            assert story.call.id == candidate.design.call
            assert candidate.architecture in story.call.answer
            assert "Make these" in story.call.messages[1].content
        else:
            assert story.call is None
        ancestors = {relative.candidate.id: relative for relative in story.ancestors}
        assert len(ancestors) == len(story.ancestors)
        nearest = {id_ for id_, relative in ancestors.items() if relative.generation == 1}
        assert nearest == set(candidate.design.parents)
        family = set(ancestors) | {candidate.id}
        assert all(set(candidates[id_].design.parents) <= family for id_ in ancestors)
        assert all(relative.evaluation is not None for relative in story.ancestors)
    assert by_model > 5
    assert any(len(story_of_candidate(store, id_).ancestors) > 2 for id_ in candidates)


def test_a_candidate_tells_which_rules_its_designer_saw_then_and_what_they_are_now(
    store: RunStore,
) -> None:
    seen = [
        (candidate, story_of_candidate(store, candidate.id).rules)
        for candidate in store.candidates()
        if candidate.design.rules
    ]
    assert seen
    for candidate, rules in seen:
        assert tuple(rule.now.id for rule in rules) == candidate.design.rules
        for rule in rules:
            history = dict(store.rule_history(rule.now.id))
            assert rule.then == history[max(r for r in history if r < candidate.round)]
            assert rule.now == history[max(history)]


def test_every_rule_leads_to_its_proposals_its_verdicts_and_what_it_shaped(store: RunStore) -> None:
    front = {point.id for point in front_points(store)}
    calls = {call.id: call for call in store.calls()}
    stories = [story_of_rule(store, rule.id) for rule in store.rules()]
    for story in stories:
        assert story.history == tuple(store.rule_history(story.rule.id))
        assert story.proposals
        first = story.proposals[0]
        assert (first.round, first.author) == (story.rule.born, story.rule.author)
        for proposal in story.proposals:
            if proposal.author == "scripted:answers":
                assert calls[str(proposal.call)].agent == "reflection"
        shaped = [c.id for c in store.candidates() if story.rule.id in c.design.rules]
        assert [relative.candidate.id for relative in story.shaped] == shaped
        assert all(r.on_front == (r.candidate.id in front) for r in story.shaped)
    assert any(story.shaped for story in stories)
    assert {"scripted:answers"} <= {story.rule.author for story in stories}


def test_stories_are_documents(store: RunStore) -> None:
    for candidate in store.candidates()[:5]:
        document = json.loads(json.dumps(story_of_candidate(store, candidate.id).to_dict()))
        assert document["candidate"]["id"] == candidate.id
    rule = store.rules()[0]
    document = json.loads(json.dumps(story_of_rule(store, rule.id).to_dict()))
    assert document["rule"]["id"] == rule.id


def test_ids_that_the_run_does_not_have_are_refused(store: RunStore) -> None:
    with pytest.raises(RunError, match="no candidate 'r9n9c9'"):
        story_of_candidate(store, "r9n9c9")
    with pytest.raises(RunError, match="no rule 'R0'"):
        story_of_rule(store, "R0")


def test_every_rule_event_is_a_step_of_its_history(store: RunStore) -> None:
    events = [event for event in store.events() if event.kind.startswith("rule-")]
    for rule in store.rules():
        verdicts = [""] + [version.status for _, version in store.rule_history(rule.id)]
        changes = [(a, b) for a, b in pairwise(verdicts) if a != b]
        mine = [event for event in events if event.data["rule"] == rule.id]
        assert [(event.data["old"], event.data["new"]) for event in mine] == changes
        assert mine[0].kind == "rule-born"
        for event in mine[1:]:
            expected = "rule-retired" if event.data["new"] == "retired" else "rule-changed"
            assert event.kind == expected
