"""Five searches that any release can run, written down so that two releases can be compared.

``python recorded_searches.py FILE.zip``, run by the code of a release, keeps what they find:
``tests/data/first_release_searches.zip`` was made so by that of the first one (0.1.0). Nothing in them
depends on the machine, the clock, or the words of a prompt, and their tables follow from formulas.
"""

import json
import os
import random
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pelnas import Search, SearchConfig, fork
from pelnas.agents.testing.scripted import ScriptedModel
from pelnas.architecture import Evaluation, Shape
from pelnas.archive import Archive
from pelnas.cache import default_cache
from pelnas.calls.call import Message
from pelnas.devices import host
from pelnas.directives import parse
from pelnas.spaces import SearchSpace, get_space
from pelnas.store import Event, RunStore

DEVICES = ("toy", "slow")
SESSIONS = 5  # as pelnas.runtimes.timer has it, which not every release has
ORDERS = (  # (round, command): given when the round is planned
    (0, "/seed |nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|none~1|none~2|"),
    (1, "/limit latency<=20"),
    (1, '/rule add "Two dead edges lose accuracy." none >= 2 hurts accuracy'),
    (2, "/ban avg_pool_3x3"),
    (2, "/focus latency<=9"),
    (2, "/weigh latency 2"),
    (3, "/undo d2"),
    (3, "/require skip_connect in niche 5"),
    (4, "/pin |nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|none~1|none~2|"),
    (4, "/rounds 6"),
)
LATER = ("memory", "size")  # values of an evaluation that are counted where they are asked for
PLACE = "{{round}} {{niche}}"
PROMPTS = {"planner": "{{round}}", "designer": PLACE, "reflection": PLACE}
FEATURES = (
    "nor_conv_3x3 >= 1",
    "nor_conv_1x1 >= 1",
    "skip_connect >= 2",
    "none >= 1",
    "depth >= 2",
)


def record(folder: Path) -> dict[str, str]:
    """Run all five below ``folder``: texts of what each found, by ``SEARCH/FILE``."""
    found: dict[str, str] = {}
    done: dict[str, Path] = {}
    for name, search in SEARCHES.items():
        done[name] = search(folder, done)
        with RunStore.read(done[name]) as store:
            found |= {f"{name}/{file}": text for file, text in _texts(store).items()}
    return found


def _texts(store: RunStore) -> dict[str, str]:
    """What a run found: its front, every niche's, its designs, and each version of its rules."""
    evaluations = store.evaluations()
    archive = Archive(evaluations, len(store.niches()))
    rounds = range(-1, evaluations[-1].candidate.round + 1)
    return {
        "front.json": (store.folder / "front.json").read_text(encoding="utf-8"),
        "fronts.json": _lines([e.id for e in archive.front(n)] for n in range(len(store.niches()))),
        "evaluations.json": _lines(map(_known_then, evaluations)),
        "rules.json": _lines([r, rule.to_dict()] for r in rounds for rule in store.rules(r)),
    }


def _known_then(evaluation: Evaluation) -> dict[str, Any]:
    """An evaluation without what the first release did not know."""
    known = {name: value for name, value in asdict(evaluation).items() if name not in LATER}
    del known["cost"]["extrapolated"]
    return known


def _lines(values: Any) -> str:
    return "".join(json.dumps(value, sort_keys=True) + "\n" for value in values)


# -- the searches ---------------------------------------------------------------------


def _evolver(folder: Path, _: dict[str, Path]) -> Path:
    return Search(_settings(folder, "evolver", "nasbench201")).run().folder


def _scripted(folder: Path, _: dict[str, Path]) -> Path:
    prompts = folder / "prompts"
    prompts.mkdir()
    for name, user in PROMPTS.items():
        text = f"# System\n{name}\n\n# User\n{user}\n"
        (prompts / f"{name}.md").write_text(text, encoding="utf-8")
    model = ScriptedModel(_answer)
    settings = _settings(folder, "scripted", "tiny", model=model.name, prompts=prompts)
    return Search(settings, {model.name: model}).run().folder


def _answer(messages: Sequence[Message], _: dict[str, Any]) -> str:
    """By the role, the round and the niche alone; among the cells are bad and repeated ones."""
    role, place = messages[0].content.split()[0], messages[1].content.split("\n")[0]
    rng = random.Random(f"{role} {place}")
    if role == "planner":
        shares = [{"niche": n, "designs": rng.randrange(1, 9), "focus": "fast"} for n in range(3)]
        return json.dumps({"niches": shares})
    if role == "reflection":
        return json.dumps({"rules": [_claim(rng) for _ in range(rng.randrange(4))]})
    space = get_space("tiny")
    cells = [space.format(space.at(rng.randrange(space.size))) for _ in range(8)]
    how = {"operation": "sample", "parents": [], "rationale": "a guess"}
    return json.dumps({"designs": [how | {"architecture": c} for c in [*cells, cells[0], "none"]]})


