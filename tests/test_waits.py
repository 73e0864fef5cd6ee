"""No test waits without a limit: what does not come is a failure after a minute, not after ten."""

import ast
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parent
WAITS = ("join", "wait", "communicate", "result")


def unlimited(tree: ast.AST) -> Iterator[int]:
    """The lines of calls that wait for others for as long as they please."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        limited = bool(node.args) or any(k.arg in ("timeout", None) for k in node.keywords)
        if node.func.attr in WAITS and not limited:
            yield node.lineno
        starts = isinstance(node.func.value, ast.Name) and node.func.value.id == "subprocess"
        timed = any(k.arg in ("timeout", None) for k in node.keywords)
        if starts and node.func.attr in ("run", "check_output", "check_call") and not timed:
            yield node.lineno


def test_every_wait_has_a_limit() -> None:
    found = [
        f"{file.relative_to(TESTS)}:{line}"
        for file in sorted(TESTS.rglob("*.py"))
        for line in unlimited(ast.parse(file.read_text(encoding="utf-8")))
    ]
    assert found == [], "give these a limit, as tests/patience.py does"
