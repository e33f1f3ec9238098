"""Recognises what a raw file holds by its first bytes, and gives every format as blocks of JSON lines."""

import codecs
import hashlib
import itertools
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from isal import igzip

from pulse_core.data.tables import delimited_lines, delimiter_of, latin_1_advice, parquet_lines
from pulse_core.data.unpack import GZIP_MAGIC, unpacked_blocks
from pulse_core.errors import InputError

MAX_RECORD_BYTES = 64 << 20
_HEAD_BYTES = 1 << 16
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_BINARY = {
    b"PK\x03\x04": "a ZIP archive: unpack it",
    b"BZh": "packed by bzip2: unpack it (bunzip2) or pack it by gzip",
    b"\xfd7zXZ": "packed by xz: unpack it (unxz) or pack it by gzip",
    b"\x28\xb5\x2f\xfd": "packed by zstd: unpack it (unzstd) or pack it by gzip",
    b"PAR1": "Parquet inside gzip: unpack it (gzip -d)",
    b"\x1f\x8b": "packed by gzip twice: unpack it once (gzip -d)",
    b"version https://git-lfs": "a Git LFS pointer, not the data: run git lfs pull",
}
_MARKUP = re.compile(rb"<(!doctype|html|head|body|\?xml|error)", re.IGNORECASE)
# {"reviewerID": {"0": ...: every column as one object, by row number.
_COLUMN_WISE = re.compile(rb'\{\s*"[^"]*"\s*:\s*\{\s*"0"\s*:')
_PRETTY_OBJECT = re.compile(rb'\{\s*\n\s*"')
_NEXT_OBJECT = re.compile(rb'\}\s*\{\s*"')
_BETWEEN = re.compile(r"[\s,\[\]]*")


def line_blocks(path: Path, digest: "hashlib._Hash | None" = None) -> Iterator[bytes]:
    """The records of a raw file as blocks of whole JSON lines, without the last line's end; blank lines stay.

    Lines are numbered as in the file, where it has one record per line. `digest` is fed the file as stored. Raises
    InputError for a file that cannot be read or holds something else, and says what.
    """
    if _is_parquet(path):
        yield from parquet_lines(path, digest)
        return
    blocks = unpacked_blocks(path, digest)
    first = next(blocks, b"").removeprefix(codecs.BOM_UTF8)
    blocks = itertools.chain([first], blocks)
    head = first[:_HEAD_BYTES].lstrip()
    _refuse_others(path, head)
    if _is_stream(head):
        yield from _stream_lines(path, blocks)
    elif _is_table(head):
        yield from delimited_lines(path, _whole_lines(path, blocks), head.decode("utf-8", "replace"))
    else:
        yield from _whole_lines(path, blocks)


def record_word(path: Path) -> str:
    """What the number of a record of this file counts: its "line", or "record" where lines mean nothing."""
    if _is_parquet(path):
        return "record"
    with path.open("rb") as file:
        packed = file.read(2) == GZIP_MAGIC
    with (igzip.open if packed else open)(path, "rb") as file:
        head = file.read(_HEAD_BYTES).removeprefix(codecs.BOM_UTF8)
    return "record" if _is_stream(head.lstrip()) else "line"


def _is_parquet(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(4) == b"PAR1"
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None


def _refuse_others(path: Path, head: bytes) -> None:
    if head.startswith(_UTF16) or abs(head[1:400:2].count(0) - head[0:400:2].count(0)) > 100:
        raise InputError(f"{path} is UTF-16: convert it with iconv -f UTF-16 -t UTF-8 (after gzip -d if it is packed)")
    if kind := next((kind for magic, kind in _BINARY.items() if head.startswith(magic)), None):
        raise InputError(f"{path} is {kind}")
    if _MARKUP.match(head):
        raise InputError(f"{path} is an HTML or XML page, perhaps an error page: delete it and fetch the file again")
    if _COLUMN_WISE.match(head):
        raise InputError(
            f'{path} is column-wise JSON, as pandas writes it: write df.to_json(path, orient="records", lines=True)'
        )
    if head.count(0) > len(head) // 100:
        raise InputError(f"{path} holds binary data: see docs/your-data.md for the formats that are read")


def _is_stream(head: bytes) -> bool:
    """A JSON array, or objects that are not one per line."""
    if re.match(rb"\[\s*[{\]]", head) or _PRETTY_OBJECT.match(head):
        return True
    return head.startswith(b"{") and b"\n" not in head.rstrip() and _NEXT_OBJECT.search(head) is not None


def _is_table(head: bytes) -> bool:
    first, *rest = head.splitlines() or [b""]
    if head.startswith((b"{", b"[")) or any(line.startswith(b"{") for line in rest):
        return False
    return delimiter_of(first.decode("utf-8", "replace")) is not None


def _whole_lines(path: Path, blocks: Iterable[bytes]) -> Iterator[bytes]:
    rest: list[bytes] = []  # of a line that has not ended yet
    size = 0
    for block in blocks:
        if end := block.rfind(b"\n") + 1:
            yield b"".join([*rest, memoryview(block)[: end - 1]])
            rest, size = [], 0
        rest.append(block[end:])
        size += len(block) - end
        if size > MAX_RECORD_BYTES:
            raise InputError(f"{path} has a line of over {MAX_RECORD_BYTES >> 20} MiB: it does not hold JSON lines")
    if size:
        yield b"".join(rest)


def _stream_lines(path: Path, blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The elements of a JSON array, or concatenated objects, as JSON lines; only one block is held."""
    parse = json.JSONDecoder(parse_constant=lambda _: None).raw_decode
    decoder = codecs.getincrementaldecoder("utf-8")()
    text, count, fault = "", 0, ""
    for block in itertools.chain(blocks, [b""]):
        try:
            text += decoder.decode(block, final=not block)
        except UnicodeDecodeError:
            raise InputError(f"{path} is not UTF-8 after record {count}: {latin_1_advice(path)}") from None
        lines, position = [], 0
        while (position := _BETWEEN.match(text, position).end()) < len(text):  # type: ignore[union-attr]
            try:
                record, position = parse(text, position)
            except (ValueError, RecursionError) as error:  # it may go on in the next block
                fault = getattr(error, "msg", str(error))
                break
            lines.append(json.dumps(record).encode())
        text, count = text[position:], count + len(lines)
        if lines:
            yield b"\n".join(lines)
        if len(text) > MAX_RECORD_BYTES:
            break
    if text:
        raise InputError(f"{path}: record {count + 1} is not JSON ({fault}): {text[:80]!r}")
