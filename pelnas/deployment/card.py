"""What is known of an exported network, for people and programs."""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from pelnas.deployment.network import Built, Chosen
from pelnas.runtimes.deployed import EXPORTER, INPUT, OPSET, OUTPUT
from pelnas.store import RunStore

FORMAT = 1  # version of card.json
UNKNOWN = "not known: see where the images came from"
LICENCES = {  # of images that come with a package
    "digits": "CC BY 4.0 (Optical Recognition of Handwritten Digits, UCI)",
}


def card(
    store: RunStore, choice: Chosen, built: Built, measured: Mapping[str, Any], difference: float
) -> dict[str, Any]:
    """The content of card.json. Latencies in ms, accuracies in percent unless a unit is named."""
    import torch

    sources, shape = store.sources(), built.shape
    return {
        "format": FORMAT,
        "pelnas": version("pelnas"),
        "run": store.name,
        "id": choice.id,
        "space": store.config.space,
        "architecture": choice.text,
        "dataset": sources.dataset,
        "licence_of_data": LICENCES.get(sources.dataset, UNKNOWN),
        "input": {
            "name": INPUT,
            "shape": ["batch", *shape.pixels],
            "type": "float32",
            "preparation": built.preparation,
        },
        "output": {"name": OUTPUT, "shape": ["batch", shape.classes], "classes": built.classes},
        "weights": "trained" if choice.training else "random",
        "accuracy": _accuracy(store, choice),
        "cost": _cost(store, choice),
        "measured_here": dict(measured),
        "onnx": {"exporter": EXPORTER, "torch": torch.__version__, "opset": OPSET},
        "difference": difference,
    }


def _accuracy(store: RunStore, choice: Chosen) -> dict[str, Any]:
    sources, training = store.sources(), choice.training
    found: dict[str, Any] = {"expected": None, "trained": None}
    if choice.evaluation is not None:
        prediction = choice.evaluation.prediction
        found["expected"] = {
            "score": prediction.score,
            "uncertainty": prediction.uncertainty,
            "unit": sources.unit,
            "source": sources.accuracy,
        }
    if training is not None:
        found["trained"] = {
            "test_accuracy": training.test_accuracy,
            "validation_accuracy": training.validation_accuracy,
            "epochs": training.epochs,
            "seed": training.seed,
        }
    return found


def _cost(store: RunStore, choice: Chosen) -> dict[str, Any] | None:
    if choice.evaluation is None:
        return None
    evaluation = choice.evaluation
    return {
        "device": store.config.device,
        "source": store.sources().latency,
        "latency_ms": evaluation.cost.latency_ms,
        "energy_mj": evaluation.cost.energy_mj,
        "parameters": evaluation.parameters,
        "flops": evaluation.flops,
    }


def text(card: Mapping[str, Any]) -> str:
    """card.md: the same in words."""
    lines = [
        f"# {card['space']}: {_code(card['architecture'])}",
        "",
        f"Found by pelnas {card['pelnas']} in run {_code(card['run'])} (candidate {card['id']}).",
        "",
        "| | |",
        "|---|---|",
        *(f"| {name} | {_in_table(value)} |" for name, value in _rows(card)),
        "",
        "`model.py` builds the network with PyTorch alone; `model.onnx` is for every runtime that"
        " reads ONNX. `card.json` has all of this for programs.",
    ]
    return "\n".join(lines) + "\n"


def _rows(card: Mapping[str, Any]) -> list[tuple[str, str]]:
    here, onnx = card["measured_here"], card["onnx"]
    shape = " x ".join(map(str, card["input"]["shape"][1:]))
    rows = [
        ("input", f"{_code(card['input']['name'])}: {shape} (channels, height, width), float32"),
        ("output", f"{_code(card['output']['name'])}: {card['output']['shape'][1]} logits"),
        ("weights", _weights(card)),
        ("expected accuracy", _expected(card)),
        ("data set", f"{_code(card['dataset'])}, licence: {card['licence_of_data']}"),
        ("latency here", f"{here['latency_ms']:.4g} ms, {here['source']}"),
    ]
    cost = card["cost"]
    if cost is not None:
        latency = "not feasible" if cost["latency_ms"] is None else f"{cost['latency_ms']:.4g} ms"
        rows.insert(5, (f"latency on {_code(cost['device'])}", f"{latency}, {cost['source']}"))
        rows.append(("parameters", f"{cost['parameters']:,}"))
        rows.append(("multiply-accumulates", f"{cost['flops']:,.0f}"))
    made = f"{_code(onnx['exporter'])} of torch {onnx['torch']}, opset {onnx['opset']}"
    rows.append(("ONNX", f"{made}; logits within {card['difference']:.1g} of PyTorch's"))
    return rows


def _weights(card: Mapping[str, Any]) -> str:
    trained = card["accuracy"]["trained"]
    if trained is None:
        return "random: train the network before you use it (`pelnas train`)"
    return (
        f"trained for {trained['epochs']} epochs: {trained['test_accuracy']:.2f} % of test images"
    )


def _expected(card: Mapping[str, Any]) -> str:
    expected = card["accuracy"]["expected"]
    if expected is None:
        return "not evaluated by the search"
    return f"{expected['score']:.4g} {expected['unit']} ({expected['source']})"


def _code(value: object) -> str:
    """Text of a run in Markdown: as it is, and never as markup."""
    plain = str(value).replace("`", "'").replace("\n", " ")
    return f"`{plain}`"


def _in_table(value: str) -> str:
    return value.replace("|", "\\|")
