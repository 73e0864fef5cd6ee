"""Trained accuracies come in as they were written, or are refused with the line that is wrong."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pelnas.errors import DataError
from pelnas.predictors.labels import Label, check_labels, read_labels, write_labels
from pelnas.spaces import get_space

TINY = get_space("tiny")
FIRST = TINY.format(TINY.at(0))


def write(folder: Path, text: str) -> Path:
    path = folder / "labels.csv"
    path.write_text(text, encoding="utf-8")
    return path


@given(
    st.dictionaries(st.integers(0, TINY.size - 1), st.floats(0, 100), max_size=20).map(
        lambda found: [Label(TINY.format(TINY.at(i)), a) for i, a in found.items()]
    )
)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, labels: list[Label]
) -> None:
    path = write(tmp_path_factory.mktemp("labels"), write_labels(labels))
    assert read_labels(path, TINY) == labels


def test_an_index_will_do_and_other_columns_do_not_matter(tmp_path: Path) -> None:
    path = write(tmp_path, "\ufeffseed, accuracy ,architecture\n1, 91.5 , 7\n\n2,80,3\n")
    assert read_labels(path, TINY) == [
        Label(TINY.format(TINY.at(7)), 91.5),
        Label(TINY.format(TINY.at(3)), 80.0),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "columns architecture and accuracy in the first line .* found nothing"),
        ("cell,accuracy\n7,80\n", "found cell, accuracy: add that line"),
        ("architecture,accuracy\n7,80\n125,80\n", "line 3 .* names no architecture: tiny has"),
        ("architecture,accuracy\n|what~0|,80\n", "line 2 .* names no architecture"),
        (f"architecture,accuracy\n0,80\n3,80\n{FIRST},81\n", "once in .* in lines 2 and 4"),
        ("architecture,accuracy\n7,101\n", "from 0 to 100 percent in line 2 .* '101'"),
        ("architecture,accuracy\n7,-1\n", "found '-1'"),
        ("architecture,accuracy\n7,nan\n", "found 'nan'"),
        ("architecture,accuracy\n7\n", "line 2 .* found ''"),
        ("architecture,accuracy\n7,good\n", "found 'good'"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_labels(write(tmp_path, text), TINY)


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_bytes(b"architecture,accuracy\n\xff\xfe,80\n")
    for path in (tmp_path / "labels.csv", tmp_path / "none.csv", tmp_path):
        with pytest.raises(DataError, match=f"CSV file of labels at {path}"):
            read_labels(path, TINY)


def some(*accuracies: float) -> list[Label]:
    return [Label(TINY.format(TINY.at(i)), a) for i, a in enumerate(accuracies)]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (some(*range(50, 59)), "at least 10 trained accuracies for few-shot, found 9"),
        ([*some(*range(50, 60)), Label(FIRST, 70.0)], "one accuracy of each"),
        (some(*(i / 10 for i in range(10))), "in percent in the labels, found none above 0.9"),
        (some(*[80.0] * 10), "that differ, found 80 for all 10"),
    ],
)
def test_what_teaches_nothing_is_refused(labels: list[Label], message: str) -> None:
    with pytest.raises(DataError, match=message):
        check_labels(labels)


def test_ten_that_differ_will_do() -> None:
    check_labels(some(*range(50, 60)))
