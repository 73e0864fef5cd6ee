"""Each floor imports only what stands below it, and a search nothing that it does not need."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
#: Each takes tens of megabytes, or a second, of every search that imports it.
HEAVY = ("torch", "sklearn", "scipy.stats", "onnx", "onnxruntime", "matplotlib", "pyarrow", "ray")


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_no_import_goes_up() -> None:
    done = python(
        "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_importing_the_search_loads_no_heavy_library() -> None:
    done = python(
        f"import sys; from pelnas import Search; print([m for m in {HEAVY} if m in sys.modules])"
    )
    assert done.stdout.strip() == "[]", done.stderr
