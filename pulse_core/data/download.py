"""Fetches published raw files: resume, mirrors, progress, gzip integrity, size and SHA-256 recorded and enforced."""

import logging
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import requests
import urllib3
from filelock import FileLock

from pulse_core.artifacts import read_json, write_json
from pulse_core.data.recorded import check_recorded, fingerprint, read_record, record_path, write_record
from pulse_core.data.settings import DownloadSettings
from pulse_core.data.sources import CATEGORIES, MIRRORS, RawFile, find_raw, missing_files_message, raw_files
from pulse_core.data.unpack import GZIP_MAGIC, unpacked_blocks
from pulse_core.errors import InputError
from pulse_core.progress import Progress, progress

log = logging.getLogger("pulse")

BLOCK_BYTES = 1 << 18
UNIT_BYTES = 1 << 20  # progress counts MiB
FREE_MARGIN_BYTES = 64 << 20
TRANSIENT = (408, 425, 429, 500, 502, 503, 504)


class _Failed(Exception):
    """One try at one address failed. `final`: another try there would fail the same way."""

    def __init__(self, why: str, *, final: bool = False) -> None:
        super().__init__(why)
        self.final = final


def download_domain(
    domain: str, raw_dir: Path, settings: DownloadSettings, mirrors: tuple[str, ...] = MIRRORS
) -> list[Path]:
    """Fetch a published domain's reviews and metadata into raw_dir/<domain>; returns their paths.

    Existing files are checked (gzip, recorded SHA-256) and kept; the next call resumes interrupted downloads. Raises
    InputError for an unpublished domain, a file that differs from its record, too little disk space, or when no mirror
    delivers: the message says which files to fetch by hand, from where, and where to put them.
    """
    if domain not in CATEGORIES:
        raise InputError(missing_files_message(domain, raw_dir))
    paths = []
    for file in raw_files(domain, mirrors):
        target = raw_dir / domain / file.name
        placed = find_raw(target.parent, file.name.partition(".")[0])
        if placed != target and placed.is_file():
            log.info("%s is in place, put there by hand", placed)
            paths.append(placed)
            continue
        try:
            _fetch(file, target, settings)
        except _Failed as error:
            raise InputError(
                f"{target} could not be downloaded:\n{error}\n"
                "Check the network and run again (what arrived is kept), or fetch the files by hand:\n"
                + missing_files_message(domain, raw_dir)
            ) from error
        paths.append(target)
    return paths


