"""``pelnas compare``: models side by side, at equal budget and on one scale."""

import json
import shutil
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from fakes import PoolHere, agents, drawn, plan, proposed
from pyarrow import parquet

from pelnas.agents.testing.server import LoopbackServer
from pelnas.bench.compare import Moment, Scale, Trial, rows, scale_of
from pelnas.calls.call import Message
from pelnas.config import SearchConfig
from pelnas.errors import DeviceError
from pelnas.spaces import get_space

Pelnas = Callable[..., Any]
SPACE = get_space("tiny")
PNG = b"\x89PNG"


def trial(model: str, places: Sequence[tuple[float, ...]], **changes: Any) -> Trial:
    values: dict[str, Any] = {
        "model": model,
        "seed": 0,
        "run": "a-run",
        "front": 1,
        "evaluations": len(places),
        "calls": 0,
        "failed_calls": 0,
        "dollars": 0.0,
        "seconds": 1.0,
        "invalid": None,
        "duplicate": 0.0,
        "out_of_niche": 0.0,
        "filled": 0,
        "rules": 0,
        "moments": tuple(Moment(str(p), p, i, 0.5 * i, 1.0 * i) for i, p in enumerate(places)),
    }
    return Trial(**(values | changes))


def test_all_runs_are_judged_in_the_same_ranges() -> None:
    wide, narrow = trial("a", [(0, 0), (10, 10)]), trial("b", [(5, 5)])
    scale = Scale.of_trials([wide, narrow])
    low, high = scale.box  # of (latency, -score)
    assert (low.tolist(), high.tolist()) == ([0, -10], [10, 0])
    assert scale.volume(narrow.moments) == pytest.approx(0.25)
    curve = scale.curve(trial("b", [(9, 5), (5, 5)]))
    assert [point["hypervolume"] for point in curve] == pytest.approx([0.05, 0.25])
    assert [point["dollars"] for point in curve] == [0.0, 0.5]


def test_a_mean_with_an_unknown_part_is_unknown_and_the_best_comes_first() -> None:
    trials = [
        trial("a", [(9, 5)], dollars=1.0),
        trial("a", [(9, 5)], dollars=None, seed=1),
        trial("b", [(0, 10)], dollars=1.0),
        trial("b", [(10, 0)], dollars=2.0, seed=1),
    ]
    found = rows(trials, Scale.of_trials(trials))
    assert [row["model"] for row in found] == ["b", "a"]
    assert [row["dollars"] for row in found] == [1.5, None]
    assert (found[0]["hypervolume"], found[0]["lowest"]) == pytest.approx((0.5, 0.0))


def test_the_whole_true_front_has_volume_one(tiny_tables: Path) -> None:
    config = SearchConfig(space="tiny", data=tiny_tables, dataset="toy10", device="toy")
    scale = scale_of(config, [])
    everything = [Moment(text, (0.0, 0.0), 0, 0.0, 0.0) for text in scale.truth]
    assert len(everything) == SPACE.size
    assert scale.volume(everything) == pytest.approx(1)
    assert 0 <= scale.volume(everything[:3]) < 1


def test_runs_of_three_objectives_are_judged_by_all_of_them(
    pelnas: Pelnas, tiny_tables: Path, tmp_path: Path
) -> None:
    texts = [SPACE.format(SPACE.at(index)) for index in range(SPACE.size)]
    costs: dict[str, Any] = {
        "arch_str": texts,
        "toy10__meter_latency": [1.0 + index % 7 for index in range(SPACE.size)],
        "toy10__meter_energy": [-1.0, *(1.0 + index % 11 for index in range(1, SPACE.size))],
    }
    folder = tmp_path / "tables"
    shutil.copytree(tiny_tables, folder)
    parquet.write_table(pa.table(costs), folder / "meter.parquet")
    (tmp_path / "three.toml").write_text('objectives = ["latency", "energy"]\n')
    found = pelnas(
        "compare", "--config", tmp_path / "three.toml", "--space", "tiny", "--data", folder,
        "--device", "meter", "--dataset", "toy10", "--accuracy", "table", "--seeds", "1",
        "--rounds", "1", "--per-niche", "4", "--output", tmp_path / "runs", "--json",
    ).json()  # fmt: skip
    assert found["judged_by"] == "share of the true front's"
    assert all(0 < row["hypervolume"] <= 1 for row in found["models"])
    config = SearchConfig(
        space="tiny", data=folder, dataset="toy10", device="meter", objectives=("latency", "energy")
    )
    scale = scale_of(config, [])
    assert {len(place) for place in scale.truth.values()} == {3}
    assert len(scale.truth) == SPACE.size - 1  # what cannot run is no network to find
    everything = [Moment(text, (0.0, 0.0, 0.0), 0, 0.0, 0.0) for text in scale.truth]
    assert scale.volume(everything) == pytest.approx(1)
    toy = config.model_copy(update={"device": "toy"})
    with pytest.raises(DeviceError, match="expected tables of latency and energy for toy, found"):
        scale_of(toy, [])
    counted = config.model_copy(update={"objectives": ("latency", "parameters")})
    assert not scale_of(counted, [trial("a", [(1, 2, 3), (2, 1, 4)])]).truth


