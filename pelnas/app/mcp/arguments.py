"""The argument types of the MCP tools, and one clear sentence for a wrong argument.

Models give an index as a number, and null for what they leave out: both are meant well.
"""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError, WithJsonSchema

NEWEST = "last"
SHOWN = 60  # characters of a wrong argument that are said back


def _text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _or(default: Any) -> BeforeValidator:
    return BeforeValidator(lambda value: default if value is None else value)


Architecture = Annotated[
    str,
    BeforeValidator(_text),
    WithJsonSchema(
        {"type": ["string", "integer"], "description": "Candidate id, text or index of the space."}
    ),
]
Run = Annotated[str, _or(NEWEST), Field(description="Name of a run, or last.")]
Flag = Annotated[bool, _or(False)]


def sentence(tool: str, wrong: ValidationError) -> str:
    """What is wrong with the arguments that a tool was called with."""
    problems = []
    for problem in wrong.errors(include_url=False, include_context=False):
        where = ".".join(str(part) for part in problem["loc"])
        asked = problem["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
        if problem["type"] == "missing":
            problems.append(f"{where} is missing")
        else:
            problems.append(f"{where} has to be {asked}, found {repr(problem['input'])[:SHOWN]}")
    return f"{tool} cannot be called like this: {'; '.join(problems)}"
