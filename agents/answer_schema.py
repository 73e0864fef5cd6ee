"""The schema of a designer's answer, generated from the space: one choice per position.

A model constrained to the schema cannot get the form of an architecture wrong, nor the
bounds of its niche as far as a schema says them. Models that are not constrained to it may answer
with the official text as well, and so they do where a space has no such positions.
"""

import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, WithJsonSchema, create_model
from pydantic.json_schema import SkipJsonSchema

from pelnas.agents.answers import Identifier, Sentence, ShortText, cut
from pelnas.partition import Niche
from pelnas.spaces import SearchSpace
from pelnas.spaces.options import alternatives, in_words

#: Providers for which a schema is a grammar that decoding follows: its size costs no tokens.
GRAMMARS = ("local", "ollama")
MOST_ALTERNATIVES = 64  # of a niche in such a grammar; in any other schema there is one

MOST_SLOTS = 12  # positions whose names a prompt says again
PARENTS = 2  # of one design that are asked for, as many as a crossover takes
Text = Annotated[str, cut(400)]
Parents = Annotated[list[Identifier], cut(4), Field(max_length=4)]


class ProposedDesign(BaseModel):
    """One design as a model proposes it; the architecture as text or as choices."""

    architecture: Text | dict[str, Any]
    operation: Literal["mutation", "crossover", "sample"]
    parents: Parents = []
    rationale: Sentence = ""


class Designs(BaseModel):
    """A designer's answer."""

    designs: list[ProposedDesign]


def design_form(
    space: SearchSpace, niche: Niche, wanted: int, model: str, parents: Sequence[str] = ()
) -> type[Designs]:
    """The schema of an answer with at most so many designs; more than that are cut off.

    The bound matters to small models: constrained by the schema alone, they list designs until
    their tokens end. ``model``: whose answer it is, ``provider:model``; ``parents``: the ids
    that it may name, without any it is not asked for them.
    """
    architecture: Any = ShortText
    if space.is_by_choices:
        schema = WithJsonSchema(_architecture(space, niche, model))
        architecture = Annotated[Text | dict[str, Any], schema]
    named = {"type": "string", "enum": list(parents)}
    asked = WithJsonSchema({"type": "array", "items": named, "maxItems": PARENTS})
    parents_: Any = Annotated[Parents, asked] if parents else SkipJsonSchema[Parents]
    design = create_model(
        "Design",
        __base__=ProposedDesign,
        architecture=(architecture, ...),
        parents=(parents_, []),
    )
    designs = Annotated[list[design], cut(wanted), Field(min_length=1, max_length=wanted)]  # type: ignore[valid-type]
    return create_model("Designs", __base__=Designs, designs=(designs, ...))


def _architecture(space: SearchSpace, niche: Niche, model: str) -> dict[str, Any]:
    limit = MOST_ALTERNATIVES if model.partition(":")[0] in GRAMMARS else 1
    found = [space.choices_schema(o) for o in alternatives(space, niche.predicate, limit)]
    return found[0] if len(found) == 1 else {"anyOf": found}


def written(space: SearchSpace, architecture: str) -> str:
    """An architecture, given as official text, in the form in which answers are asked for."""
    if not space.is_by_choices:
        return architecture
    return json.dumps(space.choices_of(space.parse(architecture)), separators=(",", ":"))


def form_in_words(space: SearchSpace) -> str:
    """What a prompt says of the form of an architecture."""
    if not space.is_by_choices:
        return "in the text form above"
    if len(space.slots) > MOST_SLOTS:
        return "as one operation for each position, by its name above"
    return f"as one operation for each position ({', '.join(space.slots)})"


def niche_in_words(space: SearchSpace, niche: Niche) -> str:
    """What a prompt says of a niche, in the names of the answer."""
    return in_words(space, niche.predicate) if space.is_by_choices else str(niche.predicate)


def described(space: SearchSpace) -> str:
    """What a prompt says of the space."""
    return space.describe_choices() if space.is_by_choices else space.describe()
