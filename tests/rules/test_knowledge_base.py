"""The knowledge base in real Chroma folders."""

import shutil
import sqlite3
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import warm
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pelnas.errors import StoreError
from pelnas.predicate import parse_predicate
from pelnas.rules.knowledge_base import KnowledgeBase
from pelnas.rules.retrieval import DIMENSIONS, vector
from pelnas.rules.rule import Metric, Rule, Scope, propose

SCOPE = Scope("nasbench201", "host", "digits", 2)


def known(
    predicate: str = "nor_conv_3x3 >= 2",
    metric: Metric = "accuracy",
    effect: float = 0.5,
    scope: Scope = SCOPE,
    text: str = "",
) -> Rule:
    rule = propose(text or predicate, "helps", metric, parse_predicate(predicate), scope)
    return replace(rule, measured=effect, error=0.05, side_effect=0.0, status="in-force")


def many(count: int) -> list[Rule]:
    operations = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
    return [
        known(f"{operations[k % 5]} >= {k // 5}", effect=0.1 + (37 * k % 83) / 100)
        for k in range(count)
    ]


@pytest.fixture
def base(tmp_path: Path):  # type: ignore[no-untyped-def]
    knowledge = KnowledgeBase(tmp_path / "knowledge")
    yield knowledge
    knowledge.close()


# -- keeping ----------------------------------------------------------------------


def test_rules_come_back_by_id(base: KnowledgeBase) -> None:
    rules = many(12)
    base.put(rules[:7])
    base.put(rules[5:])
    assert base.all() == sorted(rules, key=lambda rule: rule.id)


def test_a_known_id_is_replaced(base: KnowledgeBase) -> None:
    rule = known()
    base.put([rule])
    base.put([replace(rule, status="retired")])
    assert base.all() == [replace(rule, status="retired")]
    assert base.retrieve(SCOPE, "", 5) == []


def test_new_figures_are_found_at_once_and_kept_at_the_end(tmp_path: Path) -> None:
    base = KnowledgeBase(tmp_path)
    base.put(many(5))
    newer = [replace(rule, measured=0.9, support=7) for rule in many(5)]
    with counted_writes(base) as written:
        base.put(newer)
        assert sorted(base.retrieve(SCOPE, "", 9), key=by_id) == sorted(newer, key=by_id)
        assert written == []
        retired = replace(newer[0], status="retired")
        base.put([retired])
        assert written == [retired.id]
        assert retired.id not in {rule.id for rule in base.retrieve(SCOPE, "", 9)}
    base.close()
    again = KnowledgeBase(tmp_path)
    assert again.all() == sorted([retired, *newer[1:]], key=by_id)
    again.close()


@contextmanager
def counted_writes(base: KnowledgeBase) -> Iterator[list[str]]:
    """The ids that Chroma is given."""
    ids: list[str] = []
    upsert = base._rules.upsert

    def counted(**values: Any) -> None:
        ids.extend(values["ids"])
        upsert(**values)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(base._rules, "upsert", counted)
        yield ids


def by_id(rule: Rule) -> str:
    return rule.id


def test_restore_leaves_exactly_these(base: KnowledgeBase) -> None:
    rules = many(9)
    base.put(rules[:6])
    base.restore([replace(rules[5], born=4), *rules[6:]])
    assert {rule.id: rule.born for rule in base.all()} == {
        rules[5].id: 4,
        **{rule.id: 0 for rule in rules[6:]},
    }
    base.restore([])
    assert base.all() == []
    base.put([])
    assert base.all() == []


def test_a_folder_is_opened_again_after_close(tmp_path: Path) -> None:
    for count in (3, 6):
        base = KnowledgeBase(tmp_path)
        base.put(many(count))
        base.close()
        base.close()
    again = KnowledgeBase(tmp_path)
    assert len(again.all()) == 6
    assert len(again.retrieve(SCOPE, "", 10)) == 6
    again.close()


