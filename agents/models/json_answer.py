"""A model's text parsed as JSON of a schema, or what is wrong with it, in words for the model.

Reasoning is left out, then the last complete object that answers the schema counts. Broken
JSON is repaired in its punctuation only: every word stays, in its order, and the result
still has to fit the schema.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from json_repair import repair_json
from pydantic import BaseModel, ValidationError

from pelnas.agents.models.reasoning import has_marks, without_reasoning

T = TypeVar("T", bound=BaseModel)

_TOKEN = re.compile(
    r"""[{}\[\]"]|"""
    r"""(?:(?<=[{\[,:])|(?<=[{\[,:]\s))'(?:[^'\\\n]|\\.)*'(?=\s*[,:}\]])"""
)  # brackets, and where strings begin, in which brackets mean nothing
_STRING = re.compile(r'"(?:[^"\\\n]|\\.)*"')
_BEGINS = re.compile(r"""\{\s*(?:\\?["'}]|\w+\s*:)|\[\s*[{\["']""")  # JSON, not prose in brackets
_ESCAPED = re.compile(r'[{\[]\s*\\"')
_INSIDE = re.compile(r'(?:"\s*:|[\[,])\s*$')  # what stands before an object inside another
_BRACKET = re.compile(r"([{\[])|[}\]]")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|.)", re.DOTALL)
_DIGITS = re.compile(r"[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_WORD = re.compile(rf"{_DIGITS.pattern}|\w+")
_SAME = {"none": "null"}  # a word of Python and its like in JSON
_REPAIRABLE = 50_000  # characters of a broken object, and
_DEEPEST = 50  # brackets in each other: beyond, it is no answer, and takes long to repair
_NOT_TEXT = ("list_type", "dict_type", "model_type", "model_attributes_type")
_PROBLEMS = 3  # problems reported at once: a small model cannot act on more


@dataclass(frozen=True, slots=True)
class Reading(Generic[T]):
    """``answer``, or ``None`` and in ``problem`` what is wrong, in one line.

    ``repaired``: whether the text did not fit the schema as it was written.
    """

    answer: T | None
    problem: str = ""
    repaired: bool = False


def read_answer(text: str, schema: type[T]) -> tuple[T | None, str]:
    """The answer in ``text`` and "", or ``None`` and what is wrong in one line; see ``read``."""
    reading = read(text, schema)
    return reading.answer, reading.problem


def read(text: str, schema: type[T]) -> Reading[T]:
    """The answer in a text: JSON alone, in a code fence, or anywhere in prose.

    Of several objects that have a field of the schema the last one counts, whether it fits
    or not: what comes before it is a draft. One that ends too early is never completed.
    """
    whole = _validated(text.strip(), schema)
    if whole.answer is not None:
        return whole
    said = without_reasoning(text, _verbatim(text))
    if not said:
        return Reading(None, "it ends within its reasoning" if text.strip() else "it is empty")
    unquoted = _unquoted(said)
    attempt, complete = _last_attempt(unquoted, schema)
    if not complete:
        return Reading(None, "the JSON ends too early: answer shorter")
    found = _validated_or_repaired(attempt, schema) if attempt else _validated(unquoted, schema)
    return found if unquoted == said else replace(found, repaired=found.answer is not None)


def _verbatim(text: str) -> list[tuple[int, int]]:
    """The objects in a text that hold marks of reasoning in their strings."""
    if not has_marks(text):
        return []
    spans, _ = _objects(text)
    return [(start, end) for start, end in spans if has_marks(text[start:end])
            and _json(text[start:end]) is not None]  # fmt: skip


def schema_text(schema: type[BaseModel]) -> str:
    """The JSON schema on one line, for a prompt."""
    return json.dumps(schema.model_json_schema(), separators=(",", ":"), ensure_ascii=False)


def strict_schema(schema: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema as providers want it for held answers: all fields asked for, no others."""
    strict: dict[str, Any] = _strict(schema.model_json_schema())
    return strict


def _strict(node: Any) -> Any:
    if isinstance(node, list):
        return [_strict(entry) for entry in node]
    if not isinstance(node, dict):
        return node
    strict = {key: _strict(value) for key, value in node.items() if key != "default"}
    if isinstance(node.get("properties"), dict):
        fields = {name: _strict(field) for name, field in node["properties"].items()}
        strict |= {"properties": fields, "required": list(fields), "additionalProperties": False}
    return strict


def _last_attempt(text: str, schema: type[BaseModel]) -> tuple[str, bool]:
    """The last object with a field of the schema, '' for none, and whether it has an end."""
    names = "|".join(map(re.escape, schema.model_fields))
    field = re.compile(rf"""(?:["']|\b)(?:{names})\\?["']?\s*:""")
    spans, begun = _objects(text)
    found = (span for span in reversed(spans) if _is_attempt(text, *span, field, schema))
    start, end = next(found, (0, 0))
    unfinished = next((begin for begin in begun if begin >= end), None)
    if unfinished is not None and field.search(text, unfinished):
        return "", False
    return text[start:end], True


def _is_attempt(
    text: str, start: int, end: int, field: re.Pattern[str], schema: type[BaseModel]
) -> bool:
    """Whether an object has a field of the schema; the schema itself, sent back, has none."""
    if not field.search(text, start, end):
        return False
    value = _json(text[start:end])  # where it is none, it may be repaired
    return not isinstance(value, dict) or any(name in value for name in schema.model_fields)


def _json(text: str) -> Any:
    """The value; ``None`` where it is no JSON."""
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return None


def _objects(text: str) -> tuple[list[tuple[int, int]], list[int]]:
    """Where objects begin and end that are no part of another, and where some begin without an end.

    One pass, however many brackets there are. A bracket of prose that nothing closes does
    not hide what comes after it; a part of an object that was cut off is left out, since it
    must not pass for the answer.
    """
    spans: list[tuple[int, int]] = []
    open_: list[int] = []
    position = endless = 0
    while (token := _TOKEN.search(text, position)) is not None:
        position = token.end()
        kind = text[token.start()]
        if kind in "{[":
            open_.append(token.start())
        elif kind in "}]":
            _close(text, open_, "{" if kind == "}" else "[", position, spans)
        elif not open_:  # the quotes of prose need not come in pairs
            position = token.start() + 1
        elif kind == '"' and token.start() >= endless:
            string = _STRING.match(text, token.start())
            # Where one has no end in its line, no later one of that line has: they were escaped.
            position, endless = (
                (string.end(), 0) if string else (position, _line_end(text, position))
            )
    begun = [start for start in open_ if _BEGINS.match(text, start)]
    return [
        span
        for span in spans
        if not (
            begun and begun[0] < span[0] and _INSIDE.search(text, max(0, span[0] - 20), span[0])
        )
    ], begun


def _line_end(text: str, position: int) -> int:
    found = text.find("\n", position)
    return len(text) if found < 0 else found


def _close(text: str, open_: list[int], kind: str, end: int, spans: list[tuple[int, int]]) -> None:
    """Close the last open bracket, which should be of this kind; what it holds is part of it."""
    if open_ and text[open_[-1]] != kind and len(open_) > 1 and text[open_[-2]] == kind:
        open_.pop()  # one was forgotten: the repair puts it in
    if not open_ or text[open_[-1]] != kind:
        return
    start = open_.pop()
    if not _BEGINS.match(text, start):
        return
    while spans and spans[-1][0] > start:
        spans.pop()
    spans.append((start, end))


def _unquoted(text: str) -> str:
    """The text within a JSON string, or within the inside of one; any other comes back as it is."""
    for _ in range(2):
        inner = (
            _json(f'"{text}"') if _ESCAPED.match(text) else _json(text) if text[:1] == '"' else None
        )
        if not isinstance(inner, str):
            break
        text = inner.strip()
    return text


def _validated(text: str, schema: type[T]) -> Reading[T]:
    try:
        return Reading(schema.model_validate_json(text))
    except ValidationError as error:
        return Reading(None, _sentence(error))


def _validated_or_repaired(text: str, schema: type[T]) -> Reading[T]:
    found = _validated(text, schema)
    if found.answer is not None:
        return found
    value = _repaired(text)
    if value is None:
        return found
    try:
        return Reading(schema.model_validate(value), repaired=True)
    except ValidationError as error:
        problem = _sentence(error)
        _read_strings(value, error)
    try:
        return Reading(schema.model_validate(value), repaired=True)
    except ValidationError:
        return Reading(None, problem)


def _repaired(text: str) -> Any:
    """The value of a broken object; ``None`` where more than punctuation is wrong with it.

    A list of one object is that object.
    """
    value = _lenient(text)
    if value is None or _words(_ESCAPE.sub(_unescaped, text)) != _words(" ".join(_scalars(value))):
        return None
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _lenient(text: str) -> Any:
    """What a text most likely says in JSON; ``None`` where that is unclear or would take long."""
    if len(text) > _REPAIRABLE or _depth(text) > _DEEPEST:
        return None
    value = _json(text)
    if value is not None:
        return value
    try:
        return repair_json(text, return_objects=True)
    except (ValueError, RecursionError):
        return None


def _depth(text: str) -> int:
    deepest = depth = 0
    for bracket in _BRACKET.finditer(text):
        depth += 1 if bracket[1] else -1
        deepest = max(deepest, depth)
    return deepest


def _unescaped(escape: re.Match[str]) -> str:
    """What an escape in a string stands for, as far as words go."""
    return chr(int(escape[1], 16)) if escape[1] else " "


def _words(text: str) -> list[str | float]:
    """Words and numbers, equal where JSON and Python only write them in different ways."""
    return [_number(word) or _SAME.get(word.lower(), word.lower()) for word in _WORD.findall(text)]


def _number(word: str) -> str | float:
    """A number's value, '' for any other word."""
    return float(word) or "0" if _DIGITS.fullmatch(word) else ""


def _scalars(value: Any) -> Iterator[str]:
    """All that a value holds, in order, names of fields among it."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield str(name)
            yield from _scalars(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _scalars(inner)
    else:
        yield value if isinstance(value, str) else str(value)


def _read_strings(value: Any, error: ValidationError) -> None:
    """Put objects and lists in the places where they are written as JSON within strings."""
    for problem in error.errors(include_url=False):
        if problem["type"] in _NOT_TEXT and isinstance(problem["input"], str):
            *path, last = problem["loc"] or ("",)
            holder = value
            try:
                for step in path:
                    holder = holder[step]
                holder[last] = json.loads(problem["input"])
            except (ValueError, LookupError, TypeError, RecursionError):
                continue


def _sentence(error: ValidationError) -> str:
    """The first problems of an answer, each with its place and what was found there."""
    problems = error.errors(include_url=False)
    told = [_problem(dict(problem)) for problem in problems[:_PROBLEMS]]
    more = len(problems) - len(told)
    return "; ".join(told) + (f"; and {more} more" if more > 0 else "")


def _problem(problem: dict[str, Any]) -> str:
    message = str(problem["msg"])
    if problem["type"] == "json_invalid":
        early = "EOF" in message
        return "the JSON ends too early: answer shorter" if early else f"it is not JSON ({message})"
    place = ".".join(map(str, problem["loc"])) or "the answer"
    if problem["type"] == "missing":
        return f"{place} is missing"
    return f"{place}: {message[:1].lower()}{message[1:]}, found {_shown(problem['input'])}"


def _shown(value: object, limit: int = 60) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= limit else text[:limit] + "…"
