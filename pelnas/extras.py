"""Packages that only some need: how to add them."""


def install(extra: str) -> str:
    """The command that adds an extra; from a checkout, since no index has a package pelnas of ours."""
    return f"pip install -c constraints.txt -e '.[{extra}]' in the checkout"