def _fetch(file: RawFile, target: Path, settings: DownloadSettings) -> None:
    """Fetch one file unless it is there and intact. Raises InputError, or _Failed when no address delivers."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(target.with_name(target.name + ".lock")):  # two runs must not write one partial file
        if target.is_file():
            _check_gzip(target)
            found = fingerprint(target)
            check_recorded(target, found.sha256)
            if read_record(target) is None:
                write_record(target, found, "found in place")
            log.info("%s is in place (%d bytes)", target, found.size)
            return
        failures = []
        with _session(settings) as session:
            for url in file.urls:
                try:
                    return _fetch_resuming(session, url, target, settings)
                except _Failed as error:
                    failures.append(f"  {url}: {error}")
                    log.warning("download failed: %s: %s", url, error)
        raise _Failed("\n".join(failures))


def _session(settings: DownloadSettings) -> requests.Session:
    """Retries refused connections and transient statuses. Interrupted bodies are resumed by _fetch_resuming."""
    retries = urllib3.Retry(
        settings.attempts - 1, backoff_factor=settings.wait_seconds, status_forcelist=TRANSIENT, raise_on_status=False,
        respect_retry_after_header=False,  # the next mirror is quicker
    )  # fmt: skip
    session = requests.Session()
    for prefix in ("http://", "https://"):
        session.mount(prefix, requests.adapters.HTTPAdapter(max_retries=retries))
    return session


def _fetch_resuming(session: requests.Session, url: str, target: Path, settings: DownloadSettings) -> None:
    """Fetch from one address until the file is complete; `attempts` tries in a row without a new byte end it."""
    partial = _partial(target)
    idle = largest = 0
    while True:
        try:
            return _fetch_once(session, url, target, settings)
        except _Failed as error:
            size = partial.stat().st_size if partial.is_file() else 0
            idle, largest = (0, size) if size > largest else (idle + 1, largest)
            if error.final or idle >= settings.attempts:
                raise
            log.info("%s: %s; trying again from byte %d", url, error, size)
            time.sleep(settings.wait_seconds)


def _fetch_once(session: requests.Session, url: str, target: Path, settings: DownloadSettings) -> None:
    partial = _partial(target)
    state = _read_state(target, url)
    begin = partial.stat().st_size if state and partial.is_file() else 0
    # Identity: a server that labels .gz as Content-Encoding would otherwise have it unpacked on the way.
    headers = {"Accept-Encoding": "identity"}
    if begin and state:
        headers |= {"Range": f"bytes={begin}-", "If-Range": state["validator"]}
    try:
        response = session.get(url, headers=headers, stream=True, timeout=settings.timeout_seconds)
    except requests.RequestException as error:
        raise _Failed(_in_short(error), final=True) from error
    try:
        with response:
            total = _receive(response, url, target, begin)
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise _Failed(_in_short(error)) from error
    size = partial.stat().st_size
    if total is not None and size != total:
        raise _Failed(f"the connection ended after {size} of {total} bytes")
    _accept(url, target)


def _receive(response: requests.Response, url: str, target: Path, begin: int) -> int | None:
    """Append the body at byte `begin` of the partial file, or rewrite it; returns the full size if known."""
    partial = _partial(target)
    if response.status_code == 416:  # nothing beyond `begin`: the file is complete, or another one
        if response.headers.get("Content-Range") == f"bytes */{begin}":
            return begin
        partial.unlink(missing_ok=True)
        raise _Failed("the server cannot continue this file; starting over")
    if response.status_code not in (200, 206):
        raise _Failed(f"HTTP {response.status_code} {response.reason}", final=True)
    if response.status_code == 206:
        start, total = _content_range(response.headers.get("Content-Range", ""))
        if start != begin:
            partial.unlink(missing_ok=True)
            raise _Failed(f"the server continued at byte {start} instead of {begin}; starting over")
    else:
        begin = 0  # the server ignores ranges, or its file has changed
        length = response.headers.get("Content-Length", "")
        total = int(length) if length.isdigit() else None
    if total is not None and shutil.disk_usage(target.parent).free < total - begin + FREE_MARGIN_BYTES:
        raise InputError(f"{target.parent} has too little space for {total - begin} more bytes")
    _write_state(target, url, response)
    with partial.open("ab" if begin else "wb") as out, _meter(target, total, begin) as meter:
        done = begin
        for block in response.raw.stream(BLOCK_BYTES, decode_content=False):
            if done == 0 and not block.startswith(GZIP_MAGIC[: len(block)]):
                raise _Failed("the server sent a page instead of a gzip file", final=True)
            out.write(block)
            if meter is not None:
                meter.advance((done + len(block)) // UNIT_BYTES - done // UNIT_BYTES)
            done += len(block)
    return total


def _accept(url: str, target: Path) -> None:
    """The partial file is complete: check it and give it its name."""
    partial = _partial(target)
    found = fingerprint(partial)
    record = read_record(target)
    if record is not None and record.sha256 != found.sha256:
        _forget(target)
        raise _Failed(
            f"sends a file with SHA-256 {found.sha256}, but {record_path(target)} recorded {record.sha256} at first "
            "sight; delete the record only if the publisher is known to have changed the file",
            final=True,
        )
    try:
        _check_gzip(partial)
    except InputError as error:
        _forget(target)
        raise _Failed("what arrived is damaged; starting over") from error
    if record is None:
        write_record(target, found, f"from {url}")
    partial.replace(target)
    _forget(target)
    log.info("%s: %d bytes, SHA-256 %s, from %s", target, found.size, found.sha256, url)


def _check_gzip(path: Path) -> None:
    with path.open("rb") as file:
        if file.read(2) != GZIP_MAGIC:
            raise InputError(f"{path} is not a gzip file: delete it and fetch it again")
    for _ in unpacked_blocks(path):  # raises at the first wrong checksum, length or code
        pass


def _partial(target: Path) -> Path:
    return target.with_name(target.name + ".part")


def _state_path(target: Path) -> Path:
    return target.with_name(target.name + ".part.json")


def _read_state(target: Path, url: str) -> dict[str, str] | None:
    """Origin and validator of the partial file; None unless it came from `url` and a change there would show."""
    try:
        state = read_json(_state_path(target))
    except (FileNotFoundError, orjson.JSONDecodeError):
        return None
    return state if state.get("url") == url and state.get("validator") else None


def _write_state(target: Path, url: str, response: requests.Response) -> None:
    etag = response.headers.get("ETag", "")
    # A weak ETag may not be used with If-Range (RFC 9110, 13.1.5).
    validator = etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified", "")
    write_json(_state_path(target), {"url": url, "validator": validator})


def _forget(target: Path) -> None:
    _partial(target).unlink(missing_ok=True)
    _state_path(target).unlink(missing_ok=True)


def _content_range(header: str) -> tuple[int, int | None]:
    """`bytes 100-199/200` -> (100, 200); (-1, None) for anything else."""
    span, _, size = header.removeprefix("bytes ").partition("/")
    begin = span.partition("-")[0]
    return (int(begin) if begin.isdigit() else -1, int(size) if size.isdigit() else None)


def _in_short(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error)[:200]}"


@contextmanager
def _meter(target: Path, total: int | None, begin: int) -> Iterator[Progress | None]:
    if total is None:  # a bar needs an end
        yield None
        return
    with progress(f"download {target.parent.name}/{target.name}", max(total // UNIT_BYTES, 1), "MiB") as meter:
        if begin >= UNIT_BYTES:
            meter.advance(begin // UNIT_BYTES, skipped=True)
        yield meter
