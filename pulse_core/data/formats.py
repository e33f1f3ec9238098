"""Recognises the format of a raw file by its first bytes and reads every format as blocks of JSON lines."""

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
    b"BZh": "compressed with bzip2: decompress it (bunzip2) or use gzip",
    b"\xfd7zXZ": "compressed with xz: decompress it (unxz) or use gzip",
    b"\x28\xb5\x2f\xfd": "compressed with zstd: decompress it (unzstd) or use gzip",
    b"PAR1": "Parquet inside gzip: decompress it (gzip -d)",
    b"\x1f\x8b": "compressed twice with gzip: decompress it once (gzip -d)",
    b"version https://git-lfs": "a Git LFS pointer, not the data: run git lfs pull",
}
_MARKUP = re.compile(rb"<(!doctype|html|head|body|\?xml|error)", re.IGNORECASE)
# {"reviewerID": {"0": ...: every column as one object, by row number.
_COLUMN_WISE = re.compile(rb'\{\s*"[^"]*"\s*:\s*\{\s*"0"\s*:')
# {"columns": [..., "data": ...}, and {"reviews": [{...}, ...]} on one line or pretty-printed.
_SPLIT = re.compile(rb'\{\s*"(columns|index|data)"\s*:\s*\[')
_WRAPPED = re.compile(rb'\{\s*"(\w+)"\s*:\s*\[\s*\{')
_PRETTY_OBJECT = re.compile(rb'\{\s*\n\s*"')
_NEXT_OBJECT = re.compile(rb'\}\s*\{\s*"')
_LITERALS_OVER_LINES = re.compile(rb"\[\s*\{\s*'|\{\s*\n\s*'|\{'[^\n{}]*,\s*\n\s*'")
_BETWEEN = re.compile(r"[\s,\[\]]*")


def line_blocks(path: Path, digest: "hashlib._Hash | None" = None) -> Iterator[bytes]:
    """The records of a raw file as blocks of whole JSON lines without the final newline; blank lines are kept.

    If the file has one record per line, line numbers are those of the file. `digest` is updated with the stored bytes.
    Raises InputError for a file that cannot be read or whose format is not supported, naming the format.
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
    """What the numbers of this file's records count: "line", or "record" if records are not lines."""
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
        raise InputError(f"{path} is UTF-16: convert it with iconv -f UTF-16 -t UTF-8 (after gzip -d if compressed)")
    if kind := next((kind for magic, kind in _BINARY.items() if head.startswith(magic)), None):
        raise InputError(f"{path} is {kind}")
    if _MARKUP.match(head):
        raise InputError(f"{path} is an HTML or XML page, perhaps an error page: delete it and fetch the file again")
    if (wrapped := _WRAPPED.match(head)) and b"\n{" not in head:
        raise InputError(f"{path} is one JSON object around a list: write the list under {wrapped[1].decode()!r} alone")
    if _COLUMN_WISE.match(head) or _SPLIT.match(head):
        raise InputError(
            f'{path} is column-wise JSON, as pandas writes it: write df.to_json(path, orient="records", lines=True)'
        )
    if _LITERALS_OVER_LINES.match(head):
        raise InputError(f"{path} is Python's print of a list or of a dict over several lines: write it with json.dump")
    if head.count(0) > len(head) // 100:
        raise InputError(f"{path} contains binary data: see docs/your-data.md for the formats that are read")


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
    rest: list[bytes] = []  # of a line continued in the next block
    size = 0
    for block in blocks:
        if end := block.rfind(b"\n") + 1:
            yield b"".join([*rest, memoryview(block)[: end - 1]])
            rest, size = [], 0
        rest.append(block[end:])
        size += len(block) - end
        if size > MAX_RECORD_BYTES:
            raise InputError(f"{path} has a line of over {MAX_RECORD_BYTES >> 20} MiB: it does not contain JSON lines")
    if size:
        yield b"".join(rest)


def _stream_lines(path: Path, blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The elements of a JSON array, or concatenated objects, as JSON lines; only one block is in memory."""
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
            except (ValueError, RecursionError) as error:  # it may continue in the next block
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
