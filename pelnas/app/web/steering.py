"""Directives from the page: said back in plain words first, given only after a yes."""

import getpass
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pelnas.directives import GRAMMAR, Order, command, parse, say
from pelnas.errors import DirectiveError
from pelnas.graph.helm import Helm
from pelnas.report.directives import directive_rows
from pelnas.store import RunStore


def grammar() -> list[dict[str, str]]:
    """Every form of a command and what it does."""
    return [{"form": form, "does": does} for form, does in GRAMMAR]


def given(store: RunStore) -> list[dict[str, Any]]:
    """All directives with what came of them, oldest first."""
    return [row.to_dict() for row in directive_rows(store)]


def check(folder: Path, body: Mapping[str, Any]) -> dict[str, Any]:
    """What a command means. DirectiveError: it is none, or cannot be obeyed. RunError: too late."""
    with Helm.open(folder) as helm:
        order = helm.check(_order(body))
        return {"command": command(order), "says": helm.say(order)}


def give(folder: Path, body: Mapping[str, Any]) -> dict[str, Any]:
    """Give the order that ``check`` said back; errors as there."""
    with Helm.open(folder) as helm:
        order = _order(body)
        directive = helm.give(order, _user(), str(body.get("words", "")))
        return {"id": directive.id, "asks": say(directive.order)}


def _order(body: Mapping[str, Any]) -> Order:
    text = body.get("command")
    if not isinstance(text, str):
        raise DirectiveError("expected a command such as /focus latency<=5, found none: type one")
    return parse(text)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an account without a name
        return "person"
