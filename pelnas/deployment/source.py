"""A network as a Python file of its own, which needs PyTorch and nothing else.

The network is traced by ``torch.fx``; each module becomes the call that makes it, and each
step of the forward pass a line. Names of parameters are those of the traced network, so
that its weights load.
"""

import inspect
import operator
from collections.abc import Callable, Mapping
from keyword import iskeyword
from typing import Any

import torch
from torch import fx, nn

from pelnas.architecture import Shape
from pelnas.errors import DeviceError

INDENT = "    "
_HEAD = '''"""{title}

Written by pelnas; it needs PyTorch alone.

    network = load("weights.pt")  # without a file: random weights
    logits = network(images)      # images (batch, {pixels}), logits (batch, {classes})
"""

import torch
from torch import nn

ARCHITECTURE = {architecture!r}
INPUT = {input}  # channels, height, width
CLASSES = {classes}


class Part(nn.Module):
    """Modules and parameters by name; ``Network.forward`` says how they are used."""

    def __init__(self, **parts):
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, part)


class Network(nn.Module):
    """Images (batch, {pixels}) to logits (batch, {classes})."""

    def __init__(self):
        super().__init__()
{parts}

    def forward(self, {images}):
{steps}


def load(weights=None):
    """The network, ready to classify; with the weights of a file, or random ones."""
    network = Network()
    if weights is not None:
        network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    return network.eval()
'''
_INFIX: Mapping[Callable[..., Any], str] = {
    operator.add: "+",
    operator.sub: "-",
    operator.mul: "*",
    operator.truediv: "/",
    operator.floordiv: "//",
    operator.matmul: "@",
}
#: Where functions live that name no module of their own.
_BUILT_IN = {"torch._C._nn": "nn.functional", "torch.nn.functional": "nn.functional"}


def source(network: nn.Module, title: str, architecture: str, shape: Shape) -> str:
    """The text of the file. ``title``: its first line.

    DeviceError: the network's forward pass depends on the values of its images, or has a
    module or a step that cannot be written down.
    """
    try:
        graph = fx.GraphModule(network, _Tracer().trace(network)).graph
    except (fx.proxy.TraceError, TypeError) as error:
        raise _unwritable(f"a forward pass that is not the same for all images ({error})") from None
    graph.eliminate_dead_code()
    images = next(node.name for node in graph.nodes if node.op == "placeholder")
    parts = [_held(name, text) for name, text in _parts(network, 2)]
    steps = [_step(node) for node in graph.nodes if node.op != "placeholder"]
    return _HEAD.format(
        title=_sentence(title),
        architecture=architecture,
        input=shape.pixels,
        pixels=", ".join(map(str, shape.pixels)),
        classes=shape.classes,
        images=images,
        parts="\n".join(2 * INDENT + line for line in parts),
        steps="\n".join(2 * INDENT + line for line in steps),
    )


def _sentence(text: str) -> str:
    """A text for the first line of a docstring; nothing in it ends it."""
    shown = "".join(letter if letter.isprintable() else " " for letter in text)
    return shown.replace("\\", "/").replace('"', "'")


def _unwritable(found: str) -> DeviceError:
    return DeviceError(
        f"expected a network that can be written as a file of its own, found {found[:200]}:"
        " change build() of its search space"
    )


