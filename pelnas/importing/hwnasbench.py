"""The official release of HW-NAS-Bench: costs of NAS-Bench-201's cells, and of FBNet's layers.

Source: Li et al., "HW-NAS-Bench: Hardware-Aware Neural Architecture Search Benchmark", ICLR
2021. Its FBNet part names what a layer does by the size of its input, its channels and its
operation; a network costs the sum of its layers, of the convolutions before and after them,
of pooling and of the classifier.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from pelnas.devices.layered import LayerCosts, LayerTable
from pelnas.errors import UnreadableError
from pelnas.importing.found import Floats, Meaning, Rows
from pelnas.inputs.pickles import Array, read_pickle
from pelnas.spaces.fbnet import OPERATIONS, PLACES, STEM, Operation, Place

METRICS = ("latency", "energy")


@dataclass(frozen=True, slots=True)
class Images:
    """What HW-NAS-Bench's FBNet is on a data set. ``head``: channels of the last convolution."""

    pixels: int
    small: bool
    head: int
    classes: int


DATASETS = {"cifar100": Images(32, True, 1504, 100), "ImageNet": Images(224, False, 1984, 1000)}


@dataclass(frozen=True, eq=False, slots=True)
class Release:
    """``cells`` of NAS-Bench-201, costs per layer of FBNet, and names of what was left out."""

    cells: Rows | None
    layers: tuple[LayerTable, ...]
    left: tuple[str, ...]


def read_release(path: Path) -> Release:
    """``HW-NAS-Bench-v1_0.pickle``. UnreadableError: another file, a damaged one."""
    found = read_pickle(path)
    if not isinstance(found, dict) or not {"nasbench201", "fbnet"} & set(found):
        raise UnreadableError(
            "no dict with the keys nasbench201 and fbnet, as HW-NAS-Bench v1.0 has them"
        )
    left: set[str] = set()
    cells = _cells(found["nasbench201"], left) if "nasbench201" in found else None
    layers = _layers(found["fbnet"], path, left) if "fbnet" in found else ()
    return Release(cells, layers, tuple(sorted(left)))


# -- NAS-Bench-201 ---------------------------------------------------------------------


def _cells(parts: Any, left: set[str]) -> Rows:
    """Costs of every cell on every data set; names that are not understood go to ``left``."""
    if not isinstance(parts, dict) or not parts:
        raise UnreadableError("no dict of data sets under nasbench201")
    columns: dict[Meaning, Floats] = {}
    texts: tuple[str, ...] = ()
    for dataset, metrics in parts.items():
        own = _cell_texts(dataset, metrics)
        if texts and own != texts:
            raise UnreadableError(
                f"other cells on {_short(dataset)} than on the data sets before it"
            )
        texts = own
        for name, values in metrics.items():
            device, metric = _device_and_metric(name)
            if metric in METRICS and device:
                meaning = Meaning(metric, str(dataset), device)
                columns[meaning] = _numbers(values, f"{name} of {dataset}", len(texts))
            elif name != "config":
                left.add(_short(name))
    return Rows(texts, columns)


def _device_and_metric(name: Any) -> tuple[str, str]:
    device, _, metric = str(name).rpartition("_")
    return device, metric


def _short(name: Any) -> str:
    return str(name)[:40]


def _cell_texts(dataset: Any, metrics: Any) -> tuple[str, ...]:
    config = metrics.get("config") if isinstance(metrics, dict) else None
    if not isinstance(config, list) or not all(isinstance(each, dict) for each in config):
        raise UnreadableError(f"no list config of dicts for {_short(dataset)}")
    texts = tuple(each.get("arch_str") for each in config)
    if not all(isinstance(text, str) for text in texts):
        raise UnreadableError(f"a config of {_short(dataset)} without arch_str")
    return tuple(str(text) for text in texts)


def _numbers(values: Any, what: str, count: int) -> Floats:
    plain = values.values if isinstance(values, Array) else values
    if not isinstance(plain, list | tuple | np.ndarray) or len(plain) != count:
        raise UnreadableError(f"no {count} numbers in {what[:60]}")
    try:
        found = np.asarray(plain, dtype=np.float64)
    except (TypeError, ValueError):
        raise UnreadableError(f"what is no number in {what[:60]}") from None
    if found.ndim != 1:
        raise UnreadableError(f"no plain list of numbers in {what[:60]}")
    return found


