"""Second pass over the reviews: headlines and texts of the surviving rows as plain text, streamed to disk."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pulse_core.artifacts import marked, whole_file
from pulse_core.data.formats import line_blocks
from pulse_core.data.json_lines import Field, line_starts, parse_lines
from pulse_core.data.raw_reader import fields_of
from pulse_core.data.settings import CorpusSettings
from pulse_core.data.text import as_text, cut_at_word, plain_text
from pulse_core.errors import InputError

REVIEW_SCHEMA = pa.schema([("user", pa.int32()), ("item", pa.int32()), ("summary", pa.string()), ("text", pa.string())])
# Bytes that plain_text may change: all but printable ASCII, and the start of an entity, a tag or one of Amazon's marks.
_TO_CLEAN = np.ones(256, dtype=bool)
_TO_CLEAN[ord(" ") : ord("~") + 1] = False
_TO_CLEAN[list(b"&<[")] = True


def clean_column(raw: pa.Array, limit: int) -> pa.Array:
    """`cut_at_word(plain_text(text), limit)` of each text, "" for null; texts that need no change are not touched."""
    column = raw.fill_null("")
    offsets = np.frombuffer(column.buffers()[1], np.int32)[column.offset : column.offset + len(column) + 1]
    content = np.frombuffer(column.buffers()[2] or b"", np.uint8)[offsets[0] : offsets[-1]]
    begins, ends = offsets[:-1] - offsets[0], offsets[1:] - offsets[0]
    spaces = content == ord(" ")
    double = spaces[1:] & spaces[:-1]  # may span two texts, which is harmless
    touched = np.concatenate([np.flatnonzero(_TO_CLEAN[content]), np.flatnonzero(double)])
    dirty = np.zeros(len(column), dtype=bool)
    dirty[np.searchsorted(begins, touched, side="right") - 1] = True
    some = np.flatnonzero(ends > begins)
    dirty[some] |= spaces[begins[some]] | spaces[ends[some] - 1]
    changed = dirty | (ends - begins > limit)
    if not changed.any():
        return column
    mask = pa.array(changed)
    texts = zip(column.filter(mask).to_pylist(), dirty[changed].tolist(), strict=True)
    cleaned = [cut_at_word(plain_text(text) if is_dirty else text, limit) for text, is_dirty in texts]
    return pc.replace_with_mask(column, mask, pa.array(cleaned, pa.string()))


def _surviving_lines(path: Path, rows: NDArray[np.int64]) -> Iterator[tuple[bytes, NDArray[np.int64]]]:
    """The lines at `rows` (0-based, increasing) and their numbers (1-based), a block at a time."""
    before = position = 0
    for block in line_blocks(path):
        starts = line_starts(block)
        end = int(np.searchsorted(rows, before + len(starts)))
        if end > position:
            chosen = rows[position:end] - before
            ends = np.append(starts[1:] - 1, len(block))[chosen]
            lines = [block[a:b] for a, b in zip(starts[chosen].tolist(), ends.tolist(), strict=True)]
            yield b"\n".join(lines), rows[position:end] + 1
        before, position = before + len(starts), end


def _words(
    path: Path, lines: bytes, numbers: NDArray[np.int64], fields: tuple[Field, ...], limit: int
) -> list[pa.Array]:
    """[summaries, texts] of the lines as plain text."""
    parsed = parse_lines(lines, fields)
    if parsed.faults:
        position, why = parsed.faults[0]
        raise InputError(f"{path}, line {numbers[position]} could be read once and cannot be read again: {why}")
    return [clean_column(_as_texts(column), limit) for column in parsed.columns]


def _as_texts(values: list[Any]) -> pa.Array:
    try:
        return pa.array(values, pa.string())
    except pa.ArrowTypeError:  # lists or numbers among them
        return pa.array(map(as_text, values), pa.string())


def _row_groups(words: Iterable[list[pa.Array]], size: int) -> Iterator[list[pa.Array]]:
    """The same columns, `size` rows at a time."""
    waiting: list[list[pa.Array]] = []
    rows = 0
    for columns in words:
        waiting.append(columns)
        rows += len(columns[0])
        if rows < size:
            continue
        whole = [pa.concat_arrays(parts) for parts in zip(*waiting, strict=True)]
        full = rows - rows % size
        yield from ([column.slice(start, size) for column in whole] for start in range(0, full, size))
        waiting, rows = [[column.slice(full) for column in whole]], rows - full
    if rows:
        yield [pa.concat_arrays(parts) for parts in zip(*waiting, strict=True)]


def write_reviews(
    out: Path, path: Path, rows: NDArray[np.int64], users: NDArray[Any], items: NDArray[Any], settings: CorpusSettings
) -> int:
    """One row a surviving interaction, in file order, a row group at a time; returns how many have a text.

    rows: 0-based lines of the raw file `path`, increasing; users, items: their codes. All (interactions,). Raises
    InputError where a line is not what it was when its row was read.
    """
    with_text = done = 0
    fields, limit = fields_of(("summary", "text"), settings, is_text=True), settings.max_review_characters
    found = (_words(path, lines, numbers, fields, limit) for lines, numbers in _surviving_lines(path, rows))
    with whole_file(out) as partial, pq.ParquetWriter(partial, marked(REVIEW_SCHEMA), compression="zstd") as writer:
        for summaries, texts in _row_groups(found, settings.row_group):
            chunk = slice(done, done + len(texts))
            writer.write_table(pa.table([users[chunk], items[chunk], summaries, texts], schema=REVIEW_SCHEMA))
            done = chunk.stop
            with_text += pc.sum(pc.greater(pc.binary_length(texts), 0)).as_py()
    return with_text
