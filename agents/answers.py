"""Field types shared by all answer schemas: a model's text is data, truncated and never trusted."""

from typing import Annotated

from pydantic import BeforeValidator, Field


def cut(limit: int) -> BeforeValidator:
    """Cut an over-long text or list: length alone is no reason to send an answer back."""
    return BeforeValidator(lambda value: value[:limit] if isinstance(value, str | list) else value)


Sentence = Annotated[str, cut(240), Field(max_length=240)]
ShortText = Annotated[str, cut(400), Field(max_length=400)]
Identifier = Annotated[str, cut(32), Field(max_length=32)]
