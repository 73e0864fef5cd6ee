"""``auto`` becomes what serves space and labels, and a run keeps what that was."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pelnas import Search, SearchConfig, load_config
from pelnas.app.web.overview import overview
from pelnas.config import AUTO
from pelnas.errors import SpaceError
from pelnas.graph.runs.fork import fork
from pelnas.graph.runs.replay import replay
from pelnas.graph.session.problem import outlook, resolved
from pelnas.recording import open_recording
from pelnas.spaces import SPACES, get_space, known_spaces
from pelnas.store import RunStore

Pelnas = Callable[..., Any]

PLAIN = """
from pelnas.spaces import Tiny

class Plain(Tiny):
    name = "plain"
    complexity_niches = ()
"""
NAMED = "[pelnas.spaces]\nplain = plain_space:Plain\nbroken = plain_space:Nothing\ntext = builtins:str\n"


def small(output: Path, **changes: Any) -> SearchConfig:
    values = {"space": "tiny", "rounds": 1, "per_niche": 1, "scoring": {"reference": 8}}
    return load_config(None, values | {"output": output} | changes)


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package that names spaces of its own, two of them wrongly."""
    (tmp_path / "site" / "plain_space-1.0.dist-info").mkdir(parents=True)
    (tmp_path / "site" / "plain_space.py").write_text(PLAIN)
    about = tmp_path / "site" / "plain_space-1.0.dist-info"
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: plain-space\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(NAMED)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))


@pytest.mark.parametrize(
    ("given", "accuracy", "partition"),
    [
        ({"space": "nasbench201"}, "transfer", "operations"),
        ({"space": "tiny"}, "rank-sum", "operations"),
        ({"space": "tiny", "labels": ["mine.csv"]}, "few-shot", "operations"),
        ({"space": "nasbench201", "labels": ["mine.csv"]}, "few-shot", "operations"),
        ({"space": "nasbench201", "accuracy": "rank-sum"}, "rank-sum", "operations"),
        ({"accuracy": "table", "partition": "flops"}, "table", "flops"),
        ({"space": "nasbench201", "data": "tables"}, "transfer", "operations"),
        ({"space": "plain"}, "rank-sum", "flops"),
    ],
)
@pytest.mark.usefixtures("plugins")
def test_the_best_that_serves(given: dict[str, Any], accuracy: str, partition: str) -> None:
    config = resolved(load_config(None, given))
    assert (config.accuracy, config.partition) == (accuracy, partition)
    assert resolved(config) == config


def test_a_run_keeps_what_it_was_scored_by(tmp_path: Path) -> None:
    config = small(tmp_path)
    assert (config.accuracy, config.partition) == (AUTO, AUTO)
    search = Search(config)
    folder = search.run().folder
    stored = json.loads((folder / "run.json").read_text())
    assert (stored["accuracy"], stored["partition"]) == ("rank-sum", "operations")
    forked = fork(folder, settings={"accuracy": AUTO, "rounds": 2})
    forked.session.close()
    assert forked.session.config.accuracy == "rank-sum"
    origin = forked.session.store.folder.name
    with RunStore.read(tmp_path / origin) as store:
        assert store.origin().settings == {"rounds": (1, 2)}  # type: ignore[union-attr]


def test_a_run_that_says_rank_sum_stays_with_it(tmp_path: Path) -> None:
    """Runs of the first release say so, on the space that ``auto`` now scores by ``transfer``."""
    search = Search(small(tmp_path, space="nasbench201", accuracy="rank-sum"))
    folder = search.session.store.folder
    search.session.close()
    again = Search.resume(folder)
    assert again.session.problem.evaluator.predictor.name == "rank-sum"
    again.session.close()


def test_a_run_says_which_images_of_which_classes_it_was_scored_on(
    tmp_path: Path, pelnas: Pelnas
) -> None:
    rng = np.random.default_rng(0)
    for name, count in (("cat", 3), ("dog", 2)):
        for part in ("train", "test"):
            (tmp_path / "photos" / part / name).mkdir(parents=True)
            for number in range(count):
                pixels = rng.integers(0, 255, (9, 9, 3), np.uint8)
                Image.fromarray(pixels).save(tmp_path / "photos" / part / name / f"{number}.png")
    photos = tmp_path / "photos"
    described = "5 images of 2 classes (cat 3, dog 2), and 5 held out"
    estimate = ("search", "--space", "tiny", "--images", photos, "--estimate")
    assert f"scored by rank-sum on photos: {described}\n" in pelnas(*estimate).out
    ahead = pelnas(*estimate, "--json").json()
    assert (ahead["accuracy"], ahead["class_images"]) == ("rank-sum", {"cat": 3, "dog": 2})
    config = small(tmp_path / "runs", images=photos, scoring={"reference": 8, "batch": 4})
    folder = Search(config).run().folder
    shutil.rmtree(photos)
    with open_recording(folder) as recording:
        again = replay(recording, tmp_path / "again").result.folder
    for run in (folder, again):
        with RunStore.read(run) as store:
            sources, shown = store.sources(), overview(store)["sources"]
        assert (sources.class_images, sources.held_out) == ({"cat": 3, "dog": 2}, 5)
        assert sources.images == described
        assert (shown["predictor"], shown["images"]) == ("rank-sum", described)
        assert described in (run / "report.html").read_text()
        front = pelnas("front", run, "--json").json()
        assert (front["accuracy"], front["sources"]["held_out"]) == ("rank-sum", 5)
        assert "by rank-sum (" in (said := pelnas("front", run).out)
        assert described in said


@pytest.mark.usefixtures("plugins")
def test_spaces_of_other_packages_are_listed_and_searched(tmp_path: Path, pelnas: Pelnas) -> None:
    assert known_spaces() == (*SPACES, "broken", "plain", "text")
    code, out, _ = pelnas("spaces", "--json")
    found = {each["name"]: each for each in json.loads(out)["spaces"]}
    assert code == 0
    assert (found["plain"]["size"], found["plain"]["niches"]) == (125, [])
    assert "module 'plain_space' has no attribute 'Nothing'" in found["broken"]["problem"]
    assert "plain" in pelnas("spaces")[1]
    assert Search(small(tmp_path / "runs", space="plain")).run().front
    assert all("MFLOPs" in n.label for n in outlook(small(tmp_path, space="plain"))[0].niches)


@pytest.mark.usefixtures("plugins")
def test_a_space_that_cannot_be_loaded_is_refused() -> None:
    said = "at plain_space:Nothing for space 'broken' of package plain-space, found AttributeError"
    with pytest.raises(SpaceError, match=said):
        get_space("broken")
    with pytest.raises(SpaceError, match="found str: repair or uninstall plain-space"):
        get_space("text")
    with pytest.raises(SpaceError, match=f"use one of {', '.join(SPACES)}, broken, plain, text"):
        get_space("nosuch")