designs = agents(
    plan([1], 2, "gaps"),
    lambda messages: proposed([*drawn(messages[1].content, count=3), "nonsense"]),
)


def test_a_model_beside_evolution_and_random_sampling(
    pelnas: Pelnas, table_options: list[str], tmp_path: Path
) -> None:
    pytest.importorskip("langchain_openai", reason="the extra 'openai' is not installed")
    with LoopbackServer(designs) as server:
        found = pelnas(
            "compare", "--models", "openai:any", "builtin:evolver", "--seeds", "2",
            *table_options, "--dataset", "toy10", "--base-url", server.url,
            "--output", tmp_path / "runs", "--json",
        ).json()  # fmt: skip
    named = {row["model"]: row for row in found["models"]}
    assert set(named) == {"openai:any", "builtin:evolver", "builtin:random"}
    assert {row["runs"] for row in named.values()} == {2}
    assert found["judged_by"] == "share of the true front's"
    assert named["openai:any"]["calls"] > 0
    assert named["openai:any"]["dollars"] is None
    assert named["openai:any"]["invalid"] > 0
    assert named["openai:any"]["filled"] > 0
    assert named["builtin:evolver"]["calls"] == named["builtin:evolver"]["dollars"] == 0
    assert all(0 < row["lowest"] <= row["hypervolume"] <= 1 for row in named.values())
    for run in found["runs"]:
        volumes = [point["hypervolume"] for point in run["curve"]]
        assert volumes == sorted(volumes)
        assert volumes[-1] == pytest.approx(run["hypervolume"])
    assert Path(found["picture"]).read_bytes().startswith(PNG)


def answer_questions(folder: Path, done: threading.Event) -> None:
    """A person: answers every question by the form at its end."""
    while not done.wait(0.05):
        for question in folder.glob("*.md"):
            answer = question.with_name(f"{question.stem}.answer.md")
            if not question.name.endswith(".answer.md") and not answer.exists():
                form = question.read_text().rpartition("```json")[2].partition("```")[0]
                asked = [Message("system", ""), Message("user", question.name)]
                answer.write_text(designs(asked, json.loads(form)))


def test_a_person_is_compared_like_a_model(
    pelnas: Pelnas,
    table_options: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    done = threading.Event()
    person = threading.Thread(target=answer_questions, args=(tmp_path / "questions", done))
    person.start()
    try:
        found = pelnas(
            "compare", "--by-hand", "--seeds", "1", *table_options, "--rounds", "2",
            "--output", "runs", "--json",
        ).json()  # fmt: skip
    finally:
        done.set()
        person.join(60)
    named = {row["model"]: row for row in found["models"]}
    assert set(named) == {"hand:questions", "builtin:evolver", "builtin:random"}
    assert (named["hand:questions"]["dollars"], named["hand:questions"]["failed_calls"]) == (0, 0)
    assert named["hand:questions"]["calls"] >= 3  # a plan, designs of a niche, its reflection
    assert named["hand:questions"]["invalid"] > 0


def test_a_person_gets_a_table_and_a_picture(
    pelnas: Pelnas, table_options: list[str], tmp_path: Path
) -> None:
    outcome = pelnas(
        "compare", "--seeds", "1", *table_options, "--output", tmp_path, "--rounds", "1",
        "--picture", tmp_path / "mine.png",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert "in the ranges of all runs" in outcome.out
    assert "builtin:random" in outcome.out
    assert "$0.00" in outcome.out
    assert outcome.err.startswith("expected in 2 runs: 18 evaluations, no model calls\n")
    assert (tmp_path / "mine.png").read_bytes().startswith(PNG)


def test_a_model_that_cannot_be_used_is_told_before_the_first_search(
    pelnas: Pelnas, table_options: list[str], tmp_path: Path
) -> None:
    outcome = pelnas(
        "compare", "builtin:random", "local:no.gguf", *table_options, "--output", tmp_path / "runs"
    )
    assert outcome.code == 2
    assert not (tmp_path / "runs").exists()


def test_a_pool_runs_the_same_searches(
    pelnas: Pelnas, tiny_tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pelnas.pool.get_pool", lambda _: PoolHere())
    tables = ["--space", "tiny", "--device", "toy", "--dataset", "toy10", "--data", tiny_tables]
    command = ["compare", *tables, "--accuracy", "table", "--rounds", "1", "--per-niche", "2"]
    documents = {}
    for pool in ([], ["--pool", "ray"]):
        output = tmp_path / f"runs{len(pool)}"
        documents[len(pool)] = pelnas(
            *command, "--seeds", "1", "--output", output, *pool, "--json"
        ).json()
        assert {run["run"] for run in documents[len(pool)]["runs"]} == {
            folder.name for folder in output.iterdir() if folder.is_dir()
        }
    for one, other in zip(documents[0]["runs"], documents[2]["runs"], strict=True):
        same = ("model", "seed", "front", "evaluations", "hypervolume")
        assert [one[name] for name in same] == [other[name] for name in same]
