"""What the documents say can be typed: commands parse, code compiles, links lead somewhere."""

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer

from pelnas.app.main import app

ROOT = Path(__file__).resolve().parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(?P<kind>\w*)\n(?P<body>.*?)^```", re.M | re.S)
LINK = re.compile(r"\]\((?P<target>[^)#\s]+)[^)]*\)")

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def commands(page: Path) -> list[list[str]]:
    """Every ``pelnas`` command line of a page, without the comment and what it is piped into."""
    bodies = [match["body"] for match in BLOCK.finditer(page.read_text()) if not match["kind"]]
    lines = [line for body in bodies for line in body.splitlines() if line.startswith("pelnas ")]
    words = [shlex.split(line, comments=True) for line in lines]
    return [line[1 : line.index("|") if "|" in line else None] for line in words]


@pytest.fixture(scope="module")
def pelnas() -> Any:
    """The command with all that belong to it."""
    return typer.main.get_command(app)


@pages
def test_commands_parse(page: Path, pelnas: Any) -> None:
    for words in commands(page):
        command, rest = pelnas, words
        context = command.make_context("pelnas", list(rest))
        while hasattr(command, "resolve_command"):
            rest = [*context._protected_args, *context.args]
            if not rest and getattr(command, "invoke_without_command", False):
                break  # a group that does something by itself
            name, command, rest = command.resolve_command(context, rest)
            context = command.make_context(name, list(rest), parent=context)
        assert not context.args


@pages
def test_python_compiles(page: Path) -> None:
    for match in BLOCK.finditer(page.read_text()):
        if match["kind"] == "python":
            compile(match["body"], str(page), "exec")


@pages
def test_links_lead_to_files(page: Path) -> None:
    for match in LINK.finditer(page.read_text()):
        target = match["target"]
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_nothing_says_to_install_pelnas_from_an_index_or_an_extra_that_is_none() -> None:
    """Whoever registered the name there could run code of theirs on our users' machines."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    homes = [ROOT / name for name in ("pelnas", "agents", "graph", "tools", "docs")]
    sources = [file for home in homes for file in home.rglob("*.[pm][yd]")]
    named = []
    for file in [*sources, *PAGES]:
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"pip install [^\n`]*['\" ]pelnas\b", text), file
        named += re.findall(
            r"""pip install [^\n]*-e ["']\.\[(\w+)\]|install\(["'](\w+)["']\)""", text
        )
    assert {name for pair in named for name in pair if name} <= set(extras)
    assert len(named) > 10


def test_messages_name_commands_that_there_are() -> None:
    named = re.compile(r"[`']pelnas ([a-z]+)")
    known = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    sources = [*(ROOT / "pelnas").rglob("*.py")]
    sources += [
        file for part in ("agents", "graph", "tools") for file in (ROOT / part).glob("*.py")
    ]
    found = {(file.name, name) for file in sources for name in named.findall(file.read_text())}
    assert len(found) > 20
    assert {(file, name) for file, name in found if name not in known} == set()


@pytest.mark.parametrize("package", sorted((ROOT / "pelnas").rglob("__init__.py")))
def test_a_package_says_what_it_holds(package: Path) -> None:
    import ast

    said = ast.get_docstring(ast.parse(package.read_text())) or ""
    assert len(said.split()) > 2


def test_there_are_commands_to_parse() -> None:
    assert len(commands(ROOT / "README.md")) > 10
