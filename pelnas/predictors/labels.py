"""Trained accuracies, the labels that ``few-shot`` learns from."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from pelnas.errors import ArchitectureError, DataError, UnreadableError
from pelnas.inputs.formats import read_text
from pelnas.inputs.percent import check_percent
from pelnas.spaces import SearchSpace

COLUMNS = ("architecture", "accuracy")
KEPT = "labels.csv"  # the copy in the folder of a run that began with labels
FEWEST = 10  # labels below which nothing can be held out to say how good the fit is


@dataclass(frozen=True, slots=True)
class Label:
    """``architecture``: the space's official text; ``accuracy``: percent, higher is better."""

    architecture: str
    accuracy: float


def read_labels(path: Path, space: SearchSpace) -> list[Label]:
    """Labels of a CSV file with the columns ``architecture`` (text or index) and ``accuracy``.

    Other columns are ignored. DataError: a file that cannot be read, lacks a
    column, names no architecture of the space or one twice, or an accuracy
    that is no number from 0 to 100; the line is named.
    """
    found: dict[str, tuple[int, float]] = {}
    for line, row in _rows(path):
        text = _architecture(path, line, row[COLUMNS[0]], space)
        if text in found:
            raise DataError(
                f"expected each architecture once in {path}, found {text} in lines"
                f" {found[text][0]} and {line}: keep one of them, or their mean"
            )
        found[text] = (line, _accuracy(path, line, row[COLUMNS[1]]))
    return [Label(text, accuracy) for text, (_, accuracy) in found.items()]


def check_labels(labels: Sequence[Label]) -> None:
    """DataError: too few to learn from, one architecture twice, or nothing that differs in percent."""
    if len(labels) < FEWEST:
        raise DataError(
            f"expected at least {FEWEST} trained accuracies for few-shot, found {len(labels)}:"
            " train some more architectures (see `pelnas proxies suggest`)"
        )
    texts = [label.architecture for label in labels]
    if len(set(texts)) < len(texts):
        twice = next(text for text in texts if texts.count(text) > 1)
        raise DataError(
            f"expected one accuracy of each architecture, found several of {twice}:"
            " keep one of them, or their mean"
        )
    values = [label.accuracy for label in labels]
    check_percent(values, "the labels")
    if min(values) == max(values):
        raise DataError(
            f"expected accuracies that differ, found {values[0]:g} for all {len(values)}:"
            " label better and worse architectures"
        )


def write_labels(labels: Sequence[Label]) -> str:
    """The text of a CSV file that ``read_labels`` reads."""
    lines = [",".join(COLUMNS), *(f"{each.architecture},{each.accuracy!r}" for each in labels)]
    return "\n".join(lines) + "\n"


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and row of each line with something in it."""
    try:
        reader = csv.DictReader(io.StringIO(read_text(path), newline=""), skipinitialspace=True)
        names = [name.strip() for name in reader.fieldnames or ()]
        if not set(COLUMNS) <= set(names):
            raise DataError(
                f"expected the columns {' and '.join(COLUMNS)} in the first line of {path},"
                f" found {', '.join(names)[:100] or 'nothing'}: add that line"
            )
        reader.fieldnames = names
        for row in reader:
            yield reader.line_num, {name: (row[name] or "").strip() for name in COLUMNS}
    except (UnreadableError, csv.Error) as error:
        raise DataError(
            f"expected a CSV file of labels at {path}, found: {error}; correct the path or the file"
        ) from None


def _architecture(path: Path, line: int, text: str, space: SearchSpace) -> str:
    try:
        return space.format(space.read(text))
    except ArchitectureError as error:
        raise DataError(f"line {line} of {path} names no architecture: {error}") from None


def _accuracy(path: Path, line: int, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not (isfinite(value) and 0 <= value <= 100):
        raise DataError(
            f"expected an accuracy from 0 to 100 percent in line {line} of {path}, found"
            f" {text[:40]!r}: correct it"
        )
    return value
