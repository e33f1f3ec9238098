"""The downloader against a local server that drops, truncates, corrupts and ignores ranges."""

import gzip
import hashlib
import random
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pulse_core.data.download import download_domain
from pulse_core.data.settings import DownloadSettings
from pulse_core.data.sources import CATEGORIES, MIRRORS, missing_files_message, raw_files
from pulse_core.errors import InputError

QUICK = DownloadSettings(attempts=2, timeout_seconds=2, wait_seconds=0)
CONTENT = {
    "/categoryFilesSmall/Luxury_Beauty_5.json.gz": gzip.compress(random.Random(1).randbytes(900_000)),
    "/metaFiles2/meta_Luxury_Beauty.json.gz": gzip.compress(b'{"asin": "I1"}\n' * 50),
}
REVIEWS = "/categoryFilesSmall/Luxury_Beauty_5.json.gz"


class MirrorServer(ThreadingHTTPServer):
    """Serves CONTENT below any prefix; each request for the reviews uses up one of `faults`."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), MirrorHandler)
        self.content = dict(CONTENT)
        self.faults: list[str] = []
        self.requests: list[tuple[str, str | None]] = []
        self.etag = '"one"'

    def url(self, prefix=""):
        return f"http://127.0.0.1:{self.server_address[1]}/{prefix}"


class MirrorHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        mirror = self.server
        path = next((path for path in mirror.content if self.path.endswith(path)), None)
        range_header = self.headers.get("Range")
        mirror.requests.append((self.path, range_header))
        fault = mirror.faults.pop(0) if path == REVIEWS and mirror.faults else ""
        if path is None or fault.isdigit():
            return self.send_error(int(fault or 404))
        body = mirror.content[path]
        begin = 0
        if range_header and fault != "ignore range" and self.headers.get("If-Range") == mirror.etag:
            begin = int(range_header.removeprefix("bytes=").rstrip("-"))
        if begin >= len(body):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(body)}")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        self.send_response(206 if begin else 200)
        if begin:
            shifted = begin + 1 if fault == "wrong place" else begin
            self.send_header("Content-Range", f"bytes {shifted}-{len(body) - 1}/{len(body)}")
        if fault != "no length":
            self.send_header("Content-Length", str(len(body) - begin))
        self.send_header("Content-Encoding", "x-gzip")  # as Apache labels .gz files; the client must not unpack them
        self.send_header("ETag", mirror.etag)
        self.end_headers()
        rest = body[begin:]
        if fault == "page":
            rest = b"<html>please sign in</html>".ljust(len(rest))
        elif fault == "corrupt":
            rest = rest[:5000] + bytes(b ^ 0x55 for b in rest[5000:5100]) + rest[5100:]
        elif fault in ("drop", "no length"):
            rest = rest[: len(rest) // 3]
        elif fault == "nothing":
            rest = b""
        self.wfile.write(rest)
        self.close_connection = True
        return None


@pytest.fixture
def mirror():
    server = MirrorServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def fetch(mirror, raw_dir, *prefixes):
    mirrors = tuple(mirror.url(prefix) for prefix in prefixes or ("",))
    mirrors = tuple(mirror.rstrip("/") + "/" for mirror in mirrors)
    return download_domain("luxury", raw_dir, QUICK, mirrors)


def assert_sound(raw_dir):
    for name, content in zip(("reviews", "metadata"), CONTENT.values(), strict=True):
        path = raw_dir / "luxury" / f"{name}.jsonl.gz"
        assert path.read_bytes() == content
        record = path.with_name(path.name + ".sha256").read_text()
        assert hashlib.sha256(content).hexdigest() in record and f"{len(content)} bytes" in record
    assert not list(raw_dir.rglob("*.part*"))


def ranges(mirror):
    return [range_header for path, range_header in mirror.requests if path.endswith(REVIEWS)]


def test_plain_download_and_second_call(mirror, tmp_path):
    fetch(mirror, tmp_path)
    assert_sound(tmp_path)
    assert ranges(mirror) == [None]
    fetch(mirror, tmp_path)
    assert ranges(mirror) == [None]  # no second request


def test_sha256sum_reads_the_record(mirror, tmp_path):
    fetch(mirror, tmp_path)
    done = subprocess.run(["sha256sum", "-c", "reviews.jsonl.gz.sha256"], cwd=tmp_path / "luxury", capture_output=True)
    assert done.returncode == 0, done.stderr


def test_a_dropped_connection_is_resumed(mirror, tmp_path):
    mirror.faults = ["drop", "drop", "drop"]  # more than QUICK.attempts: attempts that receive bytes do not count
    fetch(mirror, tmp_path)
    assert_sound(tmp_path)
    starts = [int(header.removeprefix("bytes=").rstrip("-")) for header in ranges(mirror)[1:]]
    assert starts == sorted(set(starts)) and len(starts) == 3 and starts[0] > 0


def test_an_interrupted_call_is_resumed_by_the_next(mirror, tmp_path):
    mirror.faults = ["drop", "nothing", "nothing"]
    with pytest.raises(InputError, match="run again"):
        fetch(mirror, tmp_path)
    assert (tmp_path / "luxury" / "reviews.jsonl.gz.part").stat().st_size > 0
    assert not (tmp_path / "luxury" / "reviews.jsonl.gz").exists()
    fetch(mirror, tmp_path)
    assert_sound(tmp_path)
    assert all(header is not None for header in ranges(mirror)[1:])


def test_a_complete_part_file_is_not_fetched_again(mirror, tmp_path):
    mirror.faults = ["drop", "nothing", "nothing"]
    with pytest.raises(InputError):
        fetch(mirror, tmp_path)
    (tmp_path / "luxury" / "reviews.jsonl.gz.part").write_bytes(CONTENT[REVIEWS])  # killed just before the rename
    fetch(mirror, tmp_path)
    assert_sound(tmp_path)


@pytest.mark.parametrize("then", ["ignore range", "wrong place"])
def test_servers_that_cannot_resume(mirror, tmp_path, then):
    mirror.faults = ["drop", then]
    fetch(mirror, tmp_path)
    assert_sound(tmp_path)


def test_a_file_that_changed_between_attempts_is_not_spliced(mirror, tmp_path):
    mirror.content[REVIEWS] = gzip.compress(random.Random(2).randbytes(900_000))
    mirror.faults = ["drop", "nothing", "nothing"]
    with pytest.raises(InputError):
        fetch(mirror, tmp_path)
    mirror.content, mirror.etag = dict(CONTENT), '"two"'
    fetch(mirror, tmp_path)
    assert_sound(tmp_path)


def test_a_corrupted_body_is_fetched_again(mirror, tmp_path):
    mirror.faults = ["corrupt"]
    fetch(mirror, tmp_path)
    assert_sound(tmp_path)


def test_truncation_without_a_content_length_is_detected(mirror, tmp_path):
    mirror.faults = ["no length"]
    fetch(mirror, tmp_path)
    assert_sound(tmp_path)


def test_a_persistently_corrupt_file_ends_in_one_error_and_no_file(mirror, tmp_path):
    mirror.faults = ["corrupt"] * 20
    with pytest.raises(InputError, match=r"damaged(?s:.*)Luxury_Beauty_5"):
        fetch(mirror, tmp_path)
    assert not list(tmp_path.rglob("reviews.jsonl.gz*[!k]"))  # except the lock


@pytest.mark.parametrize("fault", ["404", "503", "page", "nothing"])
def test_the_next_mirror_is_tried(mirror, tmp_path, fault):
    mirror.faults = [fault] * (1 if fault in ("404", "page") else QUICK.attempts)
    fetch(mirror, tmp_path, "old", "new")
    assert_sound(tmp_path)
    paths = [path for path, _ in mirror.requests]
    assert paths[0].startswith("/old/") and [path for path in paths if path.endswith(REVIEWS)][-1][:5] == "/new/"


def test_a_recorded_digest_is_enforced(mirror, tmp_path):
    fetch(mirror, tmp_path)
    path = tmp_path / "luxury" / "reviews.jsonl.gz"
    other = gzip.compress(b"{}\n" * 9)
    path.write_bytes(other)
    with pytest.raises(InputError, match="does not match its record"):
        fetch(mirror, tmp_path)
    path.unlink()
    mirror.content[REVIEWS] = other
    with pytest.raises(InputError, match=r"recorded .* at first sight"):
        fetch(mirror, tmp_path)
    assert not path.exists()


def test_files_placed_by_hand_are_accepted_and_checked(mirror, tmp_path):
    (tmp_path / "luxury").mkdir()
    (tmp_path / "luxury" / "reviews.jsonl").write_text("{}\n")
    packed = tmp_path / "luxury" / "metadata.jsonl.gz"
    packed.write_bytes(CONTENT["/metaFiles2/meta_Luxury_Beauty.json.gz"])
    assert [path.name for path in fetch(mirror, tmp_path)] == ["reviews.jsonl", "metadata.jsonl.gz"]
    assert mirror.requests == [] and "found in place" in packed.with_name("metadata.jsonl.gz.sha256").read_text()
    packed.write_bytes(packed.read_bytes()[:-3])
    with pytest.raises(InputError, match="ends in the middle"):
        fetch(mirror, tmp_path)


def test_the_offline_error_gives_urls_and_destinations(tmp_path):
    closed = ThreadingHTTPServer(("127.0.0.1", 0), MirrorHandler)
    port = closed.server_address[1]
    closed.server_close()
    with pytest.raises(InputError) as caught:
        download_domain("luxury", tmp_path, QUICK, (f"http://127.0.0.1:{port}/",))
    message = str(caught.value)
    for needed in ("amazon_v2", "Luxury_Beauty_5.json.gz", "meta_Luxury_Beauty.json.gz", "by hand"):
        assert needed in message
    assert str(tmp_path / "luxury" / "reviews.jsonl.gz") in message


def test_an_unpublished_domain_is_refused_with_what_to_do(tmp_path):
    with pytest.raises(InputError, match=r"'shoes'.*Put your own reviews into.*published domain: luxury, pantry"):
        download_domain("shoes", tmp_path, QUICK)


@pytest.mark.parametrize("domain", CATEGORIES)
def test_every_published_domain_has_both_files_on_every_mirror(domain, tmp_path):
    files = raw_files(domain)
    assert [file.name for file in files] == ["reviews.jsonl.gz", "metadata.jsonl.gz"]
    assert all(len(file.urls) == len(MIRRORS) for file in files)
    assert all(url in missing_files_message(domain, tmp_path) for file in files for url in file.urls)
