"""Pickles as data: containers, text, numbers and numpy arrays, and nothing that is called.

A pickle is a program for a machine that may call anything that can be imported. This reader is
a machine that calls nothing: it goes through the instructions (by ``pickletools``, which only
reads them) and carries out those that put data together. A reference to a name is kept as a
name; the few that numpy writes are understood here, without numpy being asked. Every other
name and instruction is refused. Bounded are bytes, instructions, depth and array sizes.
"""

import pickletools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pelnas.errors import UnreadableError
from pelnas.inputs.formats import DEEPEST, LARGEST_INTEGER, MEBIBYTE, read_bytes

LARGEST = 1024 * MEBIBYTE  # bytes of a pickle
MOST_INSTRUCTIONS = 50_000_000
KINDS = frozenset("?bBhHiIlLqQefd") | {
    f"{letter}{size}" for letter in "iuf" for size in (1, 2, 4, 8)
} - {"f1"}  # numpy's codes of plain numbers, as dtypes are written
KINDS |= {"b1"}

_ARRAY, _KIND, _SCALAR, _REBUILD = "array", "kind", "scalar", "rebuild"
_BUFFER, _ENCODE, _ORDERED, _EMPTY = "buffer", "encode", "ordered", "empty"
#: The names that numpy's and Python's own containers are written with, and what each stands for.
NAMES = {
    ("numpy", "ndarray"): _ARRAY,
    ("numpy", "dtype"): _KIND,
    ("_codecs", "encode"): _ENCODE,
    ("collections", "OrderedDict"): _ORDERED,
    ("__builtin__", "bytes"): _EMPTY,
    ("builtins", "bytes"): _EMPTY,
} | {
    (f"numpy.{core}.{module}", name): meaning
    for core in ("core", "_core")
    for module, name, meaning in (
        ("multiarray", "_reconstruct", _REBUILD),
        ("multiarray", "scalar", _SCALAR),
        ("numeric", "_frombuffer", _BUFFER),
    )
}


@dataclass(eq=False, slots=True)
class Array:
    """A numpy array of numbers that stood in a pickle; ``values`` once it is complete."""

    values: NDArray[Any] | None = None


@dataclass(eq=False, slots=True)
class _Kind:
    """The type of an array's numbers."""

    code: str
    order: Literal["<", ">"] = "<"

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(self.code).newbyteorder(self.order)


@dataclass(frozen=True, slots=True)
class _Name:
    meaning: str


_MARK = object()


def read_pickle(path: Path, limit: int = LARGEST) -> Any:
    """What a pickle holds: dicts, lists, tuples, text, numbers, ``Array``. Nothing of it is run.

    UnreadableError: another kind of file, a damaged one, one that would call or import
    anything, or one beyond the bounds.
    """
    return parse_pickle(read_bytes(path, limit))


def parse_pickle(content: bytes) -> Any:
    """As ``read_pickle``."""
    machine = _Machine()
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(content)):
            if count > MOST_INSTRUCTIONS:
                raise UnreadableError(f"more than {MOST_INSTRUCTIONS} instructions")
            machine.step(opcode.name, argument)
        found = machine.result
    except UnreadableError:
        raise
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError,
            MemoryError, RecursionError) as error:  # fmt: skip
        said = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise UnreadableError(f"no pickle of plain data ({said})") from None
    _check_depth(found)
    return found


@dataclass(eq=False, slots=True)
class _Machine:
    stack: list[Any] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)

    @property
    def result(self) -> Any:
        (found,) = self.stack
        return found

    def step(self, name: str, argument: Any) -> None:
        if name in _CONSTANTS:
            self.stack.append(_plain(_CONSTANTS[name](argument)))
        elif name in _STEPS:
            _STEPS[name](self, argument)
        elif name not in _IGNORED:
            raise UnreadableError(f"a pickle with the instruction {name}, which plain data lacks")

    def pop_mark(self) -> list[Any]:
        """What stands above the last mark, which goes with it."""
        place = len(self.stack) - 1
        while place >= 0 and self.stack[place] is not _MARK:
            place -= 1
        if place < 0:
            raise UnreadableError("no pickle of plain data (an end without a beginning)")
        found = self.stack[place + 1 :]
        del self.stack[place:]
        return found


