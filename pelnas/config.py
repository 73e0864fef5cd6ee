"""Every setting of a search, frozen, with its unit and its default in one place.

A configuration is a value: it is read from a TOML file and from arguments,
checked once, and written into the run's folder as it was resolved.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    StringConstraints,
    ValidationError,
    field_serializer,
    field_validator,
    model_serializer,
    model_validator,
)

from pelnas.accelerator import CPU, Asked
from pelnas.errors import ConfigError, UnreadableError
from pelnas.inputs import address, bounds
from pelnas.inputs.bounds import Range, within
from pelnas.inputs.formats import read_toml
from pelnas.inputs.paths import expanded
from pelnas.inputs.quantities import COSTS, CostName
from pelnas.inputs.setting import Effect, Setting, owned, served
from pelnas.pool import PROCESSES, is_pool

BUILTIN = "builtin:"  # before the names of what needs no language model
DEFAULT_MODEL = f"{BUILTIN}evolver"  # the offline default: no language model at all
AUTO: Literal["auto"] = (
    "auto"  # of accuracy, partition, accelerator: what serves best; a run stores what that was
)
KNOWLEDGE = ("user", "off")  # settings of the knowledge base that are no place
ROLES = ("planner", "designer", "reflection")
MOST_COSTS = 2  # beside accuracy: with more, nearly every network is on the front
LONGEST_LIMIT = 200  # characters of a limit
SHOWN = 80  # characters of a value that is not understood

Place = Annotated[Path, AfterValidator(expanded)]
Limit = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_LIMIT)]
Passes = Annotated[int, within(bounds.PASSES)]


def _share(given: Any) -> Any:
    """A number from 0 to 1, as text or not, or ``auto``. ValueError: anything else."""
    if given == AUTO:
        return given
    try:
        share = float(given)
    except (TypeError, ValueError, OverflowError):
        share = float("nan")
    if isinstance(given, bool) or share not in bounds.SHARE:
        raise ValueError(
            f"expected a share of designs of {bounds.SHARE} or auto, found {_shown(given)}: change it"
        )
    return share


#: A share of designs, or ``auto``: by what each side's designs bring.
Share = Annotated[Annotated[float, within(bounds.SHARE)] | Literal["auto"], BeforeValidator(_share)]


class _Frozen(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True
    )


class Budget(_Frozen):
    """What a run may spend; ``None`` is no limit. Counted over all resumes of a run."""

    calls: Annotated[
        int | None,
        within(bounds.CALLS),
        served("Language-model calls of a run at most.", option="max_calls"),
    ] = None
    tokens: Annotated[
        int | None,
        within(bounds.TOKENS),
        served("Tokens of a run at most, in and out.", option="max_tokens"),
    ] = None
    dollars: Annotated[
        float | None,
        within(bounds.DOLLARS),
        served("Dollars of a run at most; every price must be known.", option="max_dollars"),
    ] = None  # by the catalogue of prices
    minutes: Annotated[
        float | None,
        within(bounds.MINUTES),
        served("Minutes of a run at most.", option="max_minutes"),
    ] = None  # wall time while running
    evaluations: Annotated[
        int | None,
        within(bounds.EVALUATIONS),
        served("Networks scored in a run at most.", option="max_evaluations"),
    ] = None


class Turns(_Frozen):
    """How many calls reach a provider at the same time; written ``PROVIDER=N`` or ``N``.

    ``provider``: what stands before the colon of its models' names, '' for every other one.
    """

    provider: str = ""
    calls: Annotated[int, within(bounds.AT_ONCE)]

    @model_validator(mode="before")
    @classmethod
    def _read(cls, given: Any) -> Any:
        if not isinstance(given, str):
            return given
        found = re.fullmatch(r"(?:([a-z][a-z0-9_]*)=)?([1-9][0-9]{0,5})", given.replace(" ", ""))
        if found is None:
            raise ValueError(
                f"expected calls at a time as PROVIDER=N or N, such as openai=4, found {given[:80]!r}:"
                " give a whole number from 1 on"
            )
        return {"provider": found[1] or "", "calls": int(found[2])}

    @model_serializer
    def _write(self) -> str:
        return f"{self.provider}={self.calls}" if self.provider else str(self.calls)


class Measurement(_Frozen):
    """How latency is measured on this machine."""

    runtime: Annotated[
        Literal["onnxruntime", "torch", "torch-compile"],
        owned("What runs networks on this machine: onnxruntime, torch or torch-compile."),
    ] = "onnxruntime"
    batch: Annotated[int, within(bounds.BATCH)] = 1  # images a forward pass
    # one thread is the steadiest, and what small devices have
    threads: Annotated[int, within(bounds.THREADS)] = 1
    warmup: Passes = 5  # forward passes that are not counted
    repeats: Passes = 30  # forward passes at least whose median counts, see runtimes/timing.py


def _size(given: Any) -> Any:
    """``224`` for squares, ``96x128`` (height x width) for the rest; ValueError: anything else."""
    found = re.fullmatch(r"(\d{1,9})(?:x(\d{1,9}))?", str(given).strip().lower())
    sides = [int(side) for side in found.groups() if side] if found else []
    if not sides or isinstance(given, bool) or not all(side in bounds.RESOLUTION for side in sides):
        raise ValueError(
            f"expected pixels a side of {bounds.RESOLUTION} as 224 or 96x128 (height x width),"
            f" found {_shown(given)}: change it"
        )
    return sides[0] if len(set(sides)) == 1 else f"{sides[0]}x{sides[1]}"


#: Pixels a side, or height and width as ``96x128``.
Resolution = Annotated[
    Annotated[str, StringConstraints(pattern=r"^\d+x\d+$")]
    | Annotated[int, within(bounds.RESOLUTION)],
    BeforeValidator(_size),
]


def _pool(name: str) -> str:
    if not is_pool(name):
        raise ValueError(
            f"expected processes, ray or ray://HOST:PORT, found {_shown(name)}: name one of these"
        )
    return name


class Scoring(_Frozen):
    """How zero-cost proxies are computed."""

    reference: Annotated[
        int,
        within(bounds.REFERENCE),
        owned("Sampled networks that set the scale of scores.", "scores"),
    ] = 64
    batch: Annotated[
        int, within(Range(2, bounds.BATCH.high)), owned("Images that each proxy sees.", "scores")
    ] = 32
    resolution: Annotated[
        Resolution, owned("Pixels a side of the images, or HEIGHTxWIDTH.", "niches")
    ] = 32
    channels: Annotated[
        int | None,
        within(bounds.CHANNELS),
        owned(
            "Channels that networks get: 1 for grey, 3 for colour.",
            "niches",
            otherwise="3, or those of an .npz of another number",
        ),
    ] = None
    workers: Annotated[int, within(bounds.WORKERS)] = 0  # processes; 0: one for each core
    pool: Annotated[
        str,
        AfterValidator(_pool),
        owned("Where networks are scored: processes (here), ray, or ray://HOST:PORT."),
    ] = PROCESSES
    accelerator: Annotated[
        Asked,
        owned("What computes proxies: cpu, cuda, mps, or auto for the fastest here.", "scores"),
    ] = CPU

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the images in pixels."""
        height, _, width = str(self.resolution).partition("x")
        return int(height), int(width or height)


