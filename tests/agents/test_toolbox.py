"""Calls of tools are counted, whatever comes of them, and errors are results."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pydantic import BaseModel, Field

from pelnas.agents.toolbox import RESULT_LIMIT, Tool, Toolbox
from pelnas.errors import InputError


class Number(BaseModel):
    value: int = Field(ge=0)


def double(given: Number, call: str) -> dict[str, Any]:
    if given.value > 1_000:
        raise InputError("expected at most 1000: give a smaller value")
    return {"double": 2 * given.value, "call": call, "text": "x" * given.value * 10}


DOUBLE = Tool("double", "Twice a number.", Number, double)


def called(box: Toolbox, name: str, args: Any, problem: str = "") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(box.call(name, args, "r0.designer.n0.a0", problem))
    return found


def test_a_call_is_run_and_counted() -> None:
    box = Toolbox([DOUBLE], 3)
    assert called(box, "double", {"value": 0}) == {
        "double": 0, "call": "r0.designer.n0.a0", "text": "", "tool_calls_left": 2,
    }  # fmt: skip
    assert (box.used, box.left, box.names) == (1, 2, ("double",))


@pytest.mark.parametrize(
    ("name", "args", "problem", "said"),
    [
        ("halve", {}, "", "there is no tool 'halve': use one of double"),
        ("double", {"value": -1}, "", "the argument value cannot be used"),
        ("double", {"value": 1, "other": 2}, "", "the argument 'other' is not known"),
        ("double", {"value": 9_999}, "", "expected at most 1000: give a smaller value"),
        ("double", {}, "expected arguments in JSON", "expected arguments in JSON"),
    ],
)
def test_a_refused_call_counts_and_says_why(name: str, args: Any, problem: str, said: str) -> None:
    refusals: list[tuple[int, str, bool]] = []

    @contextmanager
    def watch(number: int, tool: str) -> Iterator[Any]:
        yield lambda refused: refusals.append((number, tool, refused))

    box = Toolbox([DOUBLE], 2, watch)
    found = called(box, name, args, problem)
    assert said in found["error"]
    assert found["tool_calls_left"] == 1
    assert refusals == [(1, "double" if name == "double" else "", True)]


def test_beyond_the_allowance_nothing_is_run() -> None:
    box = Toolbox([DOUBLE], 1)
    called(box, "double", {"value": 1})
    assert "no tool calls are left" in called(box, "double", {"value": 1})["error"]
    assert (box.used, box.left) == (1, 0)


def test_a_long_result_is_cut_and_stays_json() -> None:
    assert len(called(Toolbox([DOUBLE], 1), "double", {"value": 1_000})["cut"]) == RESULT_LIMIT
