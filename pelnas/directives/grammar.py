"""The command grammar: one line for each order, read and written without loss.

``parse(order.command) == order`` for every order. Whatever is not in the
grammar is refused with a sentence, and never guessed at.
"""

from pelnas.directives.claims import AddRule, EditRule, RetireRule, Weigh
from pelnas.directives.controls import (
    Pause,
    Resume,
    SetBudget,
    SetModel,
    SetRounds,
    SetShare,
    Stop,
    Undo,
)
from pelnas.directives.designs import Ban, Focus, Limit, Pin, Require, Seed
from pelnas.directives.order import Order, wrong
from pelnas.errors import DirectiveError

COMMAND_LIMIT = 1_000  # characters of a command
#: Every order, as help texts list them.
ORDERS: tuple[type[Order], ...] = (
    *(Focus, Ban, Require, Limit, Seed, Pin, Weigh),
    *(AddRule, EditRule, RetireRule),
    *(SetRounds, SetBudget, SetModel, SetShare, Pause, Resume, Stop, Undo),
)
#: Every form of a command and what it does, for help texts and documentation.
GRAMMAR: tuple[tuple[str, str], ...] = tuple(
    (f"{kind.prefix} {form}".rstrip(), does) for kind in ORDERS for form, does in kind.forms
)
VERBS = tuple(dict.fromkeys(form.split()[0] for form, _ in GRAMMAR))
_BY_PREFIX = {kind.prefix: kind for kind in ORDERS}


def parse(text: str) -> Order:
    """The order that a command stands for. DirectiveError: not a command of the grammar."""
    line = text.strip()
    if len(line) > COMMAND_LIMIT:
        raise DirectiveError(
            f"expected a command of at most {COMMAND_LIMIT} characters, found {len(line)}: shorten it"
        )
    verb, _, rest = line.partition(" ")
    if verb not in VERBS:
        raise DirectiveError(
            f"expected a command, one of {', '.join(VERBS)}, found {verb[:40]!r}:"
            " begin with one of them"
        )
    form, rest = " or ".join(form for form, _ in GRAMMAR if form.split()[0] == verb), rest.strip()
    if verb in _BY_PREFIX:
        return _BY_PREFIX[verb].read(rest, form)
    action, _, tail = rest.partition(" ")
    if f"{verb} {action}" not in _BY_PREFIX:
        raise wrong(form, rest)
    return _BY_PREFIX[f"{verb} {action}"].read(tail.strip(), form)