class SearchConfig(_Frozen):
    """One search: each setting with its range, what is known of it (``Setting``), and its default.

    The order is that of the options in ``pelnas search --help``.
    """

    space: Annotated[str, served("Search space; see `pelnas spaces`.", "niches", "tokens")] = (
        "nasbench201"
    )
    device: Annotated[
        str,
        served(
            "host, host-cuda: this machine; else a device of --data, see `devices`.",
            "costs",
            "time",
        ),
    ] = "host"
    dataset: Annotated[
        str, served("Data set of the tables in --data, or a label for --images.", "tables")
    ] = ""  # "" : the images' own name, or the only dataset of the table
    images: Annotated[
        Place | None,
        owned(
            "Folder of class folders, .npz or .parquet.", "scores", "time", otherwise="small digits"
        ),
    ] = None
    data: Annotated[Place | None, owned("Folder of benchmark tables.", "tables")] = None
    accuracy: Annotated[
        str, served("Accuracy predictor, or table for benchmark truth.", "scores", "time")
    ] = AUTO
    labels: Annotated[
        tuple[Place, ...],
        owned(
            "For few-shot: CSV of architecture,accuracy, or a trained run; repeatable.", "few-shot"
        ),
    ] = ()
    prior: Annotated[
        Literal["rank-sum", "transfer"] | None,
        served("Where few-shot starts: rank-sum or transfer, which it prefers.", "few-shot"),
    ] = None  # None: what serves
    objectives: Annotated[
        tuple[CostName, ...],
        served(
            f"A cost to minimise beside accuracy, one or two of {', '.join(COSTS)}; repeatable.",
            "niches",
            option="objective",
        ),
    ] = ("latency",)
    limits: Annotated[
        tuple[Limit, ...],
        served(
            "What no network of the front may exceed, such as energy<=5 (ms, mJ, B, plain"
            " counts); repeatable.",
            "niches",
            option="limit",
        ),
    ] = ()
    model: Annotated[str, served("provider:model of all agents.")] = DEFAULT_MODEL
    planner_model: Annotated[
        str | None, served("Model of the planner agent, in place of --model.")
    ] = None
    designer_model: Annotated[
        str | None, served("Model of the designer agents, in place of --model.")
    ] = None
    reflection_model: Annotated[
        str | None, served("Model of the reflection agent, in place of --model.")
    ] = None
    fallbacks: Annotated[
        tuple[str, ...],
        served("Fallback where an agent's model fails; repeatable.", option="fallback"),
    ] = ()  # asked in turn
    planner_fallbacks: Annotated[
        tuple[str, ...] | None,
        served("The planner's own, in place of --fallback.", option="planner_fallback"),
    ] = None  # (): none
    designer_fallbacks: Annotated[
        tuple[str, ...] | None,
        served("The designers' own, in place of --fallback.", option="designer_fallback"),
    ] = None
    reflection_fallbacks: Annotated[
        tuple[str, ...] | None,
        served("Reflection's own, in place of --fallback.", option="reflection_fallback"),
    ] = None
    concurrency: Annotated[
        tuple[Turns, ...],
        owned("Concurrent calls per provider: PROVIDER=N, or N for all others.", "time"),
    ] = ()  # (): no limit
    base_url: Annotated[str | None, owned("OpenAI-compatible server for openai: models.")] = None
    temperature: Annotated[
        float | None, within(bounds.TEMPERATURE), served("0 to 2; not sent unless given.")
    ] = None
    partition: Annotated[
        Literal["auto", "operations", "flops"],
        served("Partition the space by operations or flops.", "niches", "tokens"),
    ] = "auto"
    niches: Annotated[int, within(bounds.NICHES), served("", "tokens")] = (
        6  # of a partition by FLOPs
    )
    rounds: Annotated[int, within(bounds.ROUNDS), served("Rounds of design and reflection.")] = 10
    per_niche: Annotated[
        int,
        within(bounds.PER_NICHE),
        served("Designs per niche and round, on average.", "tokens"),
    ] = 10
    overlap: Annotated[
        bool,
        served(
            "Design the next round while this one is scored; agents then see the results of the"
            " round before it.",
            "time",
        ),
    ] = False
    # Pareto parents and rules that are shown to a designer
    parents: Annotated[int, within(bounds.PARENTS), served("", "tokens")] = 8
    rules: Annotated[int, within(bounds.RULES), served("", "tokens")] = 8
    designer_share: Annotated[
        Share,
        served(
            "Share of each niche's designs for the designers' model, or auto; the rest is built in.",
            "tokens",
        ),
    ] = 1.0
    question_form: Annotated[
        Literal["auto", "letters", "edits", "probe", "named"],
        served(
            "How designers are asked: auto, letters, edits, probe (by a short question), or named.",
            "tokens",
        ),
    ] = "auto"  # probe for models that run here, letters for others
    prompt_tokens: Annotated[
        int,
        within(bounds.PROMPT_TOKENS),
        served("Tokens of one prompt of an agent at most.", "tokens"),
    ] = 4000
    tool_calls: Annotated[
        int,
        within(bounds.TOOL_CALLS),
        served("Tool calls of each agent in a round; 0: no tools.", "tokens"),
    ] = 0
    seed: Annotated[
        int, within(bounds.SEED), served("The same seed and answers give the same front.", "scores")
    ] = 0
    output: Annotated[Place, owned("Folder of all runs.")] = Path("runs")
    name: Annotated[str, served("Name of the run, after the time stamp.")] = "search"
    rules_from: Annotated[
        tuple[Place, ...], served("Earlier run whose rules to start from; repeatable.", run=True)
    ] = ()
    knowledge: Annotated[
        str,
        owned(
            "Folder of what earlier runs learned, or address of a Chroma server. Default: one folder"
            " of the user's."
        ),
    ] = "user"  # or off; see pelnas/knowledge/location.py
    # when the built-in designer asks a surrogate: always, in large spaces and with several costs
    # alone (as runs before 0.2), or never
    surrogate: Annotated[Literal["always", "large", "never"], served()] = "always"
    # the first round: the agents' own, or equal shares of random members of each niche, the same
    # for every model, so that searches can be compared
    first_round: Annotated[Literal["designed", "drawn"], served()] = "designed"
    # folder whose files replace prompts of the same name
    prompts: Annotated[Place | None, owned("", "tokens")] = None
    budget: Annotated[Budget, served()] = Budget()
    measurement: Annotated[Measurement, owned("", "costs", "time")] = Measurement()
    scoring: Annotated[Scoring, owned("", "time")] = Scoring()

    @field_validator("objectives")
    @classmethod
    def _one_or_two(cls, names: tuple[CostName, ...]) -> tuple[CostName, ...]:
        if len(set(names)) < len(names):
            raise ValueError(
                f"expected each objective once, found {', '.join(names)}: leave one of each"
            )
        if not 1 <= len(names) <= MOST_COSTS:
            raise ValueError(
                f"expected one or two costs beside accuracy, found {len(names)}: leave those that"
                " matter most, and limit the others with --limit"
            )
        return names

    @property
    def counts_footprint(self) -> bool:
        """Whether memory and size are counted for every network, because something needs them."""
        named = [*self.objectives, *(re.split("[<>=]", limit)[0] for limit in self.limits)]
        return not {"memory", "size"}.isdisjoint(name.strip() for name in " ".join(named).split())

    @field_validator("concurrency", mode="before")
    @classmethod
    def _one_or_more(cls, given: Any) -> Any:
        """A number alone is for every provider."""
        if given is None:
            return ()
        return (str(given),) if isinstance(given, int | str) else given

    @field_validator("concurrency")
    @classmethod
    def _once_each(cls, turns: tuple[Turns, ...]) -> tuple[Turns, ...]:
        twice = [name for name, times in Counter(t.provider for t in turns).items() if times > 1]
        if twice:
            raise ValueError(
                f"expected one number for each provider, found several for"
                f" {twice[0] or 'all others'}: leave one"
            )
        return turns

    @model_validator(mode="after")
    def _can_be_stored(self) -> Self:
        """Bytes that are no UTF-8 on a command line are no text, and no JSON could hold them."""
        try:
            stored = self.model_dump_json()
        except ValueError:
            raise ValueError(
                "expected names and paths in UTF-8, found other bytes in one"
            ) from None
        if r"\u0000" in stored:
            raise ValueError("expected names and paths of characters, found a null in one")
        return self

    @model_validator(mode="after")
    def _fits_a_machine(self) -> Self:
        """A batch that no memory holds would end the process where nobody could say why."""
        for name, batch in (
            ("measurement", self.measurement.batch),
            ("scoring", self.scoring.batch),
        ):
            if batch * prod(self.scoring.size) > bounds.PIXELS:
                raise ValueError(
                    f"expected {name}.batch images of scoring.resolution with at most"
                    f" {bounds.PIXELS} pixels in all, found {batch} of {self.scoring.resolution}"
                    " pixels a side: lower one of them"
                )
        return self

    @field_validator("knowledge")
    @classmethod
    def _is_a_place(cls, given: str) -> str:
        """A folder in full, since a run may be resumed from elsewhere; an address without a key."""
        if given in KNOWLEDGE:
            return given
        if "://" not in given:
            if not given.strip():
                raise ValueError(
                    f"expected a folder, an address or one of {', '.join(KNOWLEDGE)},"
                    " found nothing: name one"
                )
            return str(expanded(Path(given)).absolute())
        if not re.fullmatch(r"https?://[A-Za-z0-9.\-\[\]:]+/?", given):
            raise ValueError(
                "expected the address of a Chroma server such as http://127.0.0.1:8000, without user,"
                f" password or path, found {_shown(address.shown(given))}: correct it"
            )
        return given.rstrip("/")

    @field_validator("base_url")
    @classmethod
    def _no_password(cls, url: str | None) -> str | None:
        """Settings are stored with the run, keys are not."""
        if url is not None and "@" in url.partition("//")[2].partition("/")[0]:
            raise ValueError(
                "expected an address without user and password, which a run's folder would keep:"
                " give such an address by the variable OPENAI_BASE_URL"
            )
        return url

    @field_serializer("base_url", when_used="json")
    def _without_key(self, url: str | None) -> str | None:
        """What is kept and sent is JSON, and holds no key, see ``own_server``."""
        return None if url is None else address.shown(url)

    def here(self) -> Self:
        """The same, with nothing scored or measured on other machines."""
        scoring = self.scoring.model_copy(update={"pool": PROCESSES})
        return self.model_copy(update={"scoring": scoring})

    def at_once(self, provider: str) -> int | None:
        """How many calls may reach a provider at the same time; ``None``: any number."""
        turns = {limit.provider: limit.calls for limit in self.concurrency}
        return turns.get(provider, turns.get(""))

    def model_of(self, role: str) -> str:
        """The ``provider:model`` that plays a role."""
        own: str | None = getattr(self, f"{role}_model", None)
        return own or self.model

    def fallbacks_of(self, role: str) -> tuple[str, ...]:
        """The fallbacks of the model that plays a role, as they were named."""
        own: tuple[str, ...] | None = getattr(self, f"{role}_fallbacks")
        return self.fallbacks if own is None else own

    def chain_of(self, role: str) -> tuple[str, ...]:
        """The models of a role in the order in which they are asked, each once.

        It ends with what is built in, which never fails: what is named behind that is not asked.
        """
        named = (self.model_of(role), *self.fallbacks_of(role), DEFAULT_MODEL)
        chain = tuple(dict.fromkeys(named))
        last = next(place for place, name in enumerate(chain) if name.startswith(BUILTIN))
        return chain[: last + 1]


