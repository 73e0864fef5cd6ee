"""The package that is built holds what the checkout holds, under the names that are meant."""

import ast
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
MAPPED = ("agents", "graph", "prompts", "tools")  # folders at the top, imported below pelnas
IMPORTS = "import pelnas, pelnas.agents, pelnas.graph, pelnas.prompts, pelnas.tools"
HEAVY = ("chromadb", "langchain", "langgraph", "matplotlib", "numpy", "pyarrow", "sklearn", "torch")


def folders() -> dict[str, Path]:
    """Every package of the checkout by its import name."""
    found = {}
    for top in ("pelnas", *MAPPED):
        for init in (ROOT / top).rglob("__init__.py"):
            parts = init.parent.relative_to(ROOT).parts
            if top == "pelnas" and len(parts) > 1 and parts[1] in MAPPED:
                continue  # a link of the checkout, for type checkers and editors
            found[".".join(parts if top == "pelnas" else ("pelnas", *parts))] = init.parent
    return found


def contents() -> dict[str, Path]:
    """Every file that a package must carry, data in folders below it too, by its place there."""
    return {
        "/".join((*name.split("."), file.relative_to(folder).as_posix())): file
        for name, folder in folders().items()
        for file in folder.rglob("*")
        if file.is_file() and file.suffix != ".pyc"
    }


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """An sdist of a copy of the checkout, and the wheel that is built from it."""
    copy = tmp_path_factory.mktemp("source") / "copy"
    left = shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "__pycache__")

    def ignore(folder: str, names: list[str]) -> set[str]:
        """What a checkout holds beside its own files; runs lie at its top alone."""
        return set(left(folder, names)) | ({"runs"} if Path(folder) == ROOT else set())

    shutil.copytree(ROOT, copy, symlinks=True, ignore=ignore)
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(copy)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return {"wheel": next(out.glob("*.whl")), "sdist": next(out.glob("*.tar.gz"))}


def run_python(code: str, cwd: Path, path: Path | None = None) -> str:
    environment = dict(os.environ) | ({"PYTHONPATH": str(path)} if path else {})
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command,
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_list_of_packages_is_the_tree() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert sorted(project["tool"]["setuptools"]["packages"]) == sorted(folders())


def test_the_wheel_holds_every_file_and_no_bare_name(built: dict[str, Path]) -> None:
    names = set(zipfile.ZipFile(built["wheel"]).namelist())
    assert set(contents()) <= names
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"pelnas"}


def test_the_sdist_holds_every_file(built: dict[str, Path]) -> None:
    with tarfile.open(built["sdist"]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {str(file.relative_to(ROOT)) for file in contents().values()}
    assert wanted <= names
    assert {"LICENSE", "README.md", "pyproject.toml"} <= names


def test_the_wheel_imports_without_the_checkout(built: dict[str, Path], tmp_path: Path) -> None:
    site = tmp_path / "site"
    zipfile.ZipFile(built["wheel"]).extractall(site)  # noqa: S202 - it was built here
    places = run_python(
        f"{IMPORTS}; print(pelnas.__file__); print(pelnas.agents.__file__)", tmp_path, site
    )
    assert [Path(place) for place in places.splitlines()] == [
        site / "pelnas" / "__init__.py",
        site / "pelnas" / "agents" / "__init__.py",
    ]


def test_what_is_installed_takes_no_bare_name(tmp_path: Path) -> None:
    code = f"{IMPORTS}; from importlib.util import find_spec; print([n for n in {MAPPED} if find_spec(n)])"
    assert run_python(code, tmp_path) == "[]"


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys; from pelnas.app.main import run; code = run(['--help']);"
        f" print(code, [name for name in {HEAVY} if name in sys.modules])"
    )
    assert run_python(code, tmp_path).splitlines()[-1] == "0 []"


def declared() -> list[Requirement]:
    """Every requirement of the project and of its extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    return [Requirement(text) for group in groups for text in group]


def imported(file: Path) -> set[str]:
    """First part of every absolute import in a file."""
    nodes = list(ast.walk(ast.parse(file.read_text())))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {n.module for n in nodes if isinstance(n, ast.ImportFrom) and n.module and not n.level}
    return {name.partition(".")[0] for name in names}


def test_every_import_is_a_declared_dependency() -> None:
    known = {canonicalize_name(requirement.name) for requirement in declared()}
    providers = packages_distributions()
    for name, file in contents().items():
        for module in imported(file) if file.suffix == ".py" else ():
            if module in sys.stdlib_module_names or module == "pelnas":
                continue
            offers = {canonicalize_name(package) for package in providers.get(module, [module])}
            assert offers & known, f"{name} imports {module}, which pyproject.toml does not name"


def test_every_dependency_has_a_pin_that_fits() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [Requirement(line) for line in lines if not line.startswith("#")]
    pinned = {canonicalize_name(pin.name): next(iter(pin.specifier)).version for pin in pins}
    for requirement in declared():
        version = pinned.get(canonicalize_name(requirement.name), "")
        assert version, f"{requirement.name} has no pin in constraints.txt"
        assert requirement.specifier.contains(version, prereleases=True), requirement
