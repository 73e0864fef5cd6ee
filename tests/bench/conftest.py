"""What tests of benches share."""

from pathlib import Path

import pytest

from pelnas.spaces import get_space


@pytest.fixture
def layer_costs(tmp_path: Path) -> Path:
    """A folder with the costs per layer of a device ``toy`` for FBNet."""
    lines = ["device,layer,op,delta_ms"]
    for layer, options in enumerate(get_space("fbnet").choices):
        lines += [
            f"toy,{layer},{op},{0 if op == 'skip' else 0.1 * (n + 1) * (layer + 1)}"
            for n, op in enumerate(options)
        ]
    (tmp_path / "costs.csv").write_text("\n".join(lines), encoding="utf-8")
    return tmp_path