class _Tracer(fx.Tracer):
    """Modules of torch, and sequences of nothing else, stay whole."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return _is_torch(m)


def _is_torch(module: nn.Module) -> bool:
    return all(type(each).__module__.startswith("torch.nn.") for each in module.modules())


# -- modules --------------------------------------------------------------------------------


def _parts(module: nn.Module, depth: int) -> list[tuple[str, str]]:
    """Name and expression of all that a module of a search space holds itself."""
    if any(True for _ in module.buffers(recurse=False)):
        raise _unwritable(f"buffers of {type(module).__name__}, which has to register parameters")
    parts = [
        (name, _tensor(parameter)) for name, parameter in module.named_parameters(recurse=False)
    ]
    parts += [(name, _module(child, depth)) for name, child in module.named_children()]
    for name, _ in parts:
        if not (name.isdecimal() or name.isidentifier()) or iskeyword(name):
            raise _unwritable(f"a module called {name!r}")
    return parts


def _held(name: str, text: str) -> str:
    """The line by which the network gets a part; those of a sequence have numbers for names."""
    return f'self.add_module("{name}", {text})' if name.isdecimal() else f"self.{name} = {text}"


def _tensor(parameter: nn.Parameter) -> str:
    return f"nn.Parameter(torch.zeros({', '.join(map(str, parameter.shape))}))"


def _module(module: nn.Module, depth: int) -> str:
    """The call that makes a module like this one."""
    if isinstance(module, nn.Sequential | nn.ModuleList):
        children = [_module(child, depth + 1) for child in module]
        listed = isinstance(module, nn.ModuleList)
        return _call(f"nn.{type(module).__name__}", children, depth, "[]" if listed else "")
    if _is_torch(module):
        return f"nn.{type(module).__name__}({', '.join(_arguments(module))})"
    parts = [f"{name}={text}" for name, text in _parts(module, depth + 1)]
    if any(part[0].isdecimal() for part in parts):
        raise _unwritable(f"numbers as names of modules in {type(module).__name__}")
    return _call("Part", parts, depth)


def _call(name: str, arguments: list[str], depth: int, brackets: str = "") -> str:
    opening, closing = brackets[:1], brackets[1:]
    if not arguments:
        return f"{name}({opening}{closing})"
    inner, outer = INDENT * (depth + 1), INDENT * depth
    lines = "".join(f"{inner}{argument},\n" for argument in arguments)
    return f"{name}({opening}\n{lines}{outer}{closing})"


def _arguments(module: nn.Module) -> list[str]:
    """What a module of torch was made with, as far as it differs from the defaults.

    Its ``repr`` leaves some out, such as ``count_include_pad`` of an average pooling.
    """
    found = []
    for name, parameter in inspect.signature(type(module)).parameters.items():
        if name in ("device", "dtype") or not hasattr(module, name):
            continue
        value = _collapsed(getattr(module, name))
        if name == "bias":  # asked for as yes or no, and held as a tensor
            value = value is not None and value is not False
        if parameter.default is parameter.empty:
            found.append(_value(value))
        elif value != parameter.default:
            found.append(f"{name}={_value(value)}")
    return found


def _collapsed(value: Any) -> Any:
    """``3`` for ``(3, 3)``, as convolutions keep it."""
    several = isinstance(value, tuple) and len(value) > 1
    return value[0] if several and len(set(value)) == 1 else value


# -- steps ----------------------------------------------------------------------------------


def _step(node: fx.Node) -> str:
    """One line of the forward pass."""
    if node.op == "output":
        return f"return {_value(node.args[0])}"
    return f"{node.name} = {_result(node)}"


def _result(node: fx.Node) -> str:
    target = node.target
    if node.op == "get_attr":
        return _path(str(target))
    if node.op == "call_module":
        return f"{_path(str(target))}({_given(node.args, node.kwargs)})"
    if node.op == "call_method":
        itself, *rest = node.args
        return f"{_value(itself)}.{target}({_given(rest, node.kwargs)})"
    return _function(target, node)


def _function(function: Any, node: fx.Node) -> str:
    if function in _INFIX:
        left, right = map(_value, node.args)
        return f"{left} {_INFIX[function]} {right}"
    if function is operator.getitem:
        whole, index = node.args
        return f"{_value(whole)}[{_index(index)}]"
    if function is getattr:
        return f"{_value(node.args[0])}.{node.args[1]}"
    home = str(getattr(function, "__module__", None) or "torch")
    home = _BUILT_IN.get(home, "torch" if home.startswith("torch._") else home)
    name = str(getattr(function, "__name__", ""))
    if home not in ("torch", "nn.functional") or not name.isidentifier():
        raise _unwritable(f"a call of {home}.{name}")
    return f"{home}.{name}({_given(node.args, node.kwargs)})"


def _path(target: str) -> str:
    first, *parts = target.split(".")
    start = f'self.get_submodule("{first}")' if first.isdecimal() else f"self.{first}"
    return start + "".join(f"[{part}]" if part.isdecimal() else f".{part}" for part in parts)


def _given(arguments: Any, keywords: Mapping[str, Any]) -> str:
    named = (f"{name}={_value(value)}" for name, value in keywords.items())
    return ", ".join([*map(_value, arguments), *named])


def _index(index: Any) -> str:
    if isinstance(index, tuple):
        return ", ".join(map(_index, index))
    if isinstance(index, slice):
        ends = ["" if end is None else _value(end) for end in (index.start, index.stop)]
        return ":".join(ends if index.step is None else [*ends, _value(index.step)])
    return "..." if index is Ellipsis else _value(index)


def _value(value: Any) -> str:
    """An argument as Python writes it."""
    if isinstance(value, fx.Node):
        return value.name
    if isinstance(value, tuple | list):
        inside = ", ".join(map(_value, value))
        if isinstance(value, list):
            return f"[{inside}]"
        return f"({inside},)" if len(value) == 1 else f"({inside})"
    if value is None or isinstance(value, bool | int | float | str | torch.dtype):
        return str(value) if isinstance(value, torch.dtype) else repr(value)
    raise _unwritable(f"a constant of type {type(value).__name__}")
