"""``pelnas models``: which language models are usable here, and whether one works."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import BaseModel

from pelnas.app import options

if TYPE_CHECKING:
    from pelnas.agents.models.catalogue import Available

models = typer.Typer(help="Language models: which are usable here, and whether one works.")

SYSTEM = "You are asked whether you answer."  # a search has such a message in every question
QUESTION = "Answer with the word ready, and nothing else."
FAILED = 1  # exit code where the model did not answer as asked
PATIENCE = 60.0  # seconds


class Ready(BaseModel):
    """The tiny answer that a model is checked by."""

    word: str


@models.callback(invoke_without_command=True)
def list_models(
    context: typer.Context,
    folder: Annotated[
        list[Path] | None,
        typer.Option("--folder", help="Folder of GGUF files; also by PELNAS_MODELS. Repeatable."),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """List what is usable here: built in, GGUF files, Ollama, and providers whose key is set."""
    if context.invoked_subcommand is not None:
        return
    from pelnas.agents.models.catalogue import available
    from pelnas.app.display.output import print_json, print_table

    found = list(available(folder or ()))
    if as_json:
        print_json({"models": [one.to_dict() for one in found]})
        return
    print_table(
        "prices in dollars for a million tokens",
        ("model", "where", "context", "held answers", "tools", "in", "out", "needs"),
        [_row(one) for one in found],
        right=("context", "in", "out"),
    )


def _row(one: "Available") -> tuple[str, ...]:
    return (
        one.name,
        one.where,
        "" if one.context is None else f"{one.context:,}",
        _yes(one.structured),
        _yes(one.tools),
        _price(one.dollars_in),
        _price(one.dollars_out),
        one.needs,
    )


def _yes(known: bool | None) -> str:
    return "" if known is None else "yes" if known else "no"


def _price(dollars: float | None) -> str:
    return "unknown" if dollars is None else f"{dollars:g}"


@models.command()
def check(
    model: Annotated[str, typer.Argument(help="provider:model")],
    base_url: options.BaseUrl = None,
    as_json: options.Json = False,
) -> None:
    """Make one tiny structured call and say what worked, how long it took and what it cost."""
    from pelnas.app.display.output import print_json, say

    found = _checked(model, base_url)
    if as_json:
        print_json(found)
    else:
        for line in _lines(found):
            say(line)
    if not found["works"]:
        raise typer.Exit(FAILED)


def _checked(name: str, base_url: str | None) -> dict[str, Any]:
    """What came of the call. ModelError: the model cannot be connected to."""
    from pelnas.agents.models.base import RetryPolicy
    from pelnas.agents.models.connection import connect
    from pelnas.agents.models.json_answer import read_answer
    from pelnas.agents.models.reply_checks import received
    from pelnas.calls.call import Message
    from pelnas.errors import ModelCallError

    retry = RetryPolicy(timeout=PATIENCE, attempts=2, total=PATIENCE)
    model = connect(name, base_url=base_url, retry=retry)
    started = time.perf_counter()
    try:
        asked = [Message("system", SYSTEM), Message("user", QUESTION)]
        reply = received(model.ask(asked, Ready), asked)
    except ModelCallError as error:
        seconds = time.perf_counter() - started
        return {"model": name, "works": False, "problem": str(error), "seconds": seconds}
    finally:
        model.close()
    answer, problem = read_answer(reply.text, Ready)
    return {
        "model": name,
        "works": answer is not None,
        "problem": problem,
        "seconds": reply.usage.seconds,
        "answered_by": reply.model,
        "rung": reply.rung,
        "answer": reply.text[:200],
        "tokens_in": reply.usage.tokens_in,
        "tokens_out": reply.usage.tokens_out,
        "dollars": reply.usage.price,
    }


def _lines(found: dict[str, Any]) -> list[str]:
    from pelnas.calls.prices import in_words
    from pelnas.traces.text import one_line

    verdict = "works" if found["works"] else f"does not work: {one_line(found['problem'], 400)}"
    lines = [f"{found['model']} {verdict}"]
    if "rung" in found:
        lines += [
            f"served by  {found['rung']}",
            f"answer     {one_line(found['answer'])}, from {one_line(found['answered_by'])}",
            f"cost       {found['seconds']:.2f} s, {found['tokens_in']} tokens in,"
            f" {found['tokens_out']} out, {in_words(found['dollars'])}",
        ]
    return lines
