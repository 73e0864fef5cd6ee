"""Paths as people write them in settings, options and variables, where no shell has read them."""

from pathlib import Path

from pelnas.errors import ConfigError


def expanded(path: Path) -> Path:
    """The path, with ``~`` or ``~USER`` at its beginning as that home. ConfigError: no such home."""
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise ConfigError(
            f"expected a path whose home is known, found {str(path)[:200]!r}"
            f" ({str(error).rstrip('.').lower()}): write the home out"
        ) from None