def _settings(
    model: type[BaseModel], section: str = "", shared: frozenset[Effect] = frozenset()
) -> Iterator[tuple[str, Setting]]:
    for name, field in model.model_fields.items():
        own = next((found for found in field.metadata if isinstance(found, Setting)), Setting())
        known = replace(own, affects=own.affects | shared)
        yield section + name, known
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _settings(field.annotation, f"{name}.", known.affects)


#: What is known of each setting and of each section, by dotted name (``scoring.batch``).
SETTINGS: Mapping[str, Setting] = dict(_settings(SearchConfig))


def affecting(*effects: Effect) -> tuple[str, ...]:
    """The settings that one of these depends on, by dotted name."""
    return tuple(name for name, known in SETTINGS.items() if known.affects.intersection(effects))


def load_config(
    path: Path | None = None, settings: Mapping[str, Any] | None = None
) -> SearchConfig:
    """A configuration from a TOML file, overridden by ``settings`` (nested; ``None`` values ignored).

    ConfigError: an unreadable file, an unknown setting, or a value out of range.
    """
    values: dict[str, Any] = _read_toml(path) if path is not None else {}
    _merge(values, settings or {})
    try:
        return SearchConfig.model_validate(values)
    except ValidationError as error:
        raise ConfigError(_first_problem(error)) from None


