"""From a row of the database to a record: the one place that detects damaged rows.

A flipped bit on a disk, or another program's hand, may leave text where a number belongs,
or half of a JSON text. Nothing beyond this point meets such values.
"""

import types
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache, wraps
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar, Union, get_args, get_origin
from typing import get_type_hints as hints_of

from pelnas.errors import RunError, UnreadableError
from pelnas.inputs.formats import parse_json

P = ParamSpec("P")
R = TypeVar("R")
Source = TypeVar("Source")

_DAMAGED = (UnreadableError, ValueError, TypeError, KeyError, IndexError, AttributeError)


def decodes(
    decode: Callable[Concatenate[Source, P], R],
) -> Callable[Concatenate[Source, P], R]:
    """A function from a row to a record, whose fields are then of the types that they declare.

    RunError: the row is damaged.
    """

    @wraps(decode)
    def decoded(source: Source, /, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return checked(decode(source, *args, **kwargs))
        except _DAMAGED as error:
            raise RunError(
                f"expected a sound record in the run's store, found a damaged one"
                f" ({str(error)[:120] or type(error).__name__}): see what `pelnas verify` says of the"
                " run, or restore its folder from a copy"
            ) from error

    return decoded


def json_of(text: Any) -> Any:
    """The value of a column of JSON. UnreadableError: it is none."""
    if not isinstance(text, str):
        raise UnreadableError(f"no text but {type(text).__name__}")
    return parse_json(text, strict=False)


def checked(record: R) -> R:
    """The record, once each field is of its declared type. TypeError: one is not."""
    if is_dataclass(record):
        for name, allowed in _types(_kind(record)).items():
            value = getattr(record, name)
            if not isinstance(value, allowed):
                raise TypeError(f"{name} is {type(value).__name__}")
    return record


def _kind(record: object) -> Any:
    return type(record)


@cache
def _types(kind: Any) -> dict[str, tuple[type, ...]]:
    """What ``isinstance`` can check of each field."""
    hints = hints_of(kind)
    found = {field.name: tuple(_flat(hints[field.name])) for field in fields(kind)}
    return {name: allowed for name, allowed in found.items() if object not in allowed}


def _flat(hint: Any) -> list[type]:
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return [kind for part in get_args(hint) for kind in _flat(part)]
    if origin is Literal:
        return [type(value) for value in get_args(hint)]
    if hint is float:
        return [float, int]
    if origin is not None:
        return [Mapping if origin is dict else origin]
    return [hint] if isinstance(hint, type) and hint is not Any else [object]
