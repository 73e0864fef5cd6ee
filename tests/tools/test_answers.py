"""What people ask of a run: right numbers, with ids that exist."""

import math
from pathlib import Path

import numpy as np
import pytest

from pelnas.architecture import Cost, Design, Evaluation, Prediction
from pelnas.config import SearchConfig
from pelnas.errors import ArchitectureError, InputError, RunError
from pelnas.objectives import DEFAULT
from pelnas.report import front_points
from pelnas.spaces import get_space
from pelnas.store import RunStore
from pelnas.tools import answers
from pelnas.tools.explain import explain
from pelnas.tools.run_view import Findings
from pelnas.tools.text import tell_comparison
from pelnas.tools.what_if import Fit, Forest, one_change

TINY = get_space("tiny")


@pytest.fixture
def small(tmp_path: Path) -> RunStore:
    """Six evaluations with known places: 0, 1, 3 on the front, 2 behind 1, 4 equals 1, 5 cannot run."""
    points = [(1.0, 10.0), (2.0, 20.0), (2.5, 19.0), (4.0, 30.0), (2.0, 20.0), (None, 99.0)]
    store = RunStore.create(SearchConfig(output=tmp_path / "runs", space="tiny"), "s")
    store.set_niches(["only"])
    designs = [
        Design(TINY.format(TINY.at(i)), "builtin:evolver", "sample") for i in range(len(points))
    ]
    ids = store.replace_designs(0, 0, designs, [])
    for position, (id_, (latency, score)) in enumerate(zip(ids, points, strict=True)):
        proxies = {"synflow": float(position)}
        store.record_prediction(id_, Prediction(score, 1.5, proxies), 1000, 2e6)
        store.record_cost(id_, Cost(latency, 0.1))
    return store


def test_the_ends_of_the_front_go_by_name(small: RunStore) -> None:
    with small:
        comparison = answers.compare(small, "fastest", " best ")
    assert [comparison[which]["id"] for which in ("first", "second")] == ["r0n0c0", "r0n0c3"]


def test_an_empty_front_has_no_ends(tmp_path: Path) -> None:
    config = SearchConfig(output=tmp_path / "runs", space="tiny")
    with RunStore.create(config, "s") as store, pytest.raises(RunError, match="ask again later"):
        answers.nearest(store, "best")


def test_a_latency_budget_costs_what_the_front_says(small: RunStore) -> None:
    with small:
        answer = answers.afford(small, 3)
        assert (answer["within"]["id"], answer["best"]["id"]) == ("r0n0c1", "r0n0c3")
        assert answer["next"]["id"] == "r0n0c3"
        assert answer["score_lost"] == 10
        assert answers.afford(small, 0.5)["score_lost"] is None
        with pytest.raises(InputError, match="a number such as 4"):
            answers.afford(small, math.nan)


def test_two_architectures_are_compared_by_id_text_and_index(small: RunStore) -> None:
    with small:
        by_id = answers.compare(small, "r0n0c2", "r0n0c1")
        assert by_id["dominates"] == "r0n0c1"
        assert by_id["score_difference"] == 1
        assert by_id["latency_difference_ms"] == -0.5
        assert by_id["within_uncertainty"] is True
        assert answers.compare(small, "2", TINY.format(TINY.at(1))) == by_id
        assert answers.compare(small, "r0n0c0", "r0n0c1")["dominates"] is None
        unknown = answers.compare(small, "r0n0c0", "99")
        assert (unknown["second"]["id"], unknown["score_difference"]) == (None, None)


@pytest.mark.parametrize(
    ("named", "kind", "sentence"),
    [
        ("r9n9c9", RunError, "has no candidate r9n9c9"),
        ("../../etc/passwd", ArchitectureError, "expects a cell"),
        ("125", ArchitectureError, "indices 0 to 124"),
    ],
)
def test_what_names_nothing_is_one_clear_error(
    small: RunStore, named: str, kind: type[Exception], sentence: str
) -> None:
    with small, pytest.raises(kind, match=sentence):
        explain(small, named)


