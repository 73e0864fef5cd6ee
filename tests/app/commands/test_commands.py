"""The commands end to end: what they print for a person, and for a program."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from pelnas.architecture import Shape
from pelnas.spaces import get_space
from pelnas.store import RunStore, find_run

Pelnas = Callable[..., Any]


def test_a_search_prints_its_front_and_where_the_picture_is(
    pelnas: Pelnas,
    table_options: list[str],
    tmp_path: Path,
    pictures: Callable[[], AbstractContextManager[None]],
) -> None:
    with pictures():
        outcome = pelnas("search", *table_options, "--output", tmp_path / "runs", "--name", "mine")
    folder = find_run(tmp_path / "runs", "mine")
    points = json.loads((folder / "front.json").read_text())
    assert outcome.code == 0
    assert f"{len(points)} networks on the front of {folder.name}" in outcome.out
    assert all(point["architecture"] in outcome.out for point in points)
    assert str(folder / "front.png") in outcome.out
    assert (folder / "front.png").is_file()
    assert "round 2 of 2 done" in outcome.err


def test_a_search_as_json_is_one_document(
    pelnas: Pelnas, table_options: list[str], tmp_path: Path
) -> None:
    outcome = pelnas("search", *table_options, "--output", tmp_path / "runs", "--json")
    summary = outcome.json()
    folder = Path(summary["path"])
    assert outcome.code == 0
    assert summary["front"] == json.loads((folder / "front.json").read_text())
    assert summary["spent"]["evaluations"] <= 2 * 3 * 3
    with RunStore.read(folder) as store:
        assert summary["spent"]["evaluations"] == len(store.evaluations())


def test_the_same_seed_gives_the_same_front(
    pelnas: Pelnas, table_options: list[str], tmp_path: Path
) -> None:
    fronts = []
    for name in ("first", "second"):
        command = ["search", *table_options, "--output", tmp_path, "--name", name, "--seed", "7"]
        assert pelnas(*command).code == 0
        fronts.append((find_run(tmp_path, name) / "front.json").read_bytes())
    assert fronts[0] == fronts[1]


def test_a_file_of_settings_gives_way_to_options(
    pelnas: Pelnas, tiny_tables: Path, tmp_path: Path
) -> None:
    file = tmp_path / "search.toml"
    file.write_text(
        f'space = "tiny"\ndevice = "toy"\ndata = "{tiny_tables}"\naccuracy = "table"\n'
        "rounds = 9\nper_niche = 2\n[budget]\nevaluations = 5\n"
    )
    output = tmp_path / "runs"
    command = ["search", "--config", file, "--rounds", "1", "--output", output, "--json"]
    summary = pelnas(*command).json()
    assert summary["config"]["rounds"] == 1
    assert summary["config"]["per_niche"] == 2
    assert summary["spent"]["evaluations"] == 5


def test_rules_of_an_earlier_run_are_tried_again(
    pelnas: Pelnas, finished: Path, table_options: list[str], tmp_path: Path
) -> None:
    known = pelnas("rules", "done", "--output", finished, "--all", "--json").json()["rules"]
    in_force = {rule["id"] for rule in known if rule["status"] == "in-force"}
    earlier = find_run(finished, "done")
    command = ["search", *table_options, "--output", tmp_path, "--rules-from", earlier, "--json"]
    assert pelnas(*command).code == 0
    rules = pelnas("rules", "--output", tmp_path, "--all", "--json").json()["rules"]
    carried = {rule["id"] for rule in rules if rule["origin"]}
    assert carried == in_force


def test_runs_are_listed_newest_first(pelnas: Pelnas, finished: Path) -> None:
    (run,) = pelnas("runs", "--output", finished, "--json").json()["runs"]
    assert (run["status"], run["rounds"]) == ("finished", 2)
    assert run["name"] in pelnas("runs", "--output", finished).out


def test_the_front_of_a_run(pelnas: Pelnas, finished: Path) -> None:
    document = pelnas("front", "done", "--output", finished, "--json").json()
    latencies = [point["latency_ms"] for point in document["front"]]
    scores = [point["score"] for point in document["front"]]
    assert latencies == sorted(latencies)
    assert scores == sorted(scores)
    shown = pelnas("front", "--output", finished).out
    space = get_space("tiny")
    for point in document["front"]:
        assert f" {space.index(space.parse(point['architecture']))} " in shown


def test_rules_are_told_with_their_evidence(pelnas: Pelnas, finished: Path) -> None:
    document = pelnas("rules", "--output", finished, "--all", "--json").json()
    shown = pelnas("rules", "--output", finished, "--all").out
    assert f"{len(document['rules'])} rules" in shown
    assert all(rule["id"] in shown for rule in document["rules"])


def test_scores_of_texts_and_indices_agree(pelnas: Pelnas, tiny_tables: Path) -> None:
    space = get_space("tiny")
    text = space.format(space.at(93))
    command = ["score", "--space", "tiny", "--data", tiny_tables, "--accuracy", "table", text, "93"]
    document = pelnas(*command, "--json").json()
    first, second = document["scores"]
    assert first == second
    assert first["parameters"] == space.parameters(space.at(93), Shape(10))
    assert " 93 " in pelnas(*command).out


def test_latencies_of_a_table(pelnas: Pelnas, tiny_tables: Path) -> None:
    command = ["latency", "--space", "tiny", "--data", tiny_tables, "--device", "toy"]
    document = pelnas(*command, "0", "93", "--json").json()
    assert [record["index"] for record in document["latencies"]] == [0, 93]
    assert document["latencies"][0]["latency_ms"] == 1.0
    assert "1.000" in pelnas(*command, "0").out


@pytest.mark.parametrize("arguments", [["spaces"], ["devices"]])
def test_what_can_be_named(pelnas: Pelnas, tiny_tables: Path, arguments: list[str]) -> None:
    assert "tiny" in {space["name"] for space in pelnas("spaces", "--json").json()["spaces"]}
    document = pelnas("devices", "--data", tiny_tables, "--json").json()
    assert document == {
        "measured": ["host", "host-cuda"],
        "tables": ["toy"],
        "layered": [],
        "datasets": ["toy10"],
        "plugins": [],
    }
    assert "toy10" in pelnas("devices", "--data", tiny_tables).out


def test_a_healthy_installation(pelnas: Pelnas, tiny_tables: Path) -> None:
    outcome = pelnas("doctor", "--data", tiny_tables, "--json")
    document = outcome.json()
    broken = [check for check in document["checks"] if check["status"] == "broken"]
    assert (outcome.code, broken) == (0, [])
    assert document["healthy"]


def test_an_installation_that_cannot_keep_anything(
    pelnas: Pelnas, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("PELNAS_CACHE", str(tmp_path / "file"))
    outcome = pelnas("doctor", "--json")
    document = outcome.json()
    assert outcome.code == 2
    assert [c["part"] for c in document["checks"] if c["status"] == "broken"] == ["cache"]


def test_speed_of_proxies(pelnas: Pelnas) -> None:
    command = ["bench", "proxies", "--space", "tiny", "--sample", "1", "--repeats", "1"]
    document = pelnas(*command, "--batch", "4", "--threads", "1", "--json").json()
    assert {"synflow", "nwot", "zico"} <= document["apart"].keys()
    assert document["steps"] == pytest.approx(document["shared"] / document["step"])
    assert document["gain"] > 0


def test_a_predictor_is_held_against_the_truth(
    pelnas: Pelnas, tiny_tables: Path, tmp_path: Path
) -> None:
    command = ["proxies", "validate", "--space", "tiny", "--data", tiny_tables, "--sample", "60"]
    command += ["--accuracy", "table", "--plot", tmp_path / "scatter.png"]
    document = pelnas(*command, "--json").json()
    assert document["overall"]["kendall"]["value"] == pytest.approx(1)  # it is the same order
    assert document["overall"]["count"] == 60
    assert sum(group["count"] for group in document["niches"]) == 60
    assert (tmp_path / "scatter.png").read_bytes().startswith(b"\x89PNG")
    assert "1.000" in pelnas(*command).out


def test_published_proxies_that_are_not_there(
    pelnas: Pelnas, tiny_tables: Path, tmp_path: Path
) -> None:
    import numpy as np

    images = tmp_path / "images.npz"
    pixels = np.random.default_rng(0).integers(0, 255, (8, 8, 8), dtype=np.uint8)
    np.savez(images, images=pixels, labels=np.arange(8) % 2)
    outcome = pelnas("proxies", "reproduce", "--data", tiny_tables, "--images", images)
    assert outcome.code == 2
    assert "NAS-Bench-Suite-Zero" in outcome.err


def test_a_run_that_its_rounds_ended_goes_on_with_more(
    pelnas: Pelnas, table_options: list[str], tmp_path: Path
) -> None:
    assert (
        pelnas("search", *table_options, "--output", tmp_path, "--max-evaluations", "9").code == 0
    )
    refused = pelnas("resume", "--output", tmp_path, "--rounds", "3")
    assert refused.code == 2
    assert "9 of 9 evaluations are used: give more to go on" in refused.err
    assert pelnas("resume", "--output", tmp_path, "--max-calls", "0").code == 2
    more = ["--rounds", "3", "--max-evaluations", "27"]
    summary = pelnas("resume", "--output", tmp_path, *more, "--json").json()
    assert summary["spent"]["evaluations"] == 27
    assert summary["config"]["rounds"] == 3
    assert "run-reopened: " in pelnas("trace", "--output", tmp_path).out


def test_an_estimate_makes_no_run(pelnas: Pelnas, table_options: list[str], tmp_path: Path) -> None:
    command = ["search", *table_options, "--output", tmp_path / "runs", "--estimate"]
    command += ["--model", "openai:no-such-model", "--max-calls", "8"]
    document = pelnas(*command, "--json").json()
    assert (document["calls"], document["evaluations"], document["dollars"]) == (
        2 * (1 + 3 + 3),
        18,
        None,
    )
    assert (document["ends_by"], document["ends_in"]) == ("calls", 2)
    said = pelnas(*command)
    assert said.code == 0
    assert "14 model calls, about" in said.out
    assert "price unknown; the limit of 8 calls ends it first, in round 2" in said.out
    assert not (tmp_path / "runs").exists()


def test_a_search_begins_with_its_estimate(
    pelnas: Pelnas, table_options: list[str], tmp_path: Path
) -> None:
    outcome = pelnas("search", *table_options, "--output", tmp_path)
    assert outcome.err.splitlines()[:2] == [
        "pelnas: scored by table",
        "pelnas: expected in 2 rounds: 18 evaluations, no model calls",
    ]


def test_by_hand_a_person_is_the_designer(
    pelnas: Pelnas, table_options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    limit = ("--max-minutes", "0.001", "--json")  # nobody answers
    summary = pelnas("search", *table_options, "--by-hand", *limit).json()
    others = dict.fromkeys(("planner", "reflection"), "builtin:evolver")
    assert summary["config"]["models"] == others | {"designer": "hand:questions"}
    assert summary["front"] == []
    assert "minutes" in summary["reason"]
