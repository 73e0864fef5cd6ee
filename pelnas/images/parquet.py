"""Encoded images in the rows of a parquet file."""

import hashlib
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pelnas.errors import ImagesError, UnreadableError
from pelnas.images.base import Labels, Pixels, Source, encode
from pelnas.images.depth import SAMPLE, Depth
from pelnas.images.parts import is_training
from pelnas.inputs.formats import parquet_errors, parquet_schema, parquet_table

LABEL_COLUMNS = ("label", "labels", "class", "class_name", "fine_label", "target", "y")
IMAGE_COLUMNS = ("image", "img", "jpeg", "png", "bytes")  # where several columns hold bytes
ROWS = 1024  # of a table in memory at once


class ParquetSource(Source):
    """One encoded image (JPEG, PNG, ...) a row, as bytes or as a struct with ``bytes``.

    Labels stand in the first column named as in ``LABEL_COLUMNS``, their names
    in ``class_name`` if it is there, and ``split`` keeps all but its training part for tests.
    """

    def __init__(self, path: Path) -> None:
        self.name, self._path = path.stem, path
        try:
            schema = parquet_schema(path)
            self._column, label = _image_column(schema, path), _label_column(schema, path)
            wanted = [name for name in (label, "class_name", "split") if name in schema.names]
            table = parquet_table(path, list(dict.fromkeys(wanted)))
            with parquet_errors():
                columns = table.to_pydict()
        except UnreadableError as error:
            raise ImagesError(
                f"expected a parquet file at {path}, found: {error}; replace it"
            ) from None
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256")
        self.labels = _labels(columns[label], columns, str(path))
        first = self._readable(range(min(SAMPLE, len(self.labels.index))))
        self._depth = Depth.of((BytesIO(data or b"") for _, data in first), str(path))
        self.dtype = self._depth.dtype
        digest.update("".join(self._depth.stamp).encode())
        self.digest = digest.hexdigest()

    def read(self, indices: Sequence[int], shape: tuple[int, int, int]) -> Iterator[Pixels]:
        for index, data in self._readable(indices):
            where = f"row {index} of {self._path}"
            if not data:
                raise ImagesError(f"expected an image in {where}, found none: remove the row")
            yield self._depth.decode(BytesIO(data), shape, where)

    def _readable(self, indices: Sequence[int]) -> Iterator[tuple[int, bytes | None]]:
        """These rows. ImagesError: a page of the file is damaged."""
        rows = self._rows(np.asarray(indices))
        try:
            while True:
                with parquet_errors():
                    found = next(rows, None)
                if found is None:
                    return
                yield found
        except UnreadableError as error:
            raise ImagesError(
                f"expected readable rows in {self._path}, found: {error}; replace the file"
            ) from None

    def _rows(self, wanted: NDArray[np.int64]) -> Iterator[tuple[int, bytes | None]]:
        """Rows by ascending index; row groups without any of them are not read."""
        from pyarrow import StructArray, parquet

        with parquet.ParquetFile(self._path) as file:
            start = 0
            for group in range(file.num_row_groups):
                stop = start + file.metadata.row_group(group).num_rows
                if not ((wanted >= start) & (wanted < stop)).any():
                    start = stop
                    continue
                for batch in file.iter_batches(ROWS, [group], columns=[self._column]):
                    stop = start + batch.num_rows
                    here = wanted[(wanted >= start) & (wanted < stop)]
                    cells = batch.column(0)
                    cells = cells.field("bytes") if isinstance(cells, StructArray) else cells
                    yield from ((int(i), cells[int(i - start)].as_py()) for i in here)
                    start = stop


def _image_column(schema: Any, path: Path) -> str:
    """The path of the one column that holds encoded images."""
    from pyarrow import types

    def is_bytes(kind: Any) -> bool:
        return bool(types.is_binary(kind) or types.is_large_binary(kind))

    found: dict[str, str] = {field.name: field.name for field in schema if is_bytes(field.type)}
    for field in schema:
        if types.is_struct(field.type):
            inner = {part.name: part.type for part in field.type}
            if "bytes" in inner and is_bytes(inner["bytes"]):
                found[field.name] = f"{field.name}.bytes"
    named = [name for name in IMAGE_COLUMNS if name in found]
    if len(found) != 1 and not named:
        raise ImagesError(
            f"expected one column of encoded images (bytes) in {path}, found columns"
            f" {', '.join(schema.names)}: name it {' or '.join(IMAGE_COLUMNS)}"
        )
    return found[(named or list(found))[0]]


def _label_column(schema: Any, path: Path) -> str:
    for name in LABEL_COLUMNS:
        if name in schema.names:
            return name
    raise ImagesError(
        f"expected a column {' or '.join(LABEL_COLUMNS)} in {path}, found columns"
        f" {', '.join(schema.names)}: add or rename one"
    )


def _labels(values: list[Any], columns: dict[str, list[Any]], where: str) -> Labels:
    if None in values:
        raise ImagesError(
            f"expected a label in every row of {where}, found none in row {values.index(None)}:"
            " add it or remove the row"
        )
    held_out = None
    if "split" in columns:
        held_out = np.array([not is_training(str(part)) for part in columns["split"]])
    labels = encode(np.array(values), where, held_out)
    names = dict(zip(labels.index.tolist(), columns.get("class_name", ()), strict=False))
    named = tuple(str(names.get(label) or name) for label, name in enumerate(labels.names))
    return Labels(labels.index, named, labels.held_out)
