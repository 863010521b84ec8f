"""Downloads from a server on this machine that misbehaves as real ones do."""

import contextlib
import hashlib
import http.server
import socket
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from cifar.datasets import download

CONTENT = np.random.default_rng(0).bytes(1_000_000)
MD5 = hashlib.md5(CONTENT).hexdigest()


class Site:
    """A web site whose pages are functions that answer a request."""

    def __init__(self, pages):
        self.requested: list[str] = []
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                site.requested.append(self.path)
                with contextlib.suppress(ConnectionError):  # a client that has had enough
                    page = pages[self.path] if len(site.requested) < 10 else missing  # or it might go on for ever
                    page(self)

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def __call__(self, page):
        return f"http://127.0.0.1:{self.server.server_port}{page}"


def announce(request, size):
    request.send_response(200)
    request.send_header("Content-Length", str(size))
    request.end_headers()


def good(request):
    announce(request, len(CONTENT))
    request.wfile.write(CONTENT)


def without_length(request):
    request.send_response(200)
    request.end_headers()
    request.wfile.write(CONTENT)


def another_file(request):
    announce(request, len(CONTENT))
    request.wfile.write(CONTENT[::-1])


def broken_off(request):
    announce(request, len(CONTENT))
    request.wfile.write(CONTENT[:400_000])


def missing(request):
    request.send_error(404)


def trickle(request):
    """A thousand bytes a second or so, for two seconds; then the rest."""
    announce(request, len(CONTENT))
    for start in range(0, 2000, 20):
        request.wfile.write(CONTENT[start : start + 20])
        time.sleep(0.02)
    request.wfile.write(CONTENT[2000:])


@pytest.fixture
def site():
    pages = (good, without_length, another_file, broken_off, missing, trickle)
    site = Site({f"/{page.__name__}": page for page in pages})
    yield site
    site.server.shutdown()
    site.server.server_close()


@pytest.fixture
def refusing_url():
    """An address that refuses connections: its port is taken, and nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}/"


@pytest.fixture
def everything_is_slow(monkeypatch):
    monkeypatch.setattr(download, "GRACE_S", 0)
    monkeypatch.setattr(download, "TOO_SLOW", float("inf"))


@pytest.fixture
def destination(tmp_path):
    return tmp_path / "data" / "file.tar.gz"


def assert_delivered(destination):
    assert destination.read_bytes() == CONTENT
    assert [path.name for path in destination.parent.iterdir()] == [destination.name]


def assert_refused(urls, destination):
    """The error's lines, one a source; and nothing is left behind."""
    with pytest.raises(download.DownloadError) as caught:
        download.fetch(urls, destination, MD5)
    assert list(destination.parent.iterdir()) == []
    return str(caught.value).splitlines()


@pytest.mark.parametrize("page", ["/good", "/without_length"])
def test_a_file_is_delivered_into_a_new_folder(site, destination, page):
    download.fetch([site(page)], destination, MD5)
    assert_delivered(destination)
    assert destination.stat().st_mode & 0o777 == 0o644  # other users' jobs may read it


def test_a_good_first_source_is_the_only_one_asked(site, destination):
    download.fetch([site("/good"), site("/missing")], destination, MD5)
    assert_delivered(destination)
    assert site.requested == ["/good"]


@pytest.mark.parametrize("page", ["/another_file", "/broken_off", "/missing"])
def test_a_source_that_fails_is_left_for_the_next(site, destination, page):
    download.fetch([site(page), site("/good")], destination, MD5)
    assert_delivered(destination)
    assert site.requested == [page, "/good"]


def test_a_source_that_is_down_is_left_for_the_next(site, destination, refusing_url):
    download.fetch([refusing_url, site("/good")], destination, MD5)
    assert_delivered(destination)


def test_when_every_source_fails_each_says_why_and_nothing_is_left(site, destination, refusing_url):
    urls = [site("/another_file"), site("/broken_off"), site("/missing"), refusing_url]
    lines = assert_refused(urls, destination)
    reversed_md5 = hashlib.md5(CONTENT[::-1]).hexdigest()
    reasons = (
        f"not the published file (checksum {reversed_md5}, expected {MD5})",
        "the connection broke after 400000 of 1000000 bytes",
        "Not Found",
        "refused",
    )
    assert len(lines) == len(urls)
    for line, url, reason in zip(lines, urls, reasons, strict=True):
        assert url in line
        assert reason in line


def test_a_slow_source_is_left_for_a_faster_one(site, destination, monkeypatch):
    monkeypatch.setattr(download, "GRACE_S", 0.1)
    monkeypatch.setattr(download, "TOO_SLOW", 50_000)
    download.fetch([site("/trickle"), site("/good")], destination, MD5)
    assert_delivered(destination)
    assert site.requested == ["/trickle", "/good"]


def test_a_slow_source_is_taken_if_it_is_the_only_one(site, destination, everything_is_slow):
    download.fetch([site("/good")], destination, MD5)
    assert_delivered(destination)
    assert site.requested == ["/good", "/good"]


def test_a_slow_source_is_taken_if_the_others_fail(site, destination, everything_is_slow):
    download.fetch([site("/good"), site("/missing")], destination, MD5)
    assert_delivered(destination)
    assert site.requested == ["/good", "/missing", "/good"]


def test_of_several_slow_sources_the_first_is_taken(site, destination, everything_is_slow):
    download.fetch([site("/good"), site("/without_length")], destination, MD5)
    assert_delivered(destination)
    assert site.requested == ["/good", "/without_length", "/good"]


def test_the_destination_is_only_ever_complete(destination):
    half, seen, resume = len(CONTENT) // 2, [], threading.Event()

    def watched(request):
        announce(request, len(CONTENT))
        request.wfile.write(CONTENT[:half])
        resume.wait(30)
        request.wfile.write(CONTENT[half:])

    def look():
        parts: list[Path] = []
        while not parts or parts[0].stat().st_size < half // 2:  # until a part of the file has come
            parts = list(destination.parent.glob(".*"))
            time.sleep(0.005)
        seen.append(destination.exists())
        resume.set()

    site = Site({"/watched": watched})
    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    download.fetch([site("/watched")], destination, MD5)
    looking.join(30)
    site.server.shutdown()
    site.server.server_close()
    assert seen == [False]
    assert_delivered(destination)


def test_a_failed_download_leaves_the_old_file_as_it_was(site, destination):
    destination.parent.mkdir()
    destination.write_bytes(b"old")
    with pytest.raises(download.DownloadError):
        download.fetch([site("/broken_off"), site("/another_file")], destination, MD5)
    assert destination.read_bytes() == b"old"
    assert [path.name for path in destination.parent.iterdir()] == [destination.name]


def test_a_folder_that_cannot_be_made_is_an_error_of_the_system(site, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        download.fetch([site("/good")], tmp_path / "file" / "data.tar.gz", MD5)