def _plain(value: Any) -> Any:
    if isinstance(value, int) and abs(value) > LARGEST_INTEGER:
        raise UnreadableError("a whole number of more than 64 bits")
    return value


# -- data that stands in the instruction ---------------------------------------------

_AS_IT_IS = (
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT",
    "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES",
    "BINBYTES8", "BYTEARRAY8", "STRING", "BINSTRING", "SHORT_BINSTRING",
)  # fmt: skip
_CONSTANTS: dict[str, Callable[[Any], Any]] = dict.fromkeys(_AS_IT_IS, lambda argument: argument)
_CONSTANTS |= {
    "NONE": lambda _: None,
    "NEWTRUE": lambda _: True,
    "NEWFALSE": lambda _: False,
    "EMPTY_LIST": lambda _: [],
    "EMPTY_DICT": lambda _: {},
    "EMPTY_TUPLE": lambda _: (),
    "MARK": lambda _: _MARK,
}
_IGNORED = ("PROTO", "FRAME", "STOP")


# -- putting data together -------------------------------------------------------------


def _append(machine: _Machine, _: Any) -> None:
    value = machine.stack.pop()
    _list(machine.stack[-1]).append(value)


def _appends(machine: _Machine, _: Any) -> None:
    values = machine.pop_mark()
    _list(machine.stack[-1]).extend(values)


def _set_item(machine: _Machine, _: Any) -> None:
    value, key = machine.stack.pop(), machine.stack.pop()
    _fill(machine.stack[-1], [key, value])


def _set_items(machine: _Machine, _: Any) -> None:
    pairs = machine.pop_mark()
    _fill(machine.stack[-1], pairs)


def _fill(target: Any, pairs: list[Any]) -> None:
    if not isinstance(target, dict) or len(pairs) % 2:
        raise UnreadableError("a pickle that puts items into what is no dict")
    for key, value in zip(pairs[::2], pairs[1::2], strict=True):
        if not isinstance(key, str | int | float | None):
            raise UnreadableError("a dict whose keys are neither text nor numbers")
        target[key] = value


def _list(target: Any) -> list[Any]:
    if not isinstance(target, list):
        raise UnreadableError("a pickle that appends to what is no list")
    return target


def _marked(make: Callable[[list[Any]], Any]) -> "Callable[[_Machine, Any], None]":
    def step(machine: _Machine, _: Any) -> None:
        machine.stack.append(make(machine.pop_mark()))

    return step


def _dict(pairs: list[Any]) -> dict[Any, Any]:
    made: dict[Any, Any] = {}
    _fill(made, pairs)
    return made


def _tuple_of(count: int) -> "Callable[[_Machine, Any], None]":
    def step(machine: _Machine, _: Any) -> None:
        if len(machine.stack) < count:
            raise UnreadableError("a pickle that takes more than there is")
        made = tuple(machine.stack[-count:])
        del machine.stack[-count:]
        machine.stack.append(made)

    return step


def _put(machine: _Machine, place: Any) -> None:
    machine.memo[int(place)] = machine.stack[-1]


def _memoize(machine: _Machine, _: Any) -> None:
    machine.memo[len(machine.memo)] = machine.stack[-1]


def _get(machine: _Machine, place: Any) -> None:
    machine.stack.append(machine.memo[int(place)])


def _pop(machine: _Machine, _: Any) -> None:
    machine.stack.pop()


# -- names ------------------------------------------------------------------------------


def _global(machine: _Machine, argument: Any) -> None:
    module, _, name = str(argument).partition(" ")
    machine.stack.append(_named(module, name))


def _stack_global(machine: _Machine, _: Any) -> None:
    name, module = machine.stack.pop(), machine.stack.pop()
    machine.stack.append(_named(module, name))


def _named(module: Any, name: Any) -> _Name:
    if not isinstance(module, str) or not isinstance(name, str) or (module, name) not in NAMES:
        raise UnreadableError(f"a pickle that would call {str(module)[:60]}.{str(name)[:60]}")
    return _Name(NAMES[module, name])


