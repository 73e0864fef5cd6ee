"""Who uses this process."""

import getpass


def user() -> str:
    """The name of whoever runs this process."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an account without a name
        return "person"