def test_ranks_reasons_and_dominators(small: RunStore) -> None:
    with small:
        found = {i: explain(small, f"r0n0c{i}") for i in range(6)}
        assert [found[i]["rank"] for i in range(6)] == [1, 1, 3, 1, 2, None]
        assert [found[i]["on_front"] for i in range(6)] == [True, True, False, True, False, False]
        assert [d["id"] for d in found[2]["dominators"]] == ["r0n0c1", "r0n0c4"]
        assert found[1]["dominates"] == ["r0n0c2"]  # r0n0c5 has more score, though no latency
        assert "r0n0c1 has 1 more score at 0.5 ms less; that is within" in found[2]["why"]
        assert "r0n0c1 is equally fast" in found[4]["why"]
        assert "cannot run it" in found[5]["why"]
        (proxy,) = found[1]["proxies"]
        assert proxy == {"name": "synflow", "value": 1.0, "percentile": 25.0, "of": 6}
        assert [n["id"] for n in found[2]["neighbours"]] == ["r0n0c1", "r0n0c0", "r0n0c3"]
        assert explain(small, "77")["why"].endswith("nobody has proposed it in this run")


def test_what_a_directive_holds_back_is_said_with_its_id(
    tmp_path: Path, talkative_run: Path
) -> None:
    import shutil

    from pelnas.directives import Boundary, parse

    folder = shutil.copytree(talkative_run, tmp_path / "copy")
    with RunStore.read(folder) as store:
        target = front_points(store)[-1]
    with RunStore.open(folder) as store:
        given = store.append_directive(
            parse(f"/limit latency<={target.latency_ms - 0.01}"), "a", ""
        )
        assert given is not None
        store.mark_directive(given, "active", Boundary(1, "plan"))
        answer = explain(store, target.id)
    assert answer["rank"] is None
    assert "d1 asks to keep to latency at most" in answer["why"]


def test_the_fit_knows_a_sum_and_what_it_does_not_know() -> None:
    rng = np.random.default_rng(0)
    genes = [TINY.at(i).genes for i in rng.permutation(125)[:60]]
    weights = np.arange(5.0) * 2

    def price(g: tuple[int, ...]) -> float:
        return 3 + float(sum(weights[i] for i in g))

    assert min(Fit(TINY, genes, [price(g) for g in genes]).predict(TINY.at(i)) for i in (0, 1)) > 0
    fit = Fit(TINY, genes, [price(g) for g in genes])
    misses = [abs(fit.predict(TINY.at(i)) - price(TINY.at(i).genes)) for i in range(125)]
    assert max(misses) < 2.0  # of 43: the penalty holds back a little
    assert fit.error < 1.0
    noise = Fit(TINY, genes, list(rng.uniform(1, 40, 60)))
    assert noise.error > 5


@pytest.mark.parametrize("top", [1.0, 100.0])
def test_no_predicted_score_leaves_the_scale(top: float) -> None:
    """Scores that saturate: a sum of what operations bring would go far beyond the best."""
    genes = [TINY.at(i).genes for i in range(0, 125, 2)]
    convolutions = [sum(gene in (2, 3) for gene in g) for g in genes]
    scores = [top * math.tanh(count) for count in convolutions]
    forest, line = Forest(TINY, genes, scores), Fit(TINY, genes, scores)
    assert max(line.predict(TINY.at(i)) for i in range(125)) > 1.05 * top
    for number in range(125):
        low, high = forest.between(TINY.at(number))
        assert 0 <= low <= forest.predict(TINY.at(number)) <= high <= top
    assert 0 < forest.error < 0.7 * line.error
    again = Forest(TINY, genes, scores)
    assert again.predict(TINY.at(1)) == forest.predict(TINY.at(1))


def test_no_predicted_latency_is_below_nothing() -> None:
    genes = [TINY.at(i).genes for i in range(0, 125, 2)]
    fit = Fit(TINY, genes, [0.001 if sum(g) < 8 else 50.0 for g in genes])
    assert min(fit.predict(TINY.at(i)) for i in range(125)) == 0.0005


def test_one_changed_operation_is_evaluated_or_predicted(talkative_run: Path) -> None:
    with RunStore.read(talkative_run) as store:
        findings = Findings(store)
        subject = findings.find(findings.front[-1].id)
        answer = one_change(findings, subject)
        assert len(answer["changes"]) == 12
        kinds = {change["score_is"] for change in answer["changes"]}
        assert kinds == {"evaluated", "predicted"}
        for change in answer["changes"]:
            other = findings.find(change["architecture"])
            if other.evaluation is not None:
                expected = other.evaluation.score - findings.front[-1].score
                assert change["score_change"] == expected
                assert change["id"] == other.evaluation.id
            else:
                assert change["score_is"] == "predicted"
                low, high = change["score_between"]
                assert 0 <= low <= change["score"] <= high <= 100


