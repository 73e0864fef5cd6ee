"""What a run reaches beyond its folder, and whether the user of this machine ever named it.

The settings of a run may be somebody else's. An address in them would get the user's key, a
folder of questions would be written to, a file of weights would be loaded, and prompts would be
sent. Such a place is reached only where the user named it: in this command, or in an earlier
one on this machine. What was named before is kept as digests in a private file of the user's,
outside every run, since addresses may hold keys.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from platformdirs import user_state_dir

from pelnas.config import BUILTIN, KNOWLEDGE, ROLES, SearchConfig
from pelnas.errors import AddressError, UnreadableError
from pelnas.inputs import address
from pelnas.inputs.formats import read_text

STATE = "PELNAS_STATE"
FILE = "named"
SERVERS = ("OPENAI_BASE_URL", "OPENAI_API_BASE")  # variables by which the user names addresses, too


class Consent:
    """Which places this process may reach. ``given``: those that its user names; they are kept.

    ``accept``: the user takes whatever the run names.
    """

    def __init__(self, given: Iterable[str] = (), *, accept: bool = False) -> None:
        self._given = frozenset(given)
        self._accept = accept
        _keep(self._given)

    def check(self, places: Iterable[str]) -> None:
        """AddressError: some of these nobody named here; nothing may be reached then."""
        kept = _kept()
        new = [p for p in dict.fromkeys(places) if p not in self._given and _digest(p) not in kept]
        if new and not self._accept:
            raise AddressError([_shown(place) for place in new])
        _keep(new)


def reached(config: SearchConfig, models: Iterable[str]) -> list[str]:
    """The places that connecting these models (``provider:model``) under a configuration reaches.

    The providers' own addresses are no such places.
    """
    connected = [name for name in dict.fromkeys(models) if not name.startswith(BUILTIN)]
    places = [place for name in connected for place in _of_model(name, config.base_url)]
    if connected and config.prompts is not None:
        places.append(f"prompts:{_absolute(config.prompts)}")
    if config.knowledge not in KNOWLEDGE:
        places.append(f"knowledge:{config.knowledge}")
    return list(dict.fromkeys(places))


def clusters(config: SearchConfig) -> list[str]:
    """The Ray cluster that a configuration names, whose nodes run code for this process and it theirs."""
    return [config.scoring.pool] if "://" in config.scoring.pool else []


def named(config: SearchConfig) -> list[str]:
    """Every place that a configuration names, whichever models would use it."""
    roles = [(config.model_of(role), *config.fallbacks_of(role)) for role in ROLES]
    models = {config.model, *config.fallbacks, *(name for names in roles for name in names)}
    return [*reached(config, ["openai:any", *sorted(models)]), *clusters(config)]


def _of_model(name: str, base_url: str | None) -> Iterator[str]:
    provider, _, rest = name.partition(":")
    if provider == "openai" and base_url:
        place = address.shown(base_url).rstrip("/")  # as a run keeps it: without its key
        variables = (os.environ.get(name, "").strip() for name in SERVERS)
        if place not in (address.shown(one).rstrip("/") for one in variables):
            yield place
    if provider in ("hand", "local"):
        yield f"{provider}:{_absolute(rest)}"
    if provider == "huggingface":  # which downloads weights and runs them in this process
        yield name


def _absolute(path: str | Path) -> str:
    """As text, also of a path that no file can have."""
    with suppress(RuntimeError):  # a home that nobody has
        path = Path(path).expanduser()
    return os.path.abspath(path)


def _shown(place: str) -> str:
    """Without what may be a key."""
    return address.shown(place) if "://" in place else place


# -- the file -------------------------------------------------------------------


def _file() -> Path:
    folder = os.environ.get(STATE) or user_state_dir("pelnas")
    return Path(folder) / FILE


def _digest(place: str) -> str:
    return hashlib.sha256(place.encode("utf-8", "surrogatepass")).hexdigest()


def _kept() -> set[str]:
    try:
        return set(read_text(_file()).split())
    except UnreadableError:
        return set()  # nothing was named yet, or it cannot be read: then it is asked for


def _keep(places: Iterable[str]) -> None:
    """Where the file cannot be written, the places are asked for again another time."""
    new = sorted({_digest(place) for place in places} - _kept())
    if not new:
        return
    file = _file()
    with suppress(OSError):
        file.parent.mkdir(0o700, parents=True, exist_ok=True)
        handle = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(handle, "w") as lines:
            lines.write("".join(f"{digest}\n" for digest in new))
