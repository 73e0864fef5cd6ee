"""Prompts: one Markdown file each, with a ``# System`` and a ``# User`` part.

A run may override file by file: a file of the same name in its own folder wins.
Variables stand as ``{{name}}``; one that nobody fills, or a filled one that no
longer exists, is refused before anything is sent.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path

from pelnas.errors import PromptError, UnreadableError
from pelnas.inputs.formats import read_text

_VARIABLE = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_PARTS = re.compile(r"\A\s*# System\s*\n(?P<system>.*?)^# User\s*\n(?P<user>.*)\Z", re.S | re.M)


@dataclass(frozen=True)
class Prompt:
    """The two parts of a prompt file, variables not yet filled."""

    name: str
    system: str
    user: str

    @cached_property
    def variables(self) -> frozenset[str]:
        """Every variable that either part names."""
        return frozenset(_VARIABLE.findall(self.system + self.user))

    def render(self, values: Mapping[str, str]) -> tuple[str, str]:
        """System and user text with the variables filled. PromptError: an unknown variable.

        Filled once and not again: a value that looks like a variable stays as it is.
        """
        unknown = self.variables - set(values)
        if unknown:
            raise PromptError(
                f"prompt {self.name!r} names unknown variable {sorted(unknown)[0]!r}:"
                f" use only {', '.join(sorted(values))}"
            )

        def fill(text: str) -> str:
            return _VARIABLE.sub(lambda match: values[match[1]], text).strip()

        return fill(self.system), fill(self.user)


def load_prompt(name: str, folder: Path | None = None) -> Prompt:
    """The prompt of this name, from ``folder`` if it has one, else the package's.

    PromptError: an override that cannot be read or lacks a part.
    """
    own = folder / f"{name}.md" if folder is not None else None
    try:
        if own is not None and os.path.lexists(own):
            text = read_text(own)
        else:
            text = resources.files(__name__).joinpath(f"{name}.md").read_text(encoding="utf-8")
    except UnreadableError as error:
        raise PromptError(f"prompt {name!r} cannot be read: {error}: correct the file") from None
    parts = _PARTS.match(text)
    if parts is None:
        raise PromptError(
            f"prompt {name!r} needs the headings '# System' and '# User' in this order: add them"
        )
    return Prompt(name, parts["system"], parts["user"])
