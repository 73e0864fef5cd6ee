"""Runs as resources of an MCP host: listed, read by template, completed; nothing outside the folder."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mcp_talks import both, hold

from pelnas.report import front_json
from pelnas.store import RunStore

pytest.importorskip("mcp", reason="the extra 'mcp' is not installed")
Talk = Callable[..., None]
VIEWS = {"status", "front.json", "rules", "trace", "report.html"}


async def read(client: Any, uri: str) -> Any:
    (content,) = (await client.read_resource(uri)).contents
    return json.loads(content.text) if content.mime_type == "application/json" else content.text


@both
def test_runs_are_listed_and_read(talkative_run: Path, talk: Talk) -> None:
    root = f"pelnas://runs/{talkative_run.name}"
    with RunStore.read(talkative_run) as store:
        front, rounds = json.loads(front_json(store)), store.designed()[0]
        known = {rule.id for rule in store.rules()}
        calls = len(store.calls())

    async def ask(client: Any) -> None:
        from mcp.types import ResourceTemplateReference

        listed = {str(each.uri): each for each in (await client.list_resources()).resources}
        assert {"pelnas://runs", *(f"{root}/{view}" for view in VIEWS)} <= set(listed)
        templates = (await client.list_resource_templates()).resource_templates
        assert {t.uri_template for t in templates} == {f"pelnas://runs/{{run}}/{v}" for v in VIEWS}
        assert all(each.description for each in templates)
        for uri in listed:
            assert await read(client, uri)
        assert {r["run"] for r in await read(client, "pelnas://runs")} >= {talkative_run.name}
        assert (await read(client, f"{root}/status"))["run"] == talkative_run.name
        assert await read(client, f"{root}/front.json") == front
        assert {rule["id"] for rule in await read(client, f"{root}/rules")} == known
        trace = await read(client, f"{root}/trace")
        assert next(each["id"] for each in trace if each["id"] != "report") == "r0"
        assert (
            sum(each["id"].startswith("r") and each["id"][1:].isdigit() for each in trace) == rounds
        )
        assert sum(each["calls"] for each in trace) == calls
        assert (await read(client, f"{root}/report.html")).lstrip().startswith("<!DOCTYPE html>")
        reference = ResourceTemplateReference(uri="pelnas://runs/{run}/status")
        completion = await client.complete(
            reference, {"name": "run", "value": talkative_run.name[:3]}
        )
        assert talkative_run.name in completion.completion.values

    talk(talkative_run.parent, ask)


@pytest.mark.parametrize(
    "uri",
    [
        "pelnas://runs/nobody/status",
        "pelnas://runs/..%2F..%2Fetc/status",
        "pelnas://runs/%2Fetc/report.html",
        "pelnas://runs/../status",
        "pelnas://runs/a%00b/status",
        "pelnas://runs/{}/run.sqlite",
        "pelnas://runs/{}/../../secret/status",
        "file:///etc/passwd",
        "pelnas://runs/" + "x" * 5_000 + "/status",
    ],
)
def test_nothing_else_is_read(talkative_run: Path, uri: str) -> None:
    from mcp.shared.exceptions import MCPError

    from pelnas.app.mcp.tools import server

    async def ask(client: Any) -> None:
        with pytest.raises(MCPError) as caught:
            await client.read_resource(uri.replace("{}", talkative_run.name))
        assert "Traceback" not in str(caught.value)
        assert "root:" not in str(caught.value)

    hold(server(talkative_run.parent), ask)


def test_a_run_without_a_report_says_so(begin: Callable[..., Path]) -> None:
    from mcp.shared.exceptions import MCPError

    from pelnas.app.mcp.tools import server

    folder = begin()

    async def ask(client: Any) -> None:
        listed = [str(each.uri) for each in (await client.list_resources()).resources]
        assert f"pelnas://runs/{folder.name}/status" in listed
        assert f"pelnas://runs/{folder.name}/report.html" not in listed
        with pytest.raises(MCPError, match="has no report yet"):
            await client.read_resource(f"pelnas://runs/{folder.name}/report.html")

    hold(server(folder.parent), ask)
