"""Field types that every answer schema shares: models' texts are data, cut and never trusted."""

from typing import Annotated

from pydantic import BeforeValidator, Field


def _cut(limit: int) -> BeforeValidator:
    """Cut an over-long text: length alone is no reason to send an answer back."""
    return BeforeValidator(lambda value: value[:limit] if isinstance(value, str) else value)


Sentence = Annotated[str, _cut(240), Field(max_length=240)]
ShortText = Annotated[str, _cut(400), Field(max_length=400)]
Identifier = Annotated[str, _cut(32), Field(max_length=32)]