def with_settings(config: SearchConfig, settings: Mapping[str, Any]) -> SearchConfig:
    """The configuration with other values of some settings, by dotted name (``scoring.batch``).

    Text is read as what the setting takes: ``none`` where it takes no value, commas
    between the parts of a list. ConfigError: an unknown setting, or a value out of range.
    """
    values = config.model_dump()
    for name, value in settings.items():
        *sections, last = name.split(".")
        place = values
        for section in sections:
            inside = place.setdefault(section, {})
            if not isinstance(inside, dict):
                raise ConfigError(f"unknown setting {name[:80]!r}: {section!r} has no parts")
            place = inside
        place[last] = _from_text(last, value) if isinstance(value, str) else value
    try:
        return SearchConfig.model_validate(values)
    except ValidationError as error:
        raise ConfigError(_first_problem(error)) from None


def _from_text(name: str, text: str) -> Any:
    if text == "none":
        return None
    field = SearchConfig.model_fields.get(name)
    kinds = () if field is None else (field.annotation, *get_args(field.annotation))
    if any(get_origin(kind) is tuple for kind in kinds):
        return [part.strip() for part in text.split(",") if part.strip()]
    return text


def differences(one: SearchConfig, other: SearchConfig) -> dict[str, tuple[Any, Any]]:
    """(in one, in the other) of every setting that differs, by dotted name, as JSON has them.

    What a run is called and where it is kept are no settings of a search. The address
    of a server, which may hold a key, is not told.
    """
    first, second = flat(one.model_dump(mode="json")), flat(other.model_dump(mode="json"))
    shown = {
        name: (first[name], second[name])
        for name in first
        if first[name] != second[name] and name not in ("name", "output")
    }
    if "base_url" in shown:
        shown["base_url"] = ("not told", "not told")
    return shown


