"""The valid inputs that are made wrong: tables, images, labels, and a small run with all it writes."""

import hashlib
import io
import json
import pickle
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mutations
import numpy as np
import pyarrow as pa
from PIL import Image
from pyarrow import parquet

from pelnas import Search, SearchConfig
from pelnas.graph.session.steering_client import SteeringClient
from pelnas.importing.hwnasbench import DATASETS, _keys
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


Drawn = tuple[str, bytes]  # the name of a file, and what is in it
TEXTS = [SPACE.format(SPACE.at(index)) for index in range(SPACE.size)]


def _changed(rng: random.Random | None, name: str, text: str) -> Drawn:
    """A file of text with faults; without ``rng`` none."""
    if rng is None:
        return name, text.encode()
    content = mutations.text(rng, text).encode("utf-8", "replace")
    return name, mutations.data(rng, content) if rng.random() < 0.2 else content


def csv_table(rng: random.Random | None) -> Drawn:
    """One row a network, as CSV."""
    rows = [f"{text},{1 + place / 7:.3f},{place % 9},note" for place, text in enumerate(TEXTS[:30])]
    header = "arch_str,x__pi_latency,x_val_acc_12,other"
    return _changed(rng, "table.csv", "\n".join([header, *rows]) + "\n")


def layer_table(rng: random.Random | None) -> Drawn:
    """Costs per layer."""
    rows = [
        f"phone,{layer},{operation},{1 + layer},2,toy10"
        for layer, options in enumerate(SPACE.choices)
        for operation in options
    ]
    header = "device,layer,op,delta_ms,delta_mj,dataset"
    return _changed(rng, "layers.csv", "\n".join([header, "phone,-1,c,5,6,toy10", *rows]) + "\n")


def json_table(rng: random.Random | None) -> Drawn:
    """Accuracies and costs by network, or rows."""
    table: Any = {text: {"x_val_acc_12": 50.5, "pi_latency": 2.0} for text in TEXTS[:12]}
    if rng is not None and rng.random() < 0.3:
        table = [{"arch_str": text} | values for text, values in table.items()]
    if rng is not None and rng.random() < 0.6:
        try:
            return "table.json", json.dumps(mutations.value(rng, table)).encode()
        except (ValueError, RecursionError):
            return "table.json", b"[" * 20_000
    return _changed(rng, "table.json", json.dumps(table))


def parquet_table(rng: random.Random | None) -> Drawn:
    """One row a network, as Parquet; its columns of some type."""
    values: Any = [1 + place / 7 for place in range(30)]
    if rng is not None and rng.random() < 0.4:
        values = rng.choice(
            ([str(v) for v in values], [[v] for v in values], [b"\xff"] * 30, [None] * 30,
             [{"a": v} for v in values], [True] * 30, [2**62] * 30, [float("nan")] * 30),
        )  # fmt: skip
    buffer = io.BytesIO()
    table = pa.table({"arch_str": TEXTS[:30], "x__pi_latency": values})
    parquet.write_table(table, buffer)
    content = buffer.getvalue()
    return "table.parquet", content if rng is None else _maybe(rng, content)


def _maybe(rng: random.Random, content: bytes) -> bytes:
    return mutations.data(rng, content) if rng.random() < 0.7 else content


#: Programs that pickles may be, each of which would make a file; and names of the machine's own.
HOSTILE = (
    b"cos\nsystem\n(S'touch ran'\ntR.",
    b'cbuiltins\neval\n(S\'open("ran", "w")\'\ntR.',
    b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x09touch ran\x85R.",
    b"(S'touch ran'\nios\nsystem\n.",
    b"\x80\x02c__builtin__\nexec\nq\0X\x0f\0\0\0open('ran', 'w')\x85R.",
    b"cnumpy\nload\n(S'x.npy'\ntR.",
    b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\0tc_codecs\nencode\ntR.",
    b"\x82\x01.",
    b"Pos\n.",
    b"cpathlib\nPath\n(S'ran'\ntR(S'touch'\nb.",
)


def release(rng: random.Random | None) -> Drawn:
    """HW-NAS-Bench as it is published, of some cells and all layers; or a program in its place."""
    name = "HW-NAS-Bench-v1_0.pickle"
    if rng is not None and rng.random() < 0.15:
        hostile = rng.choice(HOSTILE)
        return name, hostile if rng.random() < 0.5 else mutations.data(rng, hostile)
    table: Any = {"nasbench201": {"cifar10": _cells()}, "fbnet": {"pixel3_latency": _layers()}}
    if rng is None:
        return name, pickle.dumps(table)
    table = rng.choice((table, {"fbnet": table["fbnet"]}, {"nasbench201": table["nasbench201"]}))
    if rng.random() < 0.6:
        table = mutations.value(rng, table)
    content = pickle.dumps(table, rng.randrange(6))
    if rng.random() < 0.2:
        place = rng.randrange(len(content))
        content = content[:place] + rng.choice(HOSTILE) + content[place:]
    return name, _maybe(rng, content)


def _cells() -> dict[str, Any]:
    cells = get_space("nasbench201")
    texts = [cells.format(cells.at(place)) for place in range(12)]
    return {
        "edgegpu_latency": [2.0] * 12,
        "edgegpu_energy": np.linspace(1, 2, 12),
        "edgetpu_latency": [np.float64(-1)] * 11 + [1.5],
        "config": [{"arch_str": text, "C": 16, "N": 5, "num_classes": 10} for text in texts],
    } | {"raspi4_latency": [3] * 12}


def _layers() -> dict[str, float]:
    """A cost for every layer of FBNet on CIFAR-100."""
    fixed, layers = _keys(DATASETS["cifar100"])
    return dict.fromkeys([*fixed, *(key for layer in layers for key in layer.values())], 0.125)


def board() -> tuple[bytes, bytes]:
    """A manifest, and what a board answered to it."""
    networks = [
        {"architecture": text, "file": "x", "sha256": str(number), "pixels": [3, 8, 8]}
        for number, text in enumerate(TEXTS[::9])
    ]
    manifest = json.dumps({"version": 1, "space": "tiny", "networks": networks}).encode()
    rows = [
        f"{each['architecture']},{each['sha256']},{hashlib.sha256(manifest).hexdigest()},"
        f"{1 + number / 4},onnxruntime 1,arm"
        for number, each in enumerate(networks)
    ]
    header = "architecture,sha256,manifest,median_ms,runtime,machine"
    return manifest, ("\n".join([header, *rows]) + "\n").encode()


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
