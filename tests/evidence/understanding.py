"""How well free words are understood: phrasings and what a model reads in them.

``python tests/evidence/understanding.py MODEL``, such as ``local:SmolLM2.gguf``.
"""

import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Literal

from phrasings import HELD_OUT

from pelnas.agents.assistant.commands import Unclear
from pelnas.agents.assistant.intents import IntentReader
from pelnas.agents.models.base import LanguageModel
from pelnas.agents.models.connection import connect
from pelnas.directives import VERBS
from pelnas.graph.chat.chat_models import steady
from pelnas.spaces import get_space

Verdict = Literal["right", "asked back", "wrong question", "wrong order"]
#: From best to worst. Asking back what could have been understood does no harm; an order
#: that nobody meant is said back, and needs a yes.
VERDICTS: tuple[Verdict, ...] = ("right", "asked back", "wrong question", "wrong order")
SPACE = "nasbench201"


@dataclass(frozen=True, slots=True)
class Heard:
    """One phrasing: the command it means and the one that was read in it ('': asked back)."""

    words: str
    meant: str
    read: str
    seconds: float

    @property
    def verdict(self) -> Verdict:
        if self.read == self.meant:
            return "right"
        if not self.read:
            return "asked back"
        return "wrong order" if self.read.split()[0] in VERBS else "wrong question"


def hear(model: LanguageModel, phrasings: Sequence[tuple[str, str]] = HELD_OUT) -> Iterator[Heard]:
    """Each phrasing as it is read by choosing among intents."""
    reader, space = IntentReader(model), get_space(SPACE)
    for words, meant in phrasings:
        began = time.perf_counter()
        found = reader.read(words, space)
        read = "" if isinstance(found, Unclear) else found
        yield Heard(words, meant, read, time.perf_counter() - began)


def main(model: str) -> None:
    """Print each phrasing that was not understood, and how many were."""
    with closing(connect(model, temperature=steady(model))) as reader:
        heard = list(hear(reader))
    for one in heard:
        if one.verdict != "right":
            print(f"{one.verdict}: {one.words!r} means {one.meant!r}, read as {one.read!r}")
    seconds = sorted(one.seconds for one in heard)
    counts = Counter(one.verdict for one in heard)
    print(", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS), f"of {len(heard)}")
    print(f"{seconds[len(heard) // 2]:.2f} s (median), {seconds[-1]:.2f} s (longest)")


if __name__ == "__main__":
    main(*sys.argv[1:])
