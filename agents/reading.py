"""A model's text read as JSON of a schema, or what is wrong with it in words for the model."""

import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

T = TypeVar("T", bound=BaseModel)

_FENCE = re.compile(r"```[a-zA-Z]*\s*(.*?)```", re.DOTALL)
_INSIDE = re.compile(r'(?:"\s*:|[\[,])\s*$')  # what stands before an object inside another
_STARTS = 200  # braces at which one is looked for
_PROBLEMS = 5  # problems told at once: a small model cannot heed more


def read_answer(text: str, schema: type[T]) -> tuple[T | None, str]:
    """The answer in ``text`` and "", or ``None`` and what is wrong in one line.

    JSON alone, in a code fence or anywhere in prose is found; of several objects
    the first that fits the schema is taken.
    """
    problem = ""
    for candidate in _candidates(text.strip()):
        try:
            return schema.model_validate_json(candidate), ""
        except ValidationError as error:
            problem = problem if _is_no_json(error) and problem else _sentence(error)
    return None, problem or "it is empty"


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


def _candidates(text: str) -> Iterator[str]:
    """What may be the JSON: the whole text, code fences, then objects in prose."""
    if text:
        yield text
    if not text.startswith("{") or not text.endswith("}"):
        yield from (found.strip() for found in _FENCE.findall(text) if found.strip())
    yield from _objects(text)


def _objects(text: str) -> Iterator[str]:
    """JSON objects in prose, from left to right, none of them a part of another.

    A part of an object that was cut off must not pass for the answer.
    """
    decoder = json.JSONDecoder()
    end = 0
    for start in (found.start() for found in islice(re.finditer(r"\{", text), _STARTS)):
        if start < end or _INSIDE.search(text, max(0, start - 20), start):
            continue
        try:
            _, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            continue
        yield text[start:end]


def _is_no_json(error: ValidationError) -> bool:
    return error.errors(include_url=False)[0]["type"] == "json_invalid"


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
