"""The folder that goes to a board: networks, a manifest that names them, and a script."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pelnas.architecture import Architecture, Shape
from pelnas.boards import stand_alone
from pelnas.cache import Cache
from pelnas.devices.cost_features import CostFeatures
from pelnas.devices.few_shot import Belief
from pelnas.devices.selection import CANDIDATES, chosen
from pelnas.errors import DataError, UnreadableError
from pelnas.inputs.formats import parse_json, read_bytes
from pelnas.runtimes import litert
from pelnas.runtimes.deployed import Deployed
from pelnas.spaces import SearchSpace

MANIFEST, SCRIPT, RESULTS = "manifest.json", "measure.py", "results.csv"
NETWORKS = "networks"  # folder of the networks' files
ONNX = ".onnx"
VERSION = 1


@dataclass(frozen=True, slots=True)
class Network:
    """``pixels``: (channels, height, width) of the input of this file."""

    architecture: str
    file: str
    sha256: str
    pixels: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Manifest:
    """``sha256``: of the file that it was read from."""

    space: str
    networks: tuple[Network, ...]
    sha256: str


def informative_networks(
    space: SearchSpace, shape: Shape, count: int, seed: int
) -> list[Architecture]:
    """Networks whose latencies say most about those of all others, different ones."""
    rng = np.random.default_rng(seed)
    if space.size <= CANDIDATES:
        pool = [space.at(place) for place in range(space.size)]
    else:
        pool = list(dict.fromkeys(space.sample(rng) for _ in range(CANDIDATES)))
    pool = list(dict.fromkeys(pool))
    features = CostFeatures(space, shape)
    picked = chosen(features, Belief.usual(features), features.rows(pool), count, rng)
    return [pool[place] for place in picked]


def write_folder(
    folder: Path,
    space: SearchSpace,
    shape: Shape,
    architectures: Sequence[Architecture],
    cache: Cache,
    ending: str = ONNX,
) -> Iterator[Network]:
    """Each network as it is written; the manifest and the script come last.

    ``ending``: of the networks' files, which says what runs them: ``ONNX`` or ``litert.SUFFIX``.
    DataError: there is a manifest already, whose results others may be measuring. ConfigError,
    DeviceError: as ``litert.measurable``.
    """
    if (folder / MANIFEST).exists():
        raise DataError(
            f"expected no {MANIFEST} in {folder}, found one: measure that one, or give another folder"
        )
    (folder / NETWORKS).mkdir(parents=True, exist_ok=True)
    networks = []
    for number, architecture in enumerate(architectures):
        deployed = Deployed(space, architecture, shape)
        content = deployed.measurable(cache) if ending == ONNX else litert.measurable(deployed)
        file = f"{NETWORKS}/{number:04d}{ending}"
        (folder / file).write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        text = space.format(architecture)
        networks.append(Network(text, file, digest, deployed.input.pixels))
        yield networks[-1]
    script = read_bytes(Path(stand_alone.__file__))
    (folder / SCRIPT).write_bytes(script)
    document = {"version": VERSION, "space": space.name, "networks": list(map(asdict, networks))}
    (folder / MANIFEST).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def read_manifest(folder: Path) -> Manifest:
    """DataError: none, a damaged one, or one of another version."""
    path = folder / MANIFEST
    try:
        content = read_bytes(path)
        document = parse_json(content)
        if document["version"] != VERSION:
            raise UnreadableError(f"version {str(document['version'])[:20]} in place of {VERSION}")
        networks = tuple(_network(each) for each in document["networks"])
        space = str(document["space"])
    except (UnreadableError, KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"expected the {MANIFEST} of `pelnas device measure` beside the results at {path}, found:"
            f" {error}; copy it there"
        ) from None
    return Manifest(space, networks, hashlib.sha256(content).hexdigest())


def _network(entry: Any) -> Network:
    text, file, digest = (str(entry[name]) for name in ("architecture", "file", "sha256"))
    return Network(text, file, digest, tuple(int(each) for each in entry["pixels"]))