def _reduce(machine: _Machine, _: Any) -> None:
    arguments, name = machine.stack.pop(), machine.stack.pop()
    if not isinstance(name, _Name) or not isinstance(arguments, tuple) or name.meaning not in _MADE:
        raise UnreadableError("a pickle that would call what is no name")
    machine.stack.append(_MADE[name.meaning](*arguments))


def _build(machine: _Machine, _: Any) -> None:
    state, target = machine.stack.pop(), machine.stack[-1]
    if isinstance(target, Array) and target.values is None:
        _, shape, kind, by_column, content = state
        target.values = _array(content, kind, shape, "F" if by_column else "C")
    elif isinstance(target, _Kind):
        target.order = ">" if state[1] == ">" else "<"  # numpy writes nothing else of numbers
    else:
        raise UnreadableError("a pickle that sets the state of an object")


def _array(content: Any, kind: Any, shape: Any, order: Any) -> NDArray[Any]:
    if not isinstance(content, bytes | bytearray) or not isinstance(kind, _Kind):
        raise UnreadableError("an array of what are no plain numbers")
    if not all(isinstance(side, int) and 0 <= side <= len(content) for side in shape):
        raise UnreadableError(f"an array of the shape {str(shape)[:60]} in {len(content)} bytes")
    flat = np.frombuffer(bytes(content), kind.dtype)
    return flat.reshape(tuple(shape), order="F" if order == "F" else "C")


def _made_kind(code: Any, *_: Any) -> _Kind:
    if code not in KINDS:
        raise UnreadableError(
            f"an array of the type {str(code)[:20]!r}, which are no plain numbers"
        )
    return _Kind(code)


def _made_array(owner: Any, shape: Any, _: Any) -> Array:
    if owner != _Name(_ARRAY) or shape != (0,):
        raise UnreadableError("an array that is made in another way than numpy writes it")
    return Array()


def _made_scalar(kind: Any, content: Any) -> float | int | bool:
    found: float | int | bool = _array(content, kind, (1,), "C")[0].item()
    return found


def _made_bytes(text: Any, coding: Any) -> bytes:
    if not isinstance(text, str) or coding != "latin1":
        raise UnreadableError("text in another coding than pickles use")
    return text.encode("latin1")


def _made_ordered(*pairs: Any) -> dict[Any, Any]:
    return _dict([part for pair in (pairs[0] if pairs else ()) for part in pair])


_MADE: dict[str, Callable[..., Any]] = {
    _KIND: _made_kind,
    _REBUILD: _made_array,
    _SCALAR: _made_scalar,
    _BUFFER: lambda content, kind, shape, order: Array(_array(content, kind, shape, order)),
    _ENCODE: _made_bytes,
    _ORDERED: _made_ordered,
    _EMPTY: lambda: b"",
}
_STEPS: dict[str, Callable[[_Machine, Any], None]] = {
    "APPEND": _append,
    "APPENDS": _appends,
    "SETITEM": _set_item,
    "SETITEMS": _set_items,
    "LIST": _marked(list),
    "TUPLE": _marked(tuple),
    "DICT": _marked(_dict),
    "TUPLE1": _tuple_of(1),
    "TUPLE2": _tuple_of(2),
    "TUPLE3": _tuple_of(3),
    "PUT": _put,
    "BINPUT": _put,
    "LONG_BINPUT": _put,
    "MEMOIZE": _memoize,
    "GET": _get,
    "BINGET": _get,
    "LONG_BINGET": _get,
    "POP": _pop,
    "GLOBAL": _global,
    "STACK_GLOBAL": _stack_global,
    "REDUCE": _reduce,
    "BUILD": _build,
}


def _check_depth(document: Any) -> None:
    """UnreadableError: deeper than ``DEEPEST``, or inside itself; each container is seen once."""
    level, seen = [document], set[int]()
    for _ in range(DEEPEST):
        parts: list[Any] = []
        for value in level:
            if isinstance(value, dict | list | tuple) and id(value) not in seen:
                seen.add(id(value))
                parts.extend(value.values() if isinstance(value, dict) else value)
            elif isinstance(value, _Name | _Kind):
                raise UnreadableError("a pickle of names instead of data")
        if not parts:
            return
        level = parts
    raise UnreadableError(f"more than {DEEPEST} levels inside each other")
