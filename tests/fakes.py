"""One model that plays all agents of a search, told apart by the form that each has to answer in."""

import json
import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

from pelnas.calls.call import Message
from pelnas.spaces import get_space

Role = Literal["planner", "reflection", "designer"]
Answer = str | dict[str, Any]
Part = Answer | Callable[[Sequence[Message]], Answer]
SPACE = get_space("tiny")
NO_RULES: dict[str, Any] = {"rules": []}


def role_of(schema: dict[str, Any]) -> Role:
    """Who asks for an answer of this schema."""
    if "niches" in schema["properties"]:
        return "planner"
    return "reflection" if "rules" in schema["properties"] else "designer"


def agents(
    planner: Part, designer: Part, reflection: Part = NO_RULES
) -> Callable[[Sequence[Message], dict[str, Any]], str]:
    """What a ``ScriptedModel`` or a ``LoopbackServer`` answers with: each role's part.

    A part is an answer, or makes one of the messages; what is no text becomes JSON.
    """
    parts: dict[Role, Part] = {
        "planner": planner,
        "reflection": reflection,
        "designer": designer,
    }

    def answer(messages: Sequence[Message], schema: dict[str, Any]) -> str:
        part = parts[role_of(schema)]
        said = part(messages) if callable(part) else part
        return said if isinstance(said, str) else json.dumps(said)

    return answer


def plan(niches: Iterable[int], designs: int, focus: str = "") -> dict[str, Any]:
    """Equal shares for these niches."""
    return {"niches": [{"niche": n, "designs": designs, "focus": focus} for n in niches]}


def one_rule(predicate: str, text: str) -> dict[str, Any]:
    """The claim that this helps accuracy everywhere."""
    how = {"metric": "accuracy", "polarity": "helps", "effect": 0.5, "everywhere": True}
    return {"rules": [{"text": text, "predicate": predicate, **how}]}


def proposed(cells: Iterable[str], **how: Any) -> dict[str, Any]:
    """Designs that were sampled; ``how``: more of their fields."""
    return {"designs": [{"architecture": c, "operation": "sample", **how} for c in cells]}


def drawn(seed: Any, count: int) -> list[str]:
    """Random cells of the tiny space."""
    rng = random.Random(seed)
    return [SPACE.format(SPACE.at(rng.randrange(SPACE.size))) for _ in range(count)]
