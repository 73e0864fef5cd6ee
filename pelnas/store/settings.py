"""The settings of a run: ``run.json`` for people, sealed by a copy of it in the store."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pelnas.config import SearchConfig
from pelnas.errors import RunError, UnreadableError
from pelnas.inputs import bounds
from pelnas.inputs.formats import parse_json, read_text
from pelnas.store.database import Database
from pelnas.store.decoding import decodes, json_of
from pelnas.store.folder import CONFIG, check_plain, is_run

SHOWN = 3  # differing settings that a message names


def text_of(config: SearchConfig) -> str:
    """The file of a configuration."""
    return config.model_dump_json(indent=2) + "\n"


def read_config(folder: Path) -> tuple[SearchConfig, str]:
    """The settings in a run's folder, and the text that they stand in. RunError: none."""
    if not is_run(folder):
        raise RunError(f"there is no run in {folder}: name the folder of one, see `pelnas runs`")
    check_plain(folder)
    try:
        text = read_text(folder / CONFIG)
        return SearchConfig.model_validate(_completed(parse_json(text))), text
    except (UnreadableError, ValidationError) as error:
        problem = str(error).splitlines()[0]
        raise RunError(
            f"expected the settings of a run in {folder / CONFIG}, found {problem}:"
            f" `pelnas verify {folder} --repair` restores the file"
        ) from None


def _completed(values: Any) -> Any:
    """The settings with what a run of an older pelnas did without saying so.

    Torch was its runtime, and no surrogate was asked in a space that can be listed. Networks stood
    in prompts by the names of their operations, however long that made them. No knowledge of other
    runs was used or kept.
    """
    if isinstance(values, dict) and "knowledge" not in values:
        values = values | {"knowledge": "off"}
    if isinstance(values, dict) and "question_form" not in values:
        values = values | {
            "question_form": "named",
            "prompt_tokens": int(bounds.PROMPT_TOKENS.high),
        }
    measurement = values.get("measurement") if isinstance(values, dict) else None
    if not isinstance(measurement, dict) or "runtime" in measurement:
        return values
    before = {"measurement": measurement | {"runtime": "torch"}, "surrogate": "large"}
    return values | before


def seal(database: Database, text: str) -> None:
    """Keep the settings beside what comes of them; the first ones stay."""
    with database.transaction() as connection:
        connection.execute("INSERT OR IGNORE INTO settings VALUES (1, ?)", (text,))


def sealed(database: Database) -> str | None:
    """The settings that the run was made with; ``None`` for a run of an older pelnas."""
    found = database.rows("SELECT body FROM settings")
    return found[0]["body"] if found else None


def check_seal(database: Database, path: Path, text: str) -> None:
    """RunError: the file says something else than what the run was made with."""
    kept = sealed(database)
    if kept is None or kept == text:
        return
    changed = list(_changed(_settings_of(kept), parse_json(text)))
    if changed:
        shown = "; ".join(f"{name} {was} → {is_}" for name, was, is_ in changed[:SHOWN])
        raise RunError(
            f"{path} was changed after its run was made ({shown[:300]}), which would mix results of"
            f" different settings: `pelnas verify {path.parent} --repair` restores the file, and"
            " `pelnas fork --set` goes on under other settings"
        )


@decodes
def _settings_of(stored: str) -> Mapping[str, Any]:
    return dict(json_of(stored))


def _changed(
    kept: Mapping[str, Any], found: Mapping[str, Any], prefix: str = ""
) -> Iterator[tuple[str, str, str]]:
    for name in sorted(kept.keys() | found.keys()):
        was, is_ = kept.get(name), found.get(name)
        if isinstance(was, Mapping) and isinstance(is_, Mapping):
            yield from _changed(was, is_, f"{prefix}{name}.")
        elif was != is_:
            yield f"{prefix}{name}", json.dumps(was), json.dumps(is_)
