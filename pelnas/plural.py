"""Nouns that go with numbers."""


def plural(number: float, one: str, many: str = "") -> str:
    """``rule`` for 1, ``rules`` for any other number; ``many``: where that takes more than an s."""
    return one if number == 1 else many or f"{one}s"
