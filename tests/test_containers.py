"""The image and the compose file: real commands, loopback ports, no root, no secret, pinned versions."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from pelnas.app.main import app

ROOT = Path(__file__).parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
COMPOSE = (ROOT / "compose.yaml").read_text(encoding="utf-8")
SERVICES: dict[str, Any] = yaml.safe_load(COMPOSE)["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == "pelnas"}
DOCS = (ROOT / "docs" / "docker.md").read_text(encoding="utf-8")


def steps() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile, with what they are given."""
    plain = "\n".join(line for line in DOCKERFILE.splitlines() if not line.startswith("#"))
    found = [line.split(None, 1) for line in plain.replace("\\\n", " ").splitlines() if line]
    return [(first, rest) for first, rest in found]


def test_the_image_runs_as_a_user_without_rights() -> None:
    last_stage = [number for number, (kind, _) in enumerate(steps()) if kind == "FROM"][-1]
    users = [rest for kind, rest in steps()[last_stage:] if kind == "USER"]
    assert users == ["pelnas"]
    assert steps()[-2:] == [("ENTRYPOINT", '["pelnas"]'), ("CMD", '["--help"]')]


def test_what_is_installed_has_the_versions_of_the_constraints() -> None:
    installs = [part for kind, rest in steps() if kind == "RUN" for part in rest.split("&&")]
    installs = [part for part in installs if "pip install" in part]
    assert len(installs) == 2
    assert all("-c constraints.txt" in part for part in installs)
    assert "==" not in DOCKERFILE + COMPOSE


def test_extras_of_the_image_exist() -> None:
    import tomllib

    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    (named,) = re.findall(r"\.\[([a-z,]+)\]", DOCKERFILE)
    assert set(named.split(",")) <= extras.keys()


def test_what_is_copied_exists_and_is_let_through() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    for kind, rest in steps():
        if kind == "COPY" and not rest.startswith("--from"):
            for name in rest.split()[:-1]:
                assert (ROOT / name).exists()
                assert f"!{name}" in ignored
    assert "*" in ignored


def test_no_file_names_a_registry_or_holds_a_secret() -> None:
    assert "http" not in DOCKERFILE + COMPOSE
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if "PASSWORD" in name:
                assert value == "${POSTGRES_PASSWORD:-}"
            if "://" in str(value):
                assert ":${POSTGRES_PASSWORD:-}@" in value


def test_nothing_is_reached_from_other_machines() -> None:
    for name, service in SERVICES.items():
        if service.get("network_mode") == "host":
            assert "ports" not in service
            assert name != "chroma" or service["command"][:3] == ["run", "--host", "127.0.0.1"]
        else:
            assert all(port.startswith("127.0.0.1:") for port in service["ports"])


def test_every_command_exists_with_its_options() -> None:
    command = typer.main.get_command(app)
    for service in OURS.values():
        if "entrypoint" not in service:
            name, *arguments = service["command"]
            found = command.commands[name]  # type: ignore[attr-defined]
            found.make_context(name, list(arguments))  # an unknown option raises


@pytest.mark.skipif(shutil.which("chroma") is None, reason="chroma's command is not installed")
def test_chroma_takes_its_options() -> None:
    arguments = SERVICES["chroma"]["command"]
    help_text = subprocess.run(
        ["chroma", arguments[0], "--help"], capture_output=True, text=True, check=True, timeout=120
    ).stdout
    for option in arguments[1::2]:
        assert option in help_text


def test_every_service_is_documented_with_its_command() -> None:
    for name in SERVICES:
        assert re.search(rf"docker compose (up|run --rm) {name}\b", DOCS), name


@pytest.mark.skipif(
    shutil.which("docker") is None
    or subprocess.run(
        ["docker", "compose", "version"], capture_output=True, check=False, timeout=60
    ).returncode
    != 0,
    reason="there is no docker compose",
)
def test_compose_reads_the_file() -> None:
    subprocess.run(
        ["docker", "compose", "-f", ROOT / "compose.yaml", "config", "--quiet"],
        check=True,
        timeout=120,
    )
