"""Fetches published raw files: resume, mirrors, progress, gzip integrity, size and SHA-256 recorded and enforced."""

import logging
import re
import shutil
import time
from contextlib import nullcontext
from pathlib import Path

import orjson
import requests
import urllib3
from filelock import FileLock

from pulse_core.artifacts import read_json, sha256_of, write_json
from pulse_core.data.recorded import check_recorded, record_path, recorded_sha256, write_record
from pulse_core.data.settings import DownloadSettings
from pulse_core.data.sources import CATEGORIES, MIRRORS, find_raw, missing_files_message, raw_files
from pulse_core.data.unpack import GZIP_MAGIC, unpacked_blocks
from pulse_core.errors import InputError
from pulse_core.progress import progress

log = logging.getLogger("pulse")

BLOCK_BYTES = 1 << 18
UNIT_BYTES = 1 << 20  # progress counts MiB
FREE_MARGIN_BYTES = 64 << 20
TRANSIENT = (408, 425, 429, 500, 502, 503, 504)
_CONTENT_RANGE = re.compile(r"bytes (?P<begin>\d+)-\d+/(?:(?P<total>\d+)|\*)")


class _Failed(Exception):
    """One try at one address failed."""


class _Refused(_Failed):
    """Another try at this address would fail the same way."""


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
        paths.append(placed if placed.is_file() else target)
        if paths[-1] != target:
            log.info("%s is in place, put there by hand", placed)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.with_name(target.name + ".lock")):  # two runs must not write one partial file
            if target.is_file():
                _check_placed(target)
                continue
            failures = _fetch(target, file.urls, settings)
        if failures:
            raise InputError(
                f"{target} could not be downloaded:\n{failures}\n"
                "Check the network and run again (what arrived is kept), or fetch the files by hand:\n"
                + missing_files_message(domain, raw_dir)
            )
    return paths


def _check_placed(target: Path) -> None:
    _check_gzip(target)
    sha256, size = sha256_of(target), target.stat().st_size
    check_recorded(target, sha256)
    if recorded_sha256(target) is None:
        write_record(target, sha256, size, "found in place")
    log.info("%s is in place (%d bytes)", target, size)


def _check_gzip(path: Path) -> None:
    with path.open("rb") as file:
        if file.read(2) != GZIP_MAGIC:
            raise InputError(f"{path} is not a gzip file: delete it and fetch it again")
    for _ in unpacked_blocks(path):  # raises at the first wrong checksum, length or code
        pass


def _fetch(target: Path, urls: tuple[str, ...], settings: DownloadSettings) -> str:
    """Fetch a file from the first address that delivers it; returns why all failed, or ""."""
    # For refused connections and transient statuses; interrupted bodies are resumed by _Download.
    retries = urllib3.Retry(
        settings.attempts - 1, backoff_factor=settings.wait_seconds, status_forcelist=TRANSIENT, raise_on_status=False,
        respect_retry_after_header=False,  # the next mirror is quicker
    )  # fmt: skip
    failures = []
    with requests.Session() as session:
        for prefix in ("http://", "https://"):
            session.mount(prefix, requests.adapters.HTTPAdapter(max_retries=retries))
        for url in urls:
            try:
                _Download(session, url, target, settings).run()
                return ""
            except _Failed as error:
                failures.append(f"  {url}: {error}")
                log.warning("download failed: %s: %s", url, error)
    return "\n".join(failures)


