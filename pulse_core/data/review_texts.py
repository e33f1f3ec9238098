"""Second pass over the reviews: headlines and texts of the rows that survived, as plain text, streamed to disk."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pulse_core.artifacts import marked, whole_file
from pulse_core.data.quick_lines import QuickLines, Words, Words2018, Words2023
from pulse_core.data.raw_reader import line_batches, parse_object, summary_of, text_of
from pulse_core.data.settings import CorpusSettings
from pulse_core.data.text import as_text, cut_at_word, plain_text
from pulse_core.errors import InputError

REVIEW_SCHEMA = pa.schema([("user", pa.int32()), ("item", pa.int32()), ("summary", pa.string()), ("text", pa.string())])
# Bytes that plain_text may have something to do about: whatever is not ASCII or no printable, and what begins an
# entity, a tag or one of the shop's marks.
_TO_CLEAN = np.ones(256, dtype=bool)
_TO_CLEAN[ord(" ") : ord("~") + 1] = False
_TO_CLEAN[list(b"&<[")] = True


def clean_column(raw: list[str], limit: int) -> pa.Array:
    """Each text as `cut_at_word(plain_text(text), limit)`; those that stay as they are, by the look of their bytes, are
    not touched one by one."""
    column = pa.array(raw, pa.string())
    offsets = np.frombuffer(column.buffers()[1], np.int32)[: len(raw) + 1]
    content = np.frombuffer(column.buffers()[2] or b"", np.uint8)[: offsets[-1]]
    lengths = np.diff(offsets)
    touched = np.flatnonzero(_TO_CLEAN[content])
    spaces = content == ord(" ")
    double = np.flatnonzero(spaces[1:] & spaces[:-1])  # spans two texts now and then: they are looked at for nothing
    dirty = lengths > limit
    dirty[np.searchsorted(offsets, np.concatenate([touched, double]), side="right") - 1] = True
    some = np.flatnonzero(lengths)
    dirty[some] |= spaces[offsets[some]] | spaces[offsets[some + 1] - 1]
    places = np.flatnonzero(dirty)
    if not len(places):
        return column
    for place in places.tolist():
        raw[place] = cut_at_word(plain_text(raw[place]), limit)
    return pa.array(raw, pa.string())


def _surviving_lines(path: Path, rows: NDArray[np.int64]) -> Iterator[tuple[int, list[bytes]]]:
    """The lines at `rows` (0-based, increasing), many at a time, with the number of those before them."""
    start = position = 0
    for batch in line_batches(path):
        end = int(np.searchsorted(rows, start + len(batch)))
        yield position, [batch[row] for row in (rows[position:end] - start).tolist()]
        start, position = start + len(batch), end


def _row_groups(path: Path, rows: NDArray[np.int64], settings: CorpusSettings) -> Iterator[tuple[list[str], list[str]]]:
    """(summaries, texts) as they stand, settings.row_group rows at a time."""
    quick: QuickLines[Any] = QuickLines(Words2018, Words2023)
    summaries: list[str] = []
    texts: list[str] = []
    for before, lines in _surviving_lines(path, rows):

        def plain(position: int, line: bytes, before: int = before) -> Words:
            try:
                record = parse_object(line)
            except ValueError as error:
                number = int(rows[before + position]) + 1
                raise InputError(f"{path}, line {number} could be read once and cannot be read again ({error})") from error
            return Words(as_text(summary_of(record)), as_text(text_of(record)))

        words, _ = quick.decode(lines, plain)
        summaries += [record.summary for record in words]
        texts += [record.text for record in words]
        while len(texts) >= settings.row_group:
            yield summaries[: settings.row_group], texts[: settings.row_group]
            del summaries[: settings.row_group], texts[: settings.row_group]
    if texts:
        yield summaries, texts


def write_reviews(
    out: Path, path: Path, rows: NDArray[np.int64], users: NDArray[Any], items: NDArray[Any], settings: CorpusSettings
) -> int:
    """One row a surviving interaction, in file order, a row group at a time; returns how many have a text.

    rows: 0-based lines of the raw file `path`, increasing; users, items: their codes. All (interactions,). Raises
    InputError where a line is not what it was when its row was read.
    """
    with_text = done = 0
    limit = settings.max_review_characters
    with (
        whole_file(out) as partial,
        pq.ParquetWriter(partial, marked(REVIEW_SCHEMA), compression="zstd") as writer,
        ThreadPoolExecutor(1, "reviews") as thread,
    ):
        written: Future[None] | None = None  # of the group before: compressing one goes on beside reading the next
        for raw_summaries, raw_texts in _row_groups(path, rows, settings):
            chunk = slice(done, done + len(raw_texts))
            texts = clean_column(raw_texts, limit)
            columns = [users[chunk], items[chunk], clean_column(raw_summaries, limit), texts]
            if written is not None:
                written.result()
            written = thread.submit(writer.write_table, pa.table(columns, schema=REVIEW_SCHEMA))
            done = chunk.stop
            with_text += int(np.count_nonzero(np.diff(np.frombuffer(texts.buffers()[1], np.int32)[: len(texts) + 1])))
        if written is not None:
            written.result()
    return with_text
