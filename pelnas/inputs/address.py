"""The address of a model server, shown without the keys that it may contain.

A gateway may be given its key in the query, in the path, or as user and password.
What is written down, shown or sent to anybody else is ``shown``.
"""

import re
from collections.abc import Iterator
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit, urlunsplit

HIDDEN = "***"
_SHORT = 8  # characters of a part of a path that are too few for a key
_PUBLIC = ("api-version", "api_version", "version", "model", "deployment", "region")
_PREFIX = re.compile(r"(?i)(?:sk|pk|rk|key|token|secret|gsk|xai|hf|ghp|glpat|AIza)[-_]?.*\d|sk-")
_PIECE = re.compile(r"[A-Z]?[a-z]{0,20}|[A-Z]{1,8}|[A-Za-z0-9]{1,5}")  # of the name of an endpoint


def shown(url: str) -> str:
    """The address with every part that may be a key as ``***``; what is no address at all is hidden."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return HIDDEN
    user, at, host = parts.netloc.rpartition("@")
    path = "/".join(HIDDEN if _may_be_key(part) else part for part in parts.path.split("/"))
    query = "&".join(_shown_pair(pair) for pair in parts.query.split("&") if pair)
    return urlunsplit(
        (parts.scheme, (HIDDEN if user else "") + at + host, path, query, parts.fragment and HIDDEN)
    )


def secrets(url: str) -> tuple[str, ...]:
    """What ``shown`` hides, as it is written in the address and as it is meant."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ()
    found = dict.fromkeys(form for one in _hidden(parts) for form in (one, unquote(one)))
    return tuple(one for one in found if len(one) > 4 and one != HIDDEN)


def split_query(url: str) -> tuple[str, dict[str, str]]:
    """The address without its query, and the query: clients add their paths to the end."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    return urlunsplit((parts.scheme, parts.netloc, parts.path, "", "")), query


def _hidden(parts: SplitResult) -> Iterator[str]:
    user = parts.netloc.rpartition("@")[0]
    yield from filter(None, (user, *user.partition(":")[::2], parts.fragment))
    yield from (part for part in parts.path.split("/") if _may_be_key(part))
    for pair in parts.query.split("&"):
        name, _, value = pair.partition("=")
        if HIDDEN in _shown_pair(pair):
            yield value or name


def _shown_pair(pair: str) -> str:
    name, equals, value = pair.partition("=")
    if not equals:
        return HIDDEN if pair else ""
    return pair if name.lower() in _PUBLIC or not value else f"{name}={HIDDEN}"


def _may_be_key(part: str) -> bool:
    """Whether a part of a path looks like no name: paths of endpoints are made of words."""
    text = unquote(part)
    if len(text) < _SHORT or text == HIDDEN:
        return False
    if _PREFIX.match(text):
        return True
    return not all(_PIECE.fullmatch(piece) for piece in re.split(r"[-_.:]", text))