class _Download:
    """A file on its way from one address: its first bytes in `partial`, and in `state` what would show a change."""

    def __init__(self, session: requests.Session, url: str, target: Path, settings: DownloadSettings) -> None:
        self.session, self.url, self.target, self.settings = session, url, target, settings
        self.partial = target.with_name(target.name + ".part")
        self.state = target.with_name(target.name + ".part.json")

    def run(self) -> None:
        """Try until the file is complete; `attempts` tries in a row without a new byte end it with _Failed."""
        idle = largest = 0
        while True:
            try:
                return self._once()
            except _Failed as error:
                size = self.partial.stat().st_size if self.partial.is_file() else 0
                idle, largest = (0, size) if size > largest else (idle + 1, largest)
                if isinstance(error, _Refused) or idle >= self.settings.attempts:
                    raise
                log.info("%s: %s; trying again from byte %d", self.url, error, size)
                time.sleep(self.settings.wait_seconds)

    def _once(self) -> None:
        validator = self._validator()
        begin = self.partial.stat().st_size if validator and self.partial.is_file() else 0
        # Identity: a server that labels .gz as Content-Encoding would otherwise have it unpacked on the way.
        headers = {"Accept-Encoding": "identity"}
        if begin:
            headers |= {"Range": f"bytes={begin}-", "If-Range": validator}
        try:
            response = self.session.get(self.url, headers=headers, stream=True, timeout=self.settings.timeout_seconds)
        except requests.RequestException as error:
            raise _Refused(_in_short(error)) from error
        try:
            with response:
                total = self._receive(response, begin)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise _Failed(_in_short(error)) from error
        size = self.partial.stat().st_size
        if total is not None and size != total:
            raise _Failed(f"the connection ended after {size} of {total} bytes")
        self._accept(size)

    def _validator(self) -> str:
        """The validator of the partial file; "" unless it came from this address and a change there would show."""
        try:
            state = read_json(self.state)
        except (FileNotFoundError, orjson.JSONDecodeError):
            return ""
        return state.get("validator", "") if state.get("url") == self.url else ""

    def _receive(self, response: requests.Response, begin: int) -> int | None:
        """Append the body at byte `begin` of the partial file, or rewrite it; returns the full size if known."""
        content_range = response.headers.get("Content-Range", "")
        if response.status_code == 416:  # nothing beyond `begin`: the file is complete, or another one
            if content_range == f"bytes */{begin}":
                return begin
            self.partial.unlink(missing_ok=True)
            raise _Failed("the server cannot continue this file; starting over")
        if response.status_code not in (200, 206):
            raise _Refused(f"HTTP {response.status_code} {response.reason}")
        if response.status_code == 206:
            span = _CONTENT_RANGE.fullmatch(content_range)
            if span is None or int(span["begin"]) != begin:
                self.partial.unlink(missing_ok=True)
                raise _Failed(f"the server continued at {content_range!r} instead of byte {begin}; starting over")
            length = span["total"] or ""
        else:
            begin = 0  # the server ignores ranges, or its file has changed
            length = response.headers.get("Content-Length", "")
        total = int(length) if length.isdigit() else None
        if total is not None and shutil.disk_usage(self.target.parent).free < total - begin + FREE_MARGIN_BYTES:
            raise InputError(f"{self.target.parent} has too little space for {total - begin} more bytes")
        etag = response.headers.get("ETag", "")
        # A weak ETag may not be used with If-Range (RFC 9110, 13.1.5).
        validator = etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified", "")
        write_json(self.state, {"url": self.url, "validator": validator})
        what = f"download {self.target.parent.name}/{self.target.name}"
        bar = nullcontext() if total is None else progress(what, max(total // UNIT_BYTES, 1), "MiB")
        with self.partial.open("ab" if begin else "wb") as out, bar as meter:
            if meter is not None:
                meter.advance(begin // UNIT_BYTES, skipped=True)
            done = begin
            for block in response.raw.stream(BLOCK_BYTES, decode_content=False):
                if done == 0 and not block.startswith(GZIP_MAGIC[: len(block)]):
                    raise _Refused("the server sent a page instead of a gzip file")
                out.write(block)
                if meter is not None:
                    meter.advance((done + len(block)) // UNIT_BYTES - done // UNIT_BYTES)
                done += len(block)
        return total

    def _accept(self, size: int) -> None:
        """The partial file is complete: check it and give it its name."""
        sha256, recorded = sha256_of(self.partial), recorded_sha256(self.target)
        if recorded is not None and recorded != sha256:
            self._forget()
            raise _Refused(
                f"sends a file with SHA-256 {sha256}, but {record_path(self.target)} recorded {recorded} "
                "at first sight; delete the record only if the publisher is known to have changed the file"
            )
        try:
            _check_gzip(self.partial)
        except InputError as error:
            self._forget()
            raise _Failed("what arrived is damaged; starting over") from error
        if recorded is None:
            write_record(self.target, sha256, size, f"from {self.url}")
        self.partial.replace(self.target)
        self._forget()
        log.info("%s: %d bytes, SHA-256 %s, from %s", self.target, size, sha256, self.url)

    def _forget(self) -> None:
        self.partial.unlink(missing_ok=True)
        self.state.unlink(missing_ok=True)


def _in_short(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error)[:200]}"
