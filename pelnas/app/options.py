"""The options that several commands share; those for settings are made from the configuration's fields."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import reduce, wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import typer
from pydantic.fields import FieldInfo

from pelnas.config import AUTO, SETTINGS, SearchConfig
from pelnas.inputs.bounds import Range

DEFAULTS = SearchConfig()
BY_HAND = "hand:questions"  # the model of --by-hand, which takes no value
#: The setting of each option by the option's parameter, in the order of the help of a search.
OPTIONS: Mapping[str, str] = {
    known.option or name.rpartition(".")[2]: name for name, known in SETTINGS.items() if known.text
}
BUDGETS = tuple(name for name in OPTIONS if OPTIONS[name].startswith("budget."))

Command = Callable[..., None]


def settings(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options by parameter as the nested settings of ``load_config``; what was not given is left out."""
    nested: dict[str, Any] = {}
    for name, value in options.items():
        if value is None or value == []:
            continue
        *sections, last = OPTIONS[name].split(".")
        place = reduce(lambda inside, section: inside.setdefault(section, {}), sections, nested)
        place[last] = value
    return nested


def takes(
    *names: str, texts: Mapping[str, str] | None = None, otherwise: str = ""
) -> Callable[[Command], Command]:
    """Options of settings for a command, which gets what was given as ``given``, see ``settings``.

    In the help they stand where ``given`` stands; options of the command itself, whose
    parameters are for keywords only, may be named among them. ``texts``: the whole help of some,
    in place of their own. ``otherwise``: what holds without an option, in place of the default.
    """

    def decorate(command: Command) -> Command:
        own = signature(command).parameters
        made = {
            name: Parameter(
                name,
                Parameter.KEYWORD_ONLY,
                default=None,
                annotation=option(name, (texts or {}).get(name, ""), otherwise),
            )
            for name in names
            if name not in own
        }
        rest = [name for name in own if name not in names]
        place = rest.index("given")
        shown = [{**own, **made}[name] for name in (*rest[:place], *names, *rest[place + 1 :])]

        @wraps(command)
        def run(**values: Any) -> None:
            command(given=settings({name: values.pop(name) for name in made}), **values)

        run.__signature__ = Signature(shown)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in shown}
        return run

    return decorate


def every(**behind: str) -> Sequence[str]:
    """All options of settings; ``behind``: options of the command itself, each behind one of them."""
    names = list(OPTIONS)
    for own, name in behind.items():
        names.insert(names.index(name) + 1, own)
    return names


def option(name: str, text: str = "", otherwise: str = "") -> Any:
    """The type of a parameter that is the option of a setting, see ``takes``."""
    known = SETTINGS[OPTIONS[name]]
    default = _field(name).default
    plain = default is False or default in (None, "", ())  # a flag is off unless it is given
    default_text = otherwise or (known.otherwise if plain else _in_words(default))
    text = text or known.text + (f" Default: {default_text}." if default_text else "")
    shown = typer.Option(f"--{name.replace('_', '-')}", help=text, autocompletion=NAMED.get(name))
    return Annotated[kind(name) | None, shown]


def _in_words(default: object) -> str:
    return ", ".join(map(str, default)) if isinstance(default, tuple) else str(default)


def _spaces() -> Sequence[str]:
    from pelnas.spaces import known_spaces

    return known_spaces()


def _devices() -> Sequence[str]:
    from pelnas.devices import known_devices

    return known_devices()


def _predictors() -> Sequence[str]:
    from pelnas.predictors import known_predictors

    return (AUTO, *known_predictors())


def _offered(names: Callable[[], Sequence[str]]) -> Callable[[str], list[str]]:
    def complete(incomplete: str) -> list[str]:
        return [name for name in names() if name.startswith(incomplete)]

    return complete


#: What a shell completes for options whose values are names, those of other packages among them.
NAMED = {
    "space": _offered(_spaces),
    "device": _offered(_devices),
    "accuracy": _offered(_predictors),
}


def kind(name: str) -> Any:
    """What the option of a setting is read as; a list where it may be given several times."""
    found = _plain(_field(name).annotation)
    return list[str] if found == list[Path] and SETTINGS[OPTIONS[name]].run else found


def _field(name: str) -> FieldInfo:
    *sections, last = OPTIONS[name].split(".")
    model: Any = SearchConfig
    for section in sections:
        model = model.model_fields[section].annotation
    field: FieldInfo = model.model_fields[last]
    return field


def _plain(annotation: Any) -> Any:
    parts = get_args(annotation)
    if get_origin(annotation) is tuple:
        return list[_plain(parts[0])]  # type: ignore[misc]
    if parts and get_origin(annotation) is not Literal:
        return _plain(parts[0])
    return annotation if annotation in (bool, int, float, Path) else str


def number(allowed: Range, name: str, text: str) -> Any:
    """An option for a number that is no setting of a search, within its range."""
    return typer.Option(name, min=allowed.low, max=allowed.high, callback=_is_number, help=text)


def _is_number(value: Any) -> Any:
    """NaN is neither below nor above any bound."""
    if isinstance(value, float) and math.isnan(value):
        raise typer.BadParameter("nan is not a number")
    return value


BaseUrl = option("base_url")
Data = option("data")
Output = option("output")
Resolution = option("resolution", "Pixels a side, or HEIGHTxWIDTH. Default: as in the search.")
Config = Annotated[
    Path | None, typer.Option("--config", help="TOML file of settings; options win over it.")
]
Json = Annotated[
    bool, typer.Option("--json", help="One JSON document on standard output and nothing else.")
]
Run = Annotated[
    str, typer.Argument(help="Name of a run, a part of it that is clear, its folder, or last.")
]


def runs_folder(output: Path | None) -> Path:
    """Where runs are, as ``--output`` or the configuration says."""
    return output or DEFAULTS.output
