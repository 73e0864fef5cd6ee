"""What stands in for others in tests: a model that plays all agents, a pool without processes."""

import json
import random
import re
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Literal

from pelnas.architecture import Shape
from pelnas.calls.call import Message
from pelnas.errors import InputError
from pelnas.partition import partition_by_operations
from pelnas.pool import Done, Pool, Work, Workers
from pelnas.pool.base import Task, answered, done, never, stopped
from pelnas.spaces import get_space

Role = Literal["planner", "reflection", "designer"]
Answer = str | dict[str, Any]
Part = Answer | Callable[[Sequence[Message]], Answer]
SPACE = get_space("tiny")
PARTITION = partition_by_operations(SPACE, Shape.square(10, 32))
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


def members_asked_for(messages: Sequence[Message], count: int) -> list[str]:
    """At most so many members of the niche that a designer's prompt is about, none that it shows.

    Others for each prompt.
    """
    system, user = messages[0].content, messages[1].content
    found = re.search(r"niche (\d+) only", system)
    inside = PARTITION.members[int(found[1])] if found else ()
    shown = [m for m in inside if SPACE.format(m) in user or SPACE.in_letters(m) in user]
    members = [SPACE.format(member) for member in inside if member not in shown]
    return random.Random(user).sample(members, min(count, len(members)))


def drawn(seed: Any, count: int) -> list[str]:
    """Random cells of the tiny space."""
    rng = random.Random(seed)
    return [SPACE.format(SPACE.at(rng.randrange(SPACE.size))) for _ in range(count)]


class PoolHere(Pool):
    """Does every task in this process, one after the other.

    ``errors``: what becomes of tasks by their place, in place of what they are. ``devices``: that
    are reached through it.
    """

    name = "here"
    here = True

    def __init__(
        self, errors: Mapping[int, InputError] | None = None, devices: Sequence[str] = ()
    ) -> None:
        self._errors, self._devices = errors or {}, tuple(devices)

    def devices(self) -> tuple[str, ...]:
        return self._devices

    def cores(self) -> int:
        return 1

    def workers(
        self, work: Work, count: int, threads: int = 1, device: str = "", gpus: int = 0
    ) -> Workers:
        return _WorkersHere(work, self._errors)


class _WorkersHere(Workers):
    def __init__(self, work: Work, errors: Mapping[int, InputError]) -> None:
        self._do, self._errors = work.opened(), errors

    def submit(self, task: Task, *, later: bool = False) -> Future[Done]:
        ended: Future[Done] = Future()
        ended.set_result(done(0, answered(self._do, task)))
        return ended

    def done(
        self, tasks: Sequence[Task], stop: Callable[[], bool] = never
    ) -> Generator[Done, None, None]:
        for place, task in enumerate(tasks):
            if stop():
                raise stopped()
            if place in self._errors:
                yield Done(place, error=self._errors[place])
            else:
                yield done(place, answered(self._do, task))

    def close(self) -> None:
        pass
