"""Where a user's knowledge base is: a folder, or the address of a Chroma server."""

import os
from pathlib import Path

from platformdirs import user_data_dir

from pelnas.inputs.paths import expanded

USER, OFF = "user", "off"  # settings that are no place
VARIABLE = "PELNAS_KNOWLEDGE"  # where the user's own is, or "off"
SCHEMES = ("http://", "https://")


def located(setting: str) -> str | None:
    """The folder or address that a setting means; ``None``: no knowledge is used or kept."""
    if setting == USER:
        setting = os.environ.get(VARIABLE, "").strip() or str(
            Path(user_data_dir("pelnas"), "knowledge")
        )
    if setting == OFF:
        return None
    return setting.rstrip("/") if is_address(setting) else str(expanded(Path(setting)).absolute())


def is_address(place: str) -> bool:
    """Whether it is that of a server."""
    return place.startswith(SCHEMES)