def test_another_process_finds_the_rules(tmp_path: Path) -> None:
    base = KnowledgeBase(tmp_path)
    base.put(many(8))
    found = base.retrieve(SCOPE, "avg_pool", 3)
    base.close()
    code = (
        "import sys; from pathlib import Path; from pelnas.rules.knowledge_base import KnowledgeBase;"
        "from pelnas.rules.rule import Scope; base = KnowledgeBase(Path(sys.argv[1]));"
        "rules = base.retrieve(Scope('nasbench201', 'host', 'digits', 2), 'avg_pool', 3);"
        "print(' '.join(rule.id for rule in rules))"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = warm.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.split() == [rule.id for rule in found]


def test_several_runs_in_one_process_do_not_mix(tmp_path: Path) -> None:
    first, second = KnowledgeBase(tmp_path / "a"), KnowledgeBase(tmp_path / "b")
    first.put(many(3))
    second.put(many(5)[3:])
    first.close()
    assert second.all() == sorted(many(5)[3:], key=lambda rule: rule.id)
    second.close()


def test_two_openings_of_one_folder_share_it(tmp_path: Path) -> None:
    first, second = KnowledgeBase(tmp_path), KnowledgeBase(tmp_path)
    first.put(many(3))
    first.close()
    assert len(second.all()) == 3
    second.close()


def test_nothing_is_embedded_by_a_downloaded_model(base: KnowledgeBase) -> None:
    """Chroma's own embedding would reach for the network, which the tests refuse."""
    base.put([known(text="text that a model would embed")])
    assert base.retrieve(SCOPE, "text", 1)


# -- finding ----------------------------------------------------------------------


def test_only_applicable_rules_are_found(base: KnowledgeBase) -> None:
    applicable = {
        "own niche": known("a >= 1"),
        "every niche": known("a >= 2", scope=SCOPE.everywhere()),
        "accuracy from another device": known("a >= 3", scope=replace(SCOPE, device="pixel3")),
        "own latency": known("a >= 4", metric="latency"),
        "weakened": replace(known("a >= 5"), status="weakened"),
    }
    elsewhere = {
        "other niche": known("b >= 1", scope=replace(SCOPE, niche=3)),
        "other space": known("b >= 2", scope=replace(SCOPE, space="fbnet")),
        "other dataset": known("b >= 3", scope=replace(SCOPE, dataset="cifar10")),
        "other device's latency": known(
            "b >= 4", metric="latency", scope=replace(SCOPE, device="pixel3")
        ),
        "retired": replace(known("b >= 5"), status="retired"),
        "proposed": replace(known("b >= 6"), status="proposed"),
    }
    base.put([*applicable.values(), *elsewhere.values()])
    found = {str(rule.predicate) for rule in base.retrieve(SCOPE, "", 50)}
    assert found == {str(rule.predicate) for rule in applicable.values()}
    everywhere = base.retrieve(SCOPE.everywhere(), "", 50)
    assert [str(rule.predicate) for rule in everywhere] == ["a >= 2"]


def test_rules_in_force_come_before_weakened_ones(base: KnowledgeBase) -> None:
    strong = replace(known("a >= 1", effect=0.9), status="weakened")
    weak = known("b >= 1", effect=0.15)
    base.put([strong, weak])
    assert base.retrieve(SCOPE, "a", 5) == [weak, strong]
    assert base.retrieve(SCOPE, "a", 1) == [weak]
    assert base.retrieve(SCOPE, "a", 0) == []


def test_surer_effects_come_first(base: KnowledgeBase) -> None:
    sure, unsure = known("a >= 1", effect=0.5), replace(known("b >= 1", effect=0.55), error=0.18)
    base.put([unsure, sure])
    assert base.retrieve(SCOPE, "", 2) == [sure, unsure]


def test_a_query_prefers_what_it_names(base: KnowledgeBase) -> None:
    pooling = known("avg_pool_3x3 == 0", text="Leave out pooling.")
    skip = known("skip_connect >= 1", text="Keep an identity.")
    base.put([pooling, skip])
    assert base.retrieve(SCOPE, "what about avg_pool_3x3", 1) == [pooling]
    assert base.retrieve(SCOPE, "what about skip_connect", 1) == [skip]


def test_one_subject_does_not_crowd_out_the_others(base: KnowledgeBase) -> None:
    """Ten versions of one claim, each a little stronger than the only other claim."""
    base.put([known(f"avg_pool_3x3 < {k}", effect=0.6 + k / 1000) for k in range(1, 11)])
    base.put([known("skip_connect >= 1", metric="latency", effect=0.5)])
    subjects = [rule.predicate.conditions[0].feature for rule in base.retrieve(SCOPE, "", 2)]
    assert subjects == ["avg_pool_3x3", "skip_connect"]


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(order=st.permutations(range(25)), split=st.integers(0, 25))
def test_the_order_of_insertion_makes_no_difference(
    base: KnowledgeBase, order: list[int], split: int
) -> None:
    rules = many(25)
    base.restore([])
    base.put([rules[k] for k in order[:split]])
    base.put([rules[k] for k in order[split:]])
    fresh = [rule.id for rule in base.retrieve(SCOPE, "pooling or identity", 8)]
    base.restore(rules)
    assert fresh == [rule.id for rule in base.retrieve(SCOPE, "pooling or identity", 8)]


def test_every_applicable_rule_is_ranked_after_many_changes(base: KnowledgeBase) -> None:
    rules = many(300)
    for start in range(0, 300, 60):
        base.put(rules[start:])
        base.restore(rules[: start + 30])
    base.restore(rules)
    assert len(base.retrieve(SCOPE, "", 400)) == 300


def test_designers_retrieve_while_rules_are_written(base: KnowledgeBase) -> None:
    rules = many(40)
    base.put(rules)

    def design(k: int) -> int:
        if k % 4 == 0:
            base.put(rules[:10])
        return len(base.retrieve(replace(SCOPE, niche=2), f"query {k}", 8))

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(design, range(24))) == [8] * 24
    assert len(base.all()) == 40


