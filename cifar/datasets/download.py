"""Fetch one file from the first of several sources that delivers it, checked and put in place atomically."""

import contextlib
import hashlib
import http.client
import logging
import os
import ssl
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

log = logging.getLogger(__name__)

TIMEOUT_S = 20  # without a byte
TOO_SLOW = 500_000  # bytes/s: below this, after GRACE_S, the next source is tried
GRACE_S = 10
_CHUNK = 1 << 18
_GIT_DIGITS = 40


class DownloadError(Exception):
    """No source delivered the file; the text has a line for each."""


class _Slow(Exception):
    """A source that works, but at a speed the next one may beat."""


def fetch(urls: Sequence[str], destination: Path, checksum: str) -> None:
    """Put the file with that `checksum` (its MD5, or its id in git, of 40 digits) at `destination`.
    Raises DownloadError, or OSError if it can't be written.

    A slow source is left for the next; if none is better, the slow ones are taken after all."""
    failures, slow = [], []
    attempts = [(url, True) for url in urls]
    while attempts:
        url, may_give_up = attempts.pop(0)
        try:
            return _fetch_one(url, destination, checksum, may_give_up)
        except _Slow as error:
            log.warning("%s is slow (%s); trying another source.", url, error)
            slow.append(url)
        except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError, ssl.SSLError) as error:
            failures.append(f"  {url}: {getattr(error, 'reason', None) or error}")
        except DownloadError as error:
            failures.append(f"  {url}: {error}")
        if not attempts and slow:
            attempts, slow = [(url, False) for url in slow], []
    raise DownloadError("\n".join(failures))


def _fetch_one(url: str, destination: Path, checksum: str, may_give_up: bool) -> None:
    destination.parent.mkdir(parents=True, exist_ok=True)
    request = urllib.request.Request(url, headers={"User-Agent": "cifar-experiments"})
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
        handle, name = tempfile.mkstemp(prefix=f".{destination.name}-", dir=destination.parent)
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                digest = _copy(response, file, destination.name, may_give_up)
            if len(checksum) == _GIT_DIGITS:
                digest = _git_id(temporary)
            if digest != checksum:
                raise DownloadError(f"what it sent is not the published file (checksum {digest}, expected {checksum})")
            with contextlib.suppress(OSError):  # some file systems have no permissions
                temporary.chmod(0o644)
            temporary.replace(destination)
        finally:
            temporary.unlink(missing_ok=True)


def _copy(response: http.client.HTTPResponse, file, name: str, may_give_up: bool) -> str:  # type: ignore[no-untyped-def]
    """Copy with a progress bar; returns the md5 of what came."""
    digest, started, received = hashlib.md5(usedforsecurity=False), time.monotonic(), 0
    total = int(response.headers.get("Content-Length") or 0)
    with tqdm(total=total or None, unit="B", unit_scale=True, desc=f"downloading {name}") as bar:
        while chunk := response.read1(_CHUNK):
            file.write(chunk)
            digest.update(chunk)
            received += len(chunk)
            bar.update(len(chunk))
            elapsed = time.monotonic() - started
            if may_give_up and received != total and elapsed > GRACE_S and received / elapsed < TOO_SLOW:
                raise _Slow(f"{received / elapsed / 1000:.0f} kB/s")
    if total and received < total:
        raise DownloadError(f"the connection broke after {received} of {total} bytes")
    return digest.hexdigest()


def _git_id(file: Path) -> str:
    """Of a file's content: what `git hash-object` prints."""
    content = file.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