def test_a_run_is_told_with_ids_that_exist(talkative_run: Path) -> None:
    with RunStore.read(talkative_run) as store:
        known = {candidate.id for candidate in store.candidates()}
        points = [point["id"] for point in answers.front(store)]
        assert points == [point.id for point in front_points(store)]
        status = answers.status(store)
        assert (status["state"], status["rounds_begun"]) == ("finished", 4)
        assert status["best"]["id"] == points[-1]
        niches = answers.niches(store)
        assert sorted(i for row in niches for i in row["front"]) == sorted(points)
        for rule in answers.rules(store, every=True):
            assert set(rule["evidence"]) <= known
        tried = answers.tried(store, 2)
        assert tried["designs"]
        assert all(store.call(design["call"]) for design in tried["designs"] if design["call"])
        assert {plan["focus"] for plan in tried["plans"]} == {"be fast"}
        with pytest.raises(InputError, match="niches 0 to 2, found 7"):
            answers.tried(store, 7)


def test_an_explanation_leads_back_to_call_and_rules(talkative_run: Path) -> None:
    with RunStore.read(talkative_run) as store:
        newest = [e for e in store.evaluations() if e.candidate.design.call][-1]
        answer = explain(store, newest.id)
        call = store.call(answer["call"]["id"])
        assert call is not None
        assert newest.candidate.architecture in call.answer
        assert [rule["id"] for rule in answer["rules"]] == list(newest.candidate.design.rules)
        assert answer["born"]["author"] == call.model


def test_domination_is_strict_somewhere(small: RunStore) -> None:
    with small:
        e: dict[str, Evaluation] = {x.id: x for x in small.evaluations()}
        assert DEFAULT.dominates(e["r0n0c1"], e["r0n0c2"])
        assert not DEFAULT.dominates(e["r0n0c1"], e["r0n0c4"])
        assert not DEFAULT.dominates(e["r0n0c3"], e["r0n0c0"])


@pytest.fixture
def three(tmp_path: Path) -> RunStore:
    """Latency, energy and score; 2 is dominated, 3 saves energy."""
    points = [(1.0, 10.0, 10.0), (2.0, 40.0, 20.0), (2.5, 40.0, 19.0), (5.0, 12.0, 18.0)]
    config = SearchConfig(
        output=tmp_path / "runs", space="tiny", objectives=("latency", "energy"), device="made"
    )
    store = RunStore.create(config, "s")
    store.set_niches(["only"])
    designs = [Design(TINY.format(TINY.at(i)), "m", "sample") for i in range(len(points))]
    ids = store.replace_designs(0, 0, designs, [])
    for id_, (latency, energy, score) in zip(ids, points, strict=True):
        store.record_prediction(id_, Prediction(score, 1.5), 1000, 2e6)
        store.record_cost(id_, Cost(latency, 0.1, energy))
    return store


def test_answers_speak_of_every_cost(three: RunStore) -> None:
    with three:
        comparison = answers.compare(three, "r0n0c1", "r0n0c3")
        neighbours = answers.nearest(three, "r0n0c3")
        (other, *_) = [n for n in neighbours if n["id"] == "r0n0c1"]
    assert comparison["cost_differences"] == {"latency": 3.0, "energy": -28.0}
    assert comparison["dominates"] is None
    assert ", latency +3 ms, energy -28 mJ" in "\n".join(tell_comparison(comparison))
    assert other["cost_differences"] == {"latency": -3.0, "energy": 28.0}
    # of the front's extents, 4 ms and 30 mJ: (4, 2) away against (3, 28)
    assert [n["id"] for n in neighbours] == ["r0n0c0", "r0n0c1"]


def test_one_change_is_told_in_every_cost(three: RunStore) -> None:
    with three:
        (here, *_) = (
            c
            for c in one_change(Findings(three), Findings(three).find("r0n0c1"))["changes"]
            if c["id"] == "r0n0c0"
        )
    assert here["costs"] == {"latency": 1.0, "energy": 10.0}
    assert here["cost_changes"] == {"latency": -1.0, "energy": -30.0}


def test_two_objectives_are_answered_as_before(small: RunStore) -> None:
    with small:
        assert "cost_differences" not in answers.compare(small, "r0n0c0", "r0n0c1")
        assert "cost_differences" not in answers.nearest(small, "r0n0c0")[0]
        (change, *_) = one_change(Findings(small), Findings(small).find("r0n0c1"))["changes"]
        assert not {"costs", "cost_changes"} & set(change)
