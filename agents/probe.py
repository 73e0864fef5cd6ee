"""One short question that tells how a model is best asked for designs.

Who can name the networks that no other beats, and can change one position of a network as asked,
is asked for whole networks; who cannot chooses among changes of given ones. The answer is checked by
the program, so a probe is an exchange like any other: recorded, repeated for nothing, and ``ok``
where both parts are right.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from pelnas.agents.answers import ShortText
from pelnas.agents.dialogue import Dialogue
from pelnas.agents.question_forms import EDITS, LETTERS, legend
from pelnas.calls.call import CallRecord, Message
from pelnas.prompts import Prompt
from pelnas.spaces import SearchSpace

AGENT = "probe"
UNBEATEN = frozenset("ABD")  # of the four networks in the prompt


class ProbeAnswer(BaseModel):
    """The answer to both questions."""

    unbeaten: Annotated[list[Literal["A", "B", "C", "D"]], Field(max_length=4)]
    architecture: ShortText


def ask(dialogue: Dialogue, prompt: Prompt, space: SearchSpace) -> CallRecord:
    """The recorded answer of a model. ModelCallError, BudgetExhausted: as of a dialogue."""
    before, position, choice, after = change(space)
    values = {
        "legend": legend(space),
        "positions": ", ".join(space.slots),
        "architecture": before,
        "position": position,
        "choice": choice,
    }

    def check(answer: ProbeAnswer, _: str) -> str:
        wrong = []
        if set(answer.unbeaten) != UNBEATEN:
            wrong.append("A, B and D are unbeaten")
        if answer.architecture.split() != after.split():
            wrong.append(f"the changed architecture is {after}")
        return "; ".join(wrong)

    system, user = prompt.render(values)
    messages = [Message("system", system), Message("user", user)]
    call, _ = dialogue.exchange(dialogue.structured(messages, ProbeAnswer, check))
    return call


def form_of(call: CallRecord) -> str:
    """The form of question for a model that gave this answer."""
    return LETTERS if call.outcome == "ok" else EDITS


def change(space: SearchSpace) -> tuple[str, str, str, str]:
    """(network, position, choice, changed network), the networks in letters; the same each time."""
    genes = tuple(place % len(options) for place, options in enumerate(space.choices))
    before = space.of(genes)
    place = next(p for p in sorted(space.active(before.genes)) if len(space.choices[p]) > 1)
    gene = (before.genes[place] + 2) % len(space.choices[place])
    if gene == before.genes[place]:
        gene = (gene + 1) % len(space.choices[place])
    after = space.of((*before.genes[:place], gene, *before.genes[place + 1 :]))
    return (
        space.in_letters(before),
        space.slots[place],
        space.choices[place][gene],
        space.in_letters(after),
    )