# -- FBNet -----------------------------------------------------------------------------


def _layers(metrics: Any, path: Path, left: set[str]) -> tuple[LayerTable, ...]:
    """A table of each device with latencies, for each data set whose layers are there."""
    if not isinstance(metrics, dict):
        raise UnreadableError("no dict of costs under fbnet")
    by_device: dict[str, dict[str, Mapping[Any, Any]]] = {}
    for name, costs in metrics.items():
        device, metric = _device_and_metric(name)
        if metric not in METRICS or not device:
            left.add(f"fbnet {_short(name)}")
        elif not isinstance(costs, dict):
            raise UnreadableError(f"no dict of layers in {_short(name)} of fbnet")
        else:
            by_device.setdefault(device, {})[metric] = costs
    found = []
    for device, known in by_device.items():
        tables = list(_tables(device, known, path)) if "latency" in known else []
        left |= set() if tables else {f"fbnet {_short(device)}_{metric}" for metric in known}
        found += tables
    return tuple(found)


def _tables(
    device: str, known: Mapping[str, Mapping[Any, Any]], path: Path
) -> Iterator[LayerTable]:
    for dataset, images in DATASETS.items():
        latency = _summed(known["latency"], images, f"{device}_latency")
        if latency is not None:
            energy = _summed(known.get("energy", {}), images, f"{device}_energy")
            yield LayerTable(path, device, latency, energy, dataset)


def _summed(costs: Mapping[Any, Any], images: Images, what: str) -> LayerCosts | None:
    """Costs by layer and operation; ``None`` where none of them is there. UnreadableError: some."""
    fixed, layers = _keys(images)
    every = [*fixed, *(key for layer in layers for key in layer.values())]
    if not any(key in costs for key in every):
        return None
    values = {key: _cost(costs, key, what) for key in every}
    deltas = {
        layer: {operation: values[key] for operation, key in named.items()}
        for layer, named in enumerate(layers)
    }
    return LayerCosts(sum(values[key] for key in fixed), deltas)


def _cost(costs: Mapping[Any, Any], key: str, what: str) -> float:
    if key not in costs:
        raise UnreadableError(f"no cost {key} in {_short(what)} of fbnet")
    value = costs[key]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UnreadableError(f"what is no number at {key} in {_short(what)} of fbnet")
    if not isfinite(value) or value < 0:
        raise UnreadableError(
            f"{value:g} in place of a cost of at least 0 at {key} in {_short(what)} of fbnet"
        )
    return float(value)


def _keys(images: Images) -> tuple[Sequence[str], Sequence[Mapping[str, str]]]:
    """The keys of what every network has, and of each layer by operation."""
    stride = 1 if images.small else 2
    fixed = [_convolution(images.pixels, 3, STEM, 3, stride)]
    side = images.pixels // stride
    layers = []
    for place in PLACES:
        stride = place.small_stride if images.small else place.stride
        layers.append({each.name: _layer(side, place, stride, each) for each in OPERATIONS})
        side //= stride
    fixed += [
        _convolution(side, PLACES[-1].outputs, images.head, 1, 1),
        f"AvgP_H{side}_W{side}_Cin{images.head}_Cout{images.head}_kernel{side}_stride1",
        f"FC_Cin{images.head}_Cout{images.classes}",
    ]
    return fixed, layers


def _convolution(side: int, inputs: int, outputs: int, kernel: int, stride: int) -> str:
    channels = f"Cin{inputs}_Cout{outputs}"
    return f"ConvNorm_H{side}_W{side}_{channels}_kernel{kernel}_stride{stride}_group1"


def _layer(side: int, place: Place, stride: int, operation: Operation) -> str:
    where = f"H{side}_W{side}_Cin{place.inputs}_Cout{place.outputs}"
    if not operation.kernel:
        return f"Skip_{where}_stride{stride}"
    block = f"exp{operation.expansion}_kernel{operation.kernel}_stride{stride}"
    return f"ConvBlock_{where}_{block}_group{operation.groups}"
