"""A device of what a board answered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import numpy as np

from pelnas.architecture import Shape
from pelnas.boards.manifest import RESULTS, Manifest, read_manifest
from pelnas.devices.few_shot import HeldOut
from pelnas.devices.partial import FEWEST, PartialDevice
from pelnas.errors import DataError, UnreadableError
from pelnas.importing.found import Meaning
from pelnas.importing.keep import INFEASIBLE, digest_of
from pelnas.importing.kept import kept, network_table
from pelnas.inputs.formats import read_csv
from pelnas.spaces import get_space
from pelnas.tables import ANY

COLUMNS = ("architecture", "sha256", "manifest", "median_ms", "runtime", "machine")


@dataclass(frozen=True, slots=True)
class Fitted:
    """``refused``: networks that the board's runtime cannot run; ``missing``: not measured yet.

    ``held_out`` is ``None`` where the whole space was measured.
    """

    device: str
    space: str
    kept: str
    measured: int
    refused: int
    missing: int
    machines: tuple[str, ...]
    held_out: HeldOut | None


def fit_board(results: Path, name: str, folder: Path, shape: Shape) -> Fitted:
    """Keep the results as a table of device ``name`` in ``folder``, and say how well it predicts.

    DataError: results of other files than the manifest's, too few of them, values that are no
    latencies, or a device of that name in another table.
    """
    manifest = read_manifest(results.parent)
    rows = _rows(results, manifest)
    latencies = {row["architecture"]: _latency(row, results) for row in rows}
    if len(latencies) < len(rows):
        raise DataError(
            f"expected each network once in {results}, found {len(rows) - len(latencies)} rows that"
            " name one again: remove them"
        )
    feasible = sum(value > 0 for value in latencies.values())
    if feasible < FEWEST:
        raise DataError(
            f"expected at least {FEWEST} measured networks in {results}, found {feasible}: let"
            " measure.py go on"
        )
    space = get_space(manifest.space)
    column = {Meaning("latency", ANY, name): np.array(list(latencies.values()))}
    source = results.name, digest_of(results)
    table = network_table(name, list(latencies), column, space, source)
    with kept(folder, [table]) as targets:  # until it is a device
        device = PartialDevice(folder, ANY, name, space, shape)
    return Fitted(
        device=name,
        space=space.name,
        kept=str(targets[0]),
        measured=feasible,
        refused=len(latencies) - feasible,
        missing=len(manifest.networks) - len(latencies),
        machines=tuple(dict.fromkeys(f"{row['machine']}, {row['runtime']}" for row in rows)),
        held_out=device.held_out if len(latencies) < space.size else None,
    )


def _rows(results: Path, manifest: Manifest) -> Sequence[Mapping[str, str]]:
    """DataError: rows of other files."""
    try:
        rows = read_csv(results, COLUMNS)
    except UnreadableError as error:
        raise DataError(
            f"expected the {RESULTS} of measure.py at {results}, found: {error}; copy it again"
        ) from None
    known = {network.sha256: network.architecture for network in manifest.networks}
    strange = [
        row
        for row in rows
        if row["manifest"] != manifest.sha256 or known.get(row["sha256"]) != row["architecture"]
    ]
    if strange:
        raise DataError(
            f"expected results of the files that the manifest beside {results} names, found"
            f" {len(strange)} rows of other files: put each {RESULTS} beside its own manifest"
        )
    return rows


def _latency(row: Mapping[str, str], results: Path) -> float:
    try:
        value = float(row["median_ms"])
        if isfinite(value) and (value > 0 or value == INFEASIBLE):
            return value
    except ValueError:
        pass
    raise DataError(
        f"expected milliseconds above 0, or -1, in column median_ms of {results}, found"
        f" {row['median_ms'][:20]!r}: correct that row, or remove it and run measure.py again"
    )
