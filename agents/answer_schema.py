"""The schema of a designer's answer, generated from the space: one choice per position.

A model constrained to the schema cannot get the form of an architecture wrong, nor the
bounds of its niche as far as a schema says them. Models that are not constrained to it may answer
with the official text as well, and so they do where a space has no such positions.
"""

import json
from collections.abc import Mapping, Sequence
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
Reason = Annotated[str, cut(120), Field(max_length=120)]  # of a design in a short answer
Operation = Literal["mutation", "crossover", "sample"]
Unasked = Operation | None
Hidden = SkipJsonSchema[Operation | None]
Parents = Annotated[list[Identifier], cut(4), Field(max_length=4)]


class ProposedDesign(BaseModel):
    """One design as a model proposes it; the architecture as text or as choices."""

    architecture: Text | dict[str, Any]
    operation: Unasked = None
    parents: Parents = []
    rationale: Sentence = ""


class Designs(BaseModel):
    """A designer's answer."""

    designs: list[ProposedDesign]


class Edit(BaseModel):
    """One change of a network: the choice that stands at a position of the parent then."""

    parent: Identifier
    position: ShortText
    choice: ShortText


class EditedDesigns(BaseModel):
    """The answer of a designer that changes networks, one design each."""

    edits: list[Edit]


def edit_form(
    open_edits: Mapping[str, Mapping[str, Sequence[str]]], wanted: int, model: str
) -> type[EditedDesigns]:
    """The schema of at most so many changes; ``open_edits``: choices by parent and position.

    Where the schema is a grammar it holds no other changes; else one that a parent does not allow.
    """
    exact = model.partition(":")[0] in GRAMMARS
    kinds = _exact_edits(open_edits) if exact else [_any_edit(open_edits)]
    asked = WithJsonSchema(kinds[0] if len(kinds) == 1 else {"anyOf": kinds})
    edits = Annotated[
        list[Annotated[Edit, asked]], cut(wanted), Field(min_length=1, max_length=wanted)
    ]
    return create_model("Edits", __base__=EditedDesigns, edits=(edits, ...))


def _exact_edits(open_edits: Mapping[str, Mapping[str, Sequence[str]]]) -> list[dict[str, Any]]:
    return [
        _edit([parent], [position], choices)
        for parent, places in open_edits.items()
        for position, choices in places.items()
    ]


def _any_edit(open_edits: Mapping[str, Mapping[str, Sequence[str]]]) -> dict[str, Any]:
    positions = dict.fromkeys(p for places in open_edits.values() for p in places)
    choices = dict.fromkeys(c for places in open_edits.values() for p in places.values() for c in p)
    return _edit(list(open_edits), list(positions), list(choices))


def _edit(
    parents: Sequence[str], positions: Sequence[str], choices: Sequence[str]
) -> dict[str, Any]:
    allowed = {"parent": parents, "position": positions, "choice": choices}
    return {
        "type": "object",
        "properties": {
            name: {"type": "string", "enum": list(values)} for name, values in allowed.items()
        },
        "required": list(allowed),
        "additionalProperties": False,
    }


def letters_form(
    space: SearchSpace, niche: Niche, wanted: int, model: str, parents: Sequence[str] = ()
) -> type[Designs]:
    """As ``design_form``, with an architecture as a row of letters and the rest as short as can be."""
    architecture = letters_architecture(space, niche, model)
    return _designs(
        wanted,
        architecture=(architecture, ...),
        operation=(Hidden, None),
        parents=(_parents_of(parents), []),
        rationale=(Reason, ""),
    )


def letters_architecture(space: SearchSpace, niche: Niche, model: str) -> Any:
    """The type of a field that holds an architecture of a niche as a row of letters.

    Choices by position are read as well. As ``architecture_form`` in a space without letters.
    """
    if not space.letters:
        return architecture_form(space, niche, model)
    schema: dict[str, Any] = {"type": "string"}
    if model.partition(":")[0] in GRAMMARS:
        found = alternatives(space, niche.predicate, MOST_ALTERNATIVES)
        schema["pattern"] = f"^({'|'.join(_rows(space, options) for options in found)})$"
    return Annotated[Text | dict[str, Any], WithJsonSchema(schema)]


def _rows(space: SearchSpace, options: Sequence[Sequence[str]]) -> str:
    """The regular expression of the rows of letters that these options leave."""
    return " ".join(f"[{''.join(space.letters[op] for op in left)}]" for left in options)


def design_form(
    space: SearchSpace, niche: Niche, wanted: int, model: str, parents: Sequence[str] = ()
) -> type[Designs]:
    """The schema of an answer with at most so many designs; more than that are cut off.

    The bound matters to small models: constrained by the schema alone, they list designs until
    their tokens end. ``model``: whose answer it is, ``provider:model``; ``parents``: the ids
    that it may name, without any it is not asked for them.
    """
    return _designs(
        wanted,
        architecture=(architecture_form(space, niche, model), ...),
        operation=(Operation, ...),
        parents=(_parents_of(parents), []),
    )


def _parents_of(parents: Sequence[str]) -> Any:
    """The type of a field that names parents; nothing is asked for where there are none."""
    named = {"type": "string", "enum": list(parents)}
    asked = WithJsonSchema({"type": "array", "items": named, "maxItems": PARENTS})
    return Annotated[Parents, asked] if parents else SkipJsonSchema[Parents]


def _designs(wanted: int, **fields: Any) -> type[Designs]:
    """An answer with at most so many designs of these fields."""
    design = create_model("Design", __base__=ProposedDesign, **fields)
    designs = Annotated[list[design], cut(wanted), Field(min_length=1, max_length=wanted)]  # type: ignore[valid-type]
    return create_model("Designs", __base__=Designs, designs=(designs, ...))


def architecture_form(space: SearchSpace, niche: Niche, model: str) -> Any:
    """The type of a field that holds an architecture of a niche; ``model``: as of ``design_form``."""
    if not space.is_by_choices:
        return ShortText
    return Annotated[Text | dict[str, Any], WithJsonSchema(_architecture(space, niche, model))]


def _architecture(space: SearchSpace, niche: Niche, model: str) -> dict[str, Any]:
    limit = MOST_ALTERNATIVES if model.partition(":")[0] in GRAMMARS else 1
    found = [space.choices_schema(o) for o in alternatives(space, niche.predicate, limit)]
    return found[0] if len(found) == 1 else {"anyOf": found}


def in_json(space: SearchSpace, architecture: str) -> str:
    """An architecture, given as official text, as choices by position where the space has any."""
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
