"""The costs that a network can have: names for settings, rules, limits and objectives."""

from collections.abc import Mapping
from typing import Literal, get_args

CostName = Literal["latency", "energy", "parameters", "flops", "memory", "size"]
#: What a network is judged by.
Metric = Literal["accuracy", "latency", "energy", "parameters", "flops", "memory", "size"]
COSTS: tuple[CostName, ...] = get_args(CostName)

#: Of plain values, '' for counts: FLOPs are multiply-accumulates; memory is the peak of the
#: activations, size that of the weights on disk.
UNITS: Mapping[str, str] = {
    "latency": "ms",
    "energy": "mJ",
    "parameters": "",
    "flops": "",
    "memory": "B",
    "size": "B",
}
