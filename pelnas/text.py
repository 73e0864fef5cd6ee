"""Words that many sentences share."""


def plural(number: float, one: str, many: str = "") -> str:
    """``rule`` for 1, ``rules`` for any other number; ``many``: where that takes more than an s."""
    return one if number == 1 else many or f"{one}s"


def install(extra: str) -> str:
    """The command that adds an extra; from a checkout, since no index has a package pelnas of ours."""
    return f"pip install -c constraints.txt -e '.[{extra}]' in the checkout"
