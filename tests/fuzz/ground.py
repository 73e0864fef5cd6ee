"""The valid inputs that are made wrong: tables, images, labels, and a small run with all it writes."""

import io
import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image
from pyarrow import parquet

from pelnas import Search, SearchConfig
from pelnas.graph.session.steering_client import SteeringClient
from pelnas.recording import export
from pelnas.spaces import get_space

SPACE = get_space("tiny")
TOML = """
name = "mine"
space = "tiny"
device = "toy"
dataset = "toy10"
accuracy = "table"
data = "tables"
labels = ["labels.csv"]
model = "builtin:evolver"
concurrency = ["openai=4", "2"]
temperature = 0.5
rounds = 3
per_niche = 4
seed = 7
rules_from = ["earlier"]

[budget]
minutes = 10.5
dollars = 1e2
calls = 100

[measurement]
repeats = 3
threads = 1

[scoring]
batch = 16
resolution = 8
"""


@dataclass(frozen=True)
class Ground:
    """Where everything lies."""

    root: Path

    @property
    def tables(self) -> Path:
        return self.root / "tables"

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    @property
    def run(self) -> Path:
        return next(self.runs.glob("*-done"))

    @property
    def open(self) -> Path:
        """A run that has not ended, which takes directives."""
        return next(self.runs.glob("*-open"))

    @property
    def recording(self) -> Path:
        return self.root / "recording.zip"

    @classmethod
    def make(cls, root: Path) -> "Ground":
        """Everything, in an empty folder."""
        ground = cls(root)
        _tables(ground.tables)
        for name in ("done", "open"):
            search = Search(ground.config(name=name))
            if name == "done":
                search.run()
            else:
                search.session.close()
        with SteeringClient.open(ground.open) as client:
            client.give("/ban avg_pool_3x3 in niche 1", "ann")
            client.give("/limit latency<=9", "ann")
        export(ground.run, ground.recording)
        return ground

    def config(self, **changes: Any) -> SearchConfig:
        """Settings of a search that looks everything up."""
        values: dict[str, Any] = {
            "space": "tiny", "device": "toy", "dataset": "toy10", "data": self.tables,
            "accuracy": "table", "output": self.runs, "rounds": 2, "per_niche": 3,
        }  # fmt: skip
        return SearchConfig(**(values | changes))


def _tables(folder: Path) -> None:
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    texts = [SPACE.format(SPACE.at(index)) for index in range(SPACE.size)]
    columns = {
        "costs": {"toy10__toy_latency": rng.uniform(1, 9, len(texts))},
        "accuracies": {
            "toy10_val_acc_9": rng.uniform(20, 90, len(texts)),
            "toy10_test_acc_9": rng.uniform(20, 90, len(texts)),
        },
    }
    for name, values in columns.items():
        parquet.write_table(pa.table({"arch_str": texts} | values), folder / f"{name}.parquet")


def labels() -> str:
    """A file of labels for few-shot."""
    rows = [f"{SPACE.format(SPACE.at(5 * i))},{20 + 1.5 * i:.2f}" for i in range(14)]
    return "architecture,accuracy\n" + "\n".join(rows) + "\n"


def image(kind: str, seed: int = 0) -> bytes:
    """A picture in one of Pillow's formats."""
    pixels = np.random.default_rng(seed).integers(0, 255, (12, 10, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def npz(rng: random.Random) -> bytes:
    """Images and labels in arrays."""
    random_ = np.random.default_rng(rng.getrandbits(32))
    shape = rng.choice(((6, 8, 8), (6, 8, 8, 3), (6, 3, 8, 8)))
    kind = rng.choice((np.uint8, np.float32))
    images = random_.integers(0, 255, shape).astype(kind)
    buffer = io.BytesIO()
    save = rng.choice((np.savez, np.savez_compressed))
    save(buffer, images=images, labels=np.arange(6) % 3)
    return buffer.getvalue()


def picture_table(rng: random.Random) -> bytes:
    """Encoded images in a Parquet file."""
    rows = {
        "image": [image("PNG", n) for n in range(8)],
        "label": [n % 2 for n in range(8)],
        "class_name": ["cat" if n % 2 else "dog" for n in range(8)],
        "split": ["train" if n < 6 else "test" for n in range(8)],
    }
    buffer = io.BytesIO()
    packing = rng.choice(("none", "zstd", "snappy", "gzip"))
    parquet.write_table(
        pa.table(rows), buffer, compression=packing, use_dictionary=rng.random() < 0.5
    )
    return buffer.getvalue()


def answers() -> dict[str, Any]:
    """A valid answer of each agent."""
    cells = [SPACE.format(SPACE.at(9 * i)) for i in range(3)]
    rule = {
        "text": "Convolutions help.", "predicate": "nor_conv_3x3 >= 1", "metric": "accuracy",
        "polarity": "helps", "effect": 0.5, "everywhere": True,
    }  # fmt: skip
    design = {"operation": "sample", "parents": ["r0n0c0"], "rationale": "It is fast."}
    return {
        "PlanAnswer": {"niches": [{"niche": 0, "designs": 5, "focus": "be fast"}]},
        "DesignAnswer": {"designs": [design | {"architecture": cell} for cell in cells]},
        "ReflectAnswer": {"rules": [rule]},
    }


def prose(answer: Any, rng: random.Random) -> str:
    """An answer as models write it."""
    text = json.dumps(answer)
    return rng.choice((text, f"Sure!\n```json\n{text}\n```\nDone.", f"<think>{text}</think>{text}"))