def alike(one: SearchConfig, other: SearchConfig, *effects: Effect) -> bool:
    """Whether every setting that one of these depends on is the same in both."""
    return differences(one, other).keys().isdisjoint(affecting(*effects))


def flat(values: Mapping[str, Any]) -> dict[str, Any]:
    """Nested settings by dotted name."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            found |= {f"{name}.{inner}": part for inner, part in flat(value).items()}
        else:
            found[name] = value
    return found


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return read_toml(expanded(path))
    except UnreadableError as error:
        raise ConfigError(
            f"expected a TOML file of settings at {path}, found {error}: correct the path or the file"
        ) from None


def _merge(into: dict[str, Any], new: Mapping[str, Any]) -> None:
    for key, value in new.items():
        if isinstance(value, Mapping):
            nested = into.setdefault(key, {})
            if isinstance(nested, dict):
                _merge(nested, value)
            else:
                into[key] = dict(value)
        elif value is not None:
            into[key] = value


def _first_problem(error: ValidationError) -> str:
    problem = error.errors()[0]
    where = ".".join(map(str, problem["loc"]))[:SHOWN]
    if problem["type"] == "value_error":
        return (
            f"setting {where!r}: {problem['ctx']['error']}"
            if where
            else str(problem["ctx"]["error"])
        )
    if problem["type"] == "extra_forbidden":
        return f"unknown setting {where!r}: settings are {', '.join(SearchConfig.model_fields)}"
    return (
        f"setting {where!r}: {problem['msg'].lower()}, found {_shown(problem['input'])}: change it"
    )


def _shown(value: object) -> str:
    """What was found, cut: a number may have more digits than Python prints."""
    try:
        return repr(value)[:SHOWN]
    except (ValueError, RecursionError):
        return "a value without end"
