"""Raw files, plain or gzip, as blocks of bytes; isal decompresses in a separate thread."""

import gzip
import hashlib
import math
from collections.abc import Iterator
from io import BufferedReader, FileIO, RawIOBase
from pathlib import Path
from typing import Any

from isal import igzip_lib, igzip_threaded, isal_zlib

from pulse_core.errors import InputError
from pulse_core.progress import progress

READ_BYTES = 1 << 20
UNPACKED_BYTES = 1 << 20  # per block: bounds memory however well the file compresses
GZIP_MAGIC = b"\x1f\x8b"


class _Stored(RawIOBase):
    """A file as stored, READ_BYTES at a time; every block goes through the digest and the progress meter."""

    def __init__(self, file: FileIO, digest: "hashlib._Hash | None", meter: Any) -> None:
        self._file, self._digest, self._meter = file, digest, meter

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)[:READ_BYTES]
        size = self._file.readinto(view)
        if size:
            if self._digest is not None:
                self._digest.update(view[:size])
            self._meter.advance()
        return size


def unpacked_blocks(path: Path, digest: "hashlib._Hash | None" = None) -> Iterator[bytes]:
    """The content of a file in blocks of bounded size; gzip is recognised by its first bytes.

    `digest` is updated with the stored bytes. Raises InputError for a file that cannot be read, or a damaged gzip file.
    """
    try:
        blocks = math.ceil(path.stat().st_size / READ_BYTES)
        with path.open("rb", buffering=0) as file, progress(f"reading {path}", blocks, "MiB") as meter:
            packed = file.read(2) == GZIP_MAGIC
            file.seek(0)
            stored = _Stored(file, digest, meter)
            content: Any = (
                igzip_threaded.open(stored, "rb", block_size=UNPACKED_BYTES)
                if packed
                else BufferedReader(stored, READ_BYTES)
            )
            with content:
                while block := content.read1(UNPACKED_BYTES):
                    yield block
    except EOFError:
        raise InputError(
            f"{path} ends in the middle (an interrupted download?): delete it and fetch it again"
        ) from None
    except (gzip.BadGzipFile, isal_zlib.error, igzip_lib.error) as error:  # type: ignore[misc] # stubs: an instance
        if str(error).startswith("Not a gzipped file"):
            raise InputError(
                f"{path} has other bytes after its gzip data: fetch it again, or keep only the data before them: "
                f"gzip -dc {path.name} > {path.stem}"
            ) from None
        raise InputError(f"{path} is damaged ({error}): delete it and fetch it again") from error
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