def _claim(rng: random.Random) -> dict[str, Any]:
    return {
        "text": "A guess.",
        "predicate": rng.choice(FEATURES),
        "metric": rng.choice(("accuracy", "latency")),
        "polarity": rng.choice(("helps", "hurts")),
        "effect": 0.5,
        "everywhere": rng.random() < 0.5,
    }


def _host(folder: Path, _: dict[str, Path]) -> Path:
    """Measured on this machine, as far as the search knows: the cache holds every latency."""
    settings = _settings(folder, "host", "tiny", device="host")
    space = get_space("tiny")
    shape = Shape(10, *settings.scoring.size)
    device = host.HostDevice(space, shape, settings.measurement, default_cache())
    cells = [space.at(index) for index in range(space.size)]
    ways: list[dict[str, Any]] = [{}]
    if hasattr(device, "confirm"):  # releases that measure what is on the front once more
        ways.append({"sessions": SESSIONS})
    for way in ways:
        keys = {device._key(cell, **way): space.features(cell) for cell in cells}
        default_cache().put_many({key: [_latency(f, 0), 0.5] for key, f in keys.items()})
    return Search(settings).run().folder


def _directives(folder: Path, _: dict[str, Path]) -> Path:
    search = Search(_settings(folder, "directives", "nasbench201"))

    def give(event: Event) -> None:
        if event.kind == "round-planned":
            for round_, command in ORDERS:
                if round_ == event.round:
                    with RunStore.steer(search.folder) as run:
                        run.append_directive(parse(command), "ann", "")

    return search.run(give).folder


def _forked(folder: Path, done: dict[str, Path]) -> Path:
    """From a run that went on, with other latencies: its rules are carried over and tested anew."""
    return fork(done["evolver"], 2, {"device": "slow", "name": "forked"}).run().folder


SEARCHES: dict[str, Callable[[Path, dict[str, Path]], Path]] = {
    "evolver": _evolver,
    "scripted": _scripted,
    "host": _host,
    "directives": _directives,
    "forked": _forked,
}


def _settings(folder: Path, name: str, space: str, **changes: Any) -> SearchConfig:
    values: dict[str, Any] = {
        "name": name,
        "space": space,
        "device": "toy",
        "dataset": "toy10",
        "data": _tables(folder / space, get_space(space)),
        "accuracy": "table",
        "partition": "operations",
        "rounds": 5,
        "per_niche": 5,
        "output": folder / "runs",
    }
    if "surrogate" in SearchConfig.model_fields:
        values["surrogate"] = "large"  # in small spaces the first release had none
    return SearchConfig(**(values | changes))


# -- tables by formulas -----------------------------------------------------------------


def _tables(folder: Path, space: SearchSpace) -> Path:
    """Accuracies and the latencies of two devices for every cell."""
    import pyarrow as pa
    from pyarrow import parquet

    if folder.is_dir():
        return folder
    folder.mkdir()
    cells = [space.at(index) for index in range(space.size)]
    texts = [space.format(cell) for cell in cells]
    features = [space.features(cell) for cell in cells]
    costs: dict[str, Any] = {"arch_str": texts}
    for place, device in enumerate(DEVICES):
        costs[f"toy10__{device}_latency"] = [_latency(f, place) for f in features]
    parquet.write_table(pa.table(costs), folder / "costs.parquet")
    accuracies = {"arch_str": texts, "toy10_val_acc_9": [_accuracy(f) for f in features]}
    accuracies["toy10_test_acc_9"] = accuracies["toy10_val_acc_9"]
    parquet.write_table(pa.table(accuracies), folder / "accuracies.parquet")
    return folder


def _latency(f: Any, place: int) -> float:
    """Many cells are equally fast, so that ties count, too; the second device cannot run some."""
    if place and f["avg_pool_3x3"] > 2:
        return -1.0
    pools = f["avg_pool_3x3"] * (1 + place)
    return 1 + (3 + place) * f["nor_conv_3x3"] + f["nor_conv_1x1"] + pools + 0.25 * f["depth"]


def _accuracy(f: Any) -> float:
    live = 9 * f["nor_conv_3x3"] + 6 * f["nor_conv_1x1"] + 4 * f["live_skip"] - f["avg_pool_3x3"]
    return 20.0 + (live - 2 * f["none"] + 3 * f["depth"] if f["paths"] > 0 else 0.0)


def keep(found: dict[str, str], path: Path) -> None:
    """Write what was found: the same bytes for the same texts."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        for name, text in found.items():
            archive.writestr(zipfile.ZipInfo(name), text, zipfile.ZIP_LZMA)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        os.environ["PELNAS_CACHE"] = place
        keep(record(Path(place)), Path(sys.argv[1]))