def test_vectors_are_unit_and_stable() -> None:
    rule = known()
    assert vector(rule).shape == (DIMENSIONS,)
    assert vector(rule) @ vector(rule) == pytest.approx(1)
    near, far = known("nor_conv_3x3 >= 3"), known("skip_connect == 0", metric="latency")
    assert vector(rule) @ vector(near) > vector(rule) @ vector(far)


# -- what is broken -----------------------------------------------------------------


def test_a_closed_base_says_so(tmp_path: Path) -> None:
    base = KnowledgeBase(tmp_path)
    base.close()
    with pytest.raises(StoreError, match="is closed: open it again"):
        base.retrieve(SCOPE, "", 3)


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"sun")
    with pytest.raises(StoreError, match="it holds other files"):
        KnowledgeBase(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.jpg"]


def test_a_file_in_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "knowledge").write_text("x")
    with pytest.raises(StoreError, match="cannot be opened"):
        KnowledgeBase(tmp_path / "knowledge")


def test_a_damaged_database_and_then_a_new_one(tmp_path: Path) -> None:
    folder = tmp_path / "knowledge"
    folder.mkdir()
    (folder / "chroma.sqlite3").write_bytes(b"not a database" * 100)
    for _ in range(2):
        with pytest.raises(StoreError, match="move that folder away") as caught:
            KnowledgeBase(folder)
        assert "\n" not in str(caught.value)
    folder.rename(tmp_path / "away")
    base = KnowledgeBase(folder)
    base.restore(many(3))
    assert len(base.all()) == 3
    base.close()


def test_a_lost_index_loses_no_rule(tmp_path: Path) -> None:
    base = KnowledgeBase(tmp_path)
    base.put(many(300))
    base.close()
    for index in [path for path in tmp_path.iterdir() if path.is_dir()]:
        shutil.rmtree(index)
    again = KnowledgeBase(tmp_path)
    assert len(again.retrieve(SCOPE, "", 400)) == 300
    again.restore(many(20))
    assert len(again.retrieve(SCOPE, "", 400)) == 20
    again.close()


@pytest.mark.parametrize(
    ("name", "metadata", "found"),
    [("cats", None, "of another program"), ("pelnas-rules", {"format": 99}, "its format is 99")],
)
def test_a_foreign_collection_is_refused(
    tmp_path: Path, name: str, metadata: dict[str, int] | None, found: str
) -> None:
    import chromadb
    from chromadb.config import Settings

    client = chromadb.PersistentClient(tmp_path, settings=Settings(anonymized_telemetry=False))
    client.create_collection(name, metadata=metadata, embedding_function=None)
    client.close()  # type: ignore[attr-defined]
    with pytest.raises(StoreError, match=found):
        KnowledgeBase(tmp_path)


def test_a_damaged_record_is_told(tmp_path: Path) -> None:
    base = KnowledgeBase(tmp_path)
    base.put([known()])
    base.close()
    with closing(sqlite3.connect(tmp_path / "chroma.sqlite3")) as database, database:
        database.execute(
            "UPDATE embedding_metadata SET string_value = '{half' WHERE key = 'chroma:document'"
        )
    again = KnowledgeBase(tmp_path)
    with pytest.raises(StoreError, match="cannot be read"):
        again.all()
    again.restore([known()])
    assert again.all() == [known()]
    again.close()
