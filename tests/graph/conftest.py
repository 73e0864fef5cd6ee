"""The settings of a small search, and a model of which a search can make something."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pelnas import SearchConfig


@pytest.fixture(scope="session")
def toy(tiny_tables: Path) -> Callable[..., SearchConfig]:
    """``toy(folder, **changes)``: settings of a small search that looks everything up."""

    def settings(folder: Path, **changes: Any) -> SearchConfig:
        values: dict[str, Any] = {
            "space": "tiny",
            "device": "toy",
            "dataset": "toy10",
            "data": tiny_tables,
            "accuracy": "table",
            "output": folder / "runs",
        }
        return SearchConfig(**(values | changes))

    return settings
