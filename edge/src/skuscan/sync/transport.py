"""HTTP as a device needs it: one place that opens connections, and that holds a server to its limits.

Every exchange goes through these gates: https (or loopback, or `insecure_http`); redirects only within the host; an
answer's head within `header_seconds`; pieces without a long gap, at a minimum rate, before a deadline, within the
bandwidth; never more bytes than allowed. What may pass by itself (no connection, a cut, 429, 5xx) is tried again after
a pause of full jitter (M. Brooker 2015, "Exponential Backoff And Jitter") that is at least as long as Retry-After says.
"""

import ipaddress
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from importlib.metadata import version
from typing import Protocol, TypeVar
from urllib.parse import SplitResult, urljoin, urlsplit

import urllib3

from skuscan.errors import ConfigError, NetworkError
from skuscan.sync.clock import skew_of
from skuscan.sync.failures import PASSING, PassingError, StatusError, pause_of, plain
from skuscan.sync.options import SyncOptions
from skuscan.sync.pools import pool_manager
from skuscan.sync.repository_format import etag_of
from skuscan.sync.throttle import BURST_SECONDS, Throttle

VERSION = version("skuscan")
USER_AGENT = f"skuscan/{VERSION}"

_T = TypeVar("_T")
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class Response(Protocol):
    """What is read of an answer: urllib3's response, or a file's."""

    status: int

    @property
    def headers(self) -> Mapping[str, str]:
        """The head's fields."""

    def read1(self, amt: int | None = None, decode_content: bool | None = None) -> bytes:
        """What is there, at most `amt` bytes; nothing at the end."""

    def close(self) -> None:
        """Give the connection or the file back."""


class Transport:
    """Connections to one server and its file hosts. Safe in several threads.

    `offline.py` has one that reads files: it overrides `_exchange`, the one gate to the network.

    Args:
        options: Proxy, certificates, bandwidth, limits.
        stop: When set, pauses and transfers end at once with NetworkError.

    Attributes:
        limits: What an exchange may cost.
        piece_bytes: Of a body, read at once.
        clock_skew: s that this clock is ahead of the server's, by the last answer; None: it did not say.
    """

    def __init__(self, options: SyncOptions, stop: threading.Event | None = None) -> None:
        self.limits = options.limits
        self._insecure_http = options.insecure_http
        self._stop = stop or threading.Event()
        self._pool = pool_manager(options)
        self._throttle = Throttle(options.bandwidth) if options.bandwidth else None
        burst = round(options.bandwidth * BURST_SECONDS) if options.bandwidth else self.limits.piece_bytes
        self.piece_bytes = min(burst, self.limits.piece_bytes)
        self._received = 0
        self.clock_skew: float | None = None
        self._lock = threading.Lock()
        self._tokens: dict[str, str] = {}  # of the server, by its scheme and host

    def authorize(self, server_url: str, token: str) -> None:
        """Let every request to the server's own host carry a device's token: its files may be for devices only.

        Hosts that serve files for it never see the token. Raises ConfigError when the address is none.
        """
        self._tokens[_origin(server_url)] = token

    @property
    def received(self) -> int:
        """Bytes of bodies received so far, wasted ones included; heads are not counted."""
        return self._received

    def get(self, url: str, max_bytes: int) -> bytes:
        """Fetch a small file, with attempts. Raises NetworkError when it is longer or does not come."""
        return self.retrying(lambda: self.get_once(url, max_bytes))

    def get_once(self, url: str, max_bytes: int) -> bytes:
        """Fetch a small file, one attempt. Raises as `open` does, and NetworkError when it is longer."""
        return self._read("GET", url, max_bytes, {}, None)

    def get_unless_same(self, url: str, max_bytes: int, known: bytes) -> bytes:
        """Fetch a small file, one attempt; `known` when the server says that this is it still. As `get_once`.

        A skuscan server names what changes by its digest in its ETag. Another web server sends the file again.
        """
        try:
            etag = etag_of(known)
            return self._read("GET", url, max_bytes, {"If-None-Match": f'"{etag}"'}, None)
        except StatusError as error:
            if error.status != HTTPStatus.NOT_MODIFIED:
                raise
            return known

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> bytes:
        """Post once: an enrolment must not be sent twice. Raises NetworkError."""
        return self._read("POST", url, self.limits.answer_bytes, headers, body)

    @contextmanager
    def open(self, url: str, headers: Mapping[str, str] | None = None) -> Iterator["Answer"]:
        """Begin to fetch a file, one attempt.

        Raises:
            PassingError: No connection, a cut, a gap, 429 or 5xx.
            StatusError: Another error status.
            NetworkError: A redirect to another host, or an address that is not allowed.
        """
        with self._exchange("GET", url, headers or {}, None) as response:
            yield Answer(response, self)

    def retrying(self, attempt: Callable[[], _T], progress: Callable[[], int] = lambda: 0) -> _T:
        """Call `attempt` until it does not raise PassingError.

        Args:
            attempt: One attempt.
            progress: Grows when an attempt brought something; attempts are counted anew then.

        Raises:
            PassingError: `limits.attempts` in a row brought nothing, or the server asks for too long a pause.
        """
        failures, reached = 0, progress()
        while True:
            try:
                return attempt()
            except PassingError as error:
                failures = 1 if progress() > reached else failures + 1
                reached = progress()
                if failures >= self.limits.attempts or error.retry_after > self.limits.retry_after_seconds:
                    raise
                ceiling = min(self.limits.backoff_cap_seconds, self.limits.backoff_seconds * 2 ** (failures - 1))
                self._pause(max(error.retry_after, random.uniform(0.0, ceiling)))

    def check_running(self) -> None:
        """Raises NetworkError once `stop` is set."""
        if self._stop.is_set():
            raise NetworkError("a sync runs until it is done", "a request to stop")

    def count(self, received: int) -> None:
        """Add to `received`, and wait where a bandwidth was set. Raises NetworkError once `stop` is set."""
        with self._lock:
            self._received += received
        self.check_running()
        if self._throttle and (wait := self._throttle.draw(received)):
            self._pause(wait)

    def _pause(self, seconds: float) -> None:
        self._stop.wait(seconds)
        self.check_running()

    def _read(self, method: str, url: str, max_bytes: int, headers: Mapping[str, str], body: bytes | None) -> bytes:
        with self._exchange(method, url, headers, body) as response:
            return b"".join(Answer(response, self).pieces(max_bytes, time.monotonic() + self.limits.answer_seconds))

    @contextmanager
    def _exchange(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Iterator[Response]:
        for _ in range(self.limits.redirects + 1):
            self.check_running()
            self._check_address(url)
            with closing(self._send(method, url, headers, body)) as response:
                if response.status not in _REDIRECTS or method != "GET":
                    self._check_status(url, response)
                    yield response
                    return
                url = _redirect(url, response.headers.get("Location", ""))
        raise NetworkError(f"a file is at most {self.limits.redirects} redirects away", url)

    def _send(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> urllib3.BaseHTTPResponse:
        # Compressed answers would make lengths and ranges mean something else.
        all_headers = {"Accept-Encoding": "identity", "User-Agent": USER_AGENT, **headers}
        if token := self._tokens.get(_origin(url)):
            all_headers.setdefault("Authorization", f"Bearer {token}")
        try:
            response = self._pool.request(
                method, url, body=body, headers=all_headers, redirect=False, preload_content=False
            )
            self.clock_skew = skew_of(response.headers)
            return response
        except (urllib3.exceptions.LocationValueError, UnicodeError) as error:
            raise ConfigError("a server's address is a URL", f"{url}: {error}") from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise PassingError(
                "the server answers", f"{plain(error)} at {_origin(url)}", "the device goes on with what it has"
            ) from error

    def _check_address(self, url: str) -> None:
        parts = _split(url)
        allowed = parts.scheme == "https" or (parts.scheme == "http" and (self._insecure_http or is_loopback(url)))
        if not allowed or not parts.hostname:
            raise ConfigError(
                "a server is reached by https", url, "use https, or allow http for trials with --insecure-http"
            )

    def _check_status(self, url: str, response: urllib3.BaseHTTPResponse) -> None:
        if response.status in (200, 201, 204, 206):
            return
        if response.status in PASSING:
            raise PassingError(
                "the server answers with what was asked for",
                f"HTTP {response.status} for {url}",
                retry_after=pause_of(response.headers.get("Retry-After", "")),
            )
        raise StatusError(url, response.status, self._beginning(response))

    def _beginning(self, response: Response) -> bytes:
        """What an error answer says, as far as it fits; it may explain itself, or be cut."""
        pieces = []
        try:
            for piece in Answer(response, self).pieces(
                self.limits.answer_bytes, time.monotonic() + self.limits.gap_seconds
            ):
                pieces.append(piece)
        except NetworkError:
            pass
        return b"".join(pieces)


@dataclass(frozen=True)
class Answer:
    """An answer whose head is there and whose body is not read yet."""

    _response: Response
    _transport: Transport

    @property
    def status(self) -> int:
        """200 or 206."""
        return self._response.status

    def header(self, name: str) -> str:
        """A header's value; empty when absent."""
        return str(self._response.headers.get(name, ""))

    def interrupt(self) -> None:
        """From another thread: whoever waits for a piece finds the end. Nothing happens when that has come already."""
        if isinstance(self._response, urllib3.BaseHTTPResponse):
            with suppress(OSError, RuntimeError, ValueError):
                self._response.shutdown()

    def pieces(self, max_bytes: int, deadline: float) -> Iterator[bytes]:
        """The body, piece by piece, as they come.

        Args:
            max_bytes: More is refused before it is handed on.
            deadline: `time.monotonic()` by which the last piece must be here.

        Raises:
            PassingError: A cut, a gap, or too slow a rate.
            NetworkError: More than `max_bytes`, or the deadline passed.
        """
        limits, total = self._transport.limits, 0
        window_end, window_bytes = time.monotonic() + limits.rate_window_seconds, 0
        while piece := self._piece():
            self._transport.count(len(piece))
            total += len(piece)
            window_bytes += len(piece)
            if total > max_bytes:
                raise NetworkError(f"an answer has at most {max_bytes} bytes", "more")
            now = time.monotonic()
            if now > deadline:
                raise NetworkError("a transfer ends before its deadline", f"{total} bytes so far")
            if now > window_end:
                if window_bytes < limits.minimum_rate * limits.rate_window_seconds:
                    raise PassingError(f"a transfer moves at least {limits.minimum_rate:g} bytes/s", "less")
                window_end, window_bytes = now + limits.rate_window_seconds, 0
            yield piece

    def _piece(self) -> bytes:
        try:
            # read1: one receive, so that a trickle comes back here, where rate and deadline are watched.
            return self._response.read1(self._transport.piece_bytes, decode_content=False)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise PassingError("a transfer runs to its end", plain(error)) from error


def is_loopback(url: str) -> bool:
    """True for an address that never leaves this machine. Raises ConfigError when it is none."""
    host = _split(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def absolute_url(server_url: str, url: str) -> str:
    """An address that a server gave, which may be relative to the server's own. Raises ConfigError when it is none."""
    return _join(server_url.rstrip("/") + "/", url)


def _redirect(url: str, location: str) -> str:
    target = _join(url, location)
    if _origin(target) != _origin(url):
        raise NetworkError("redirects stay on the server's host", f"{_origin(url)} sends to {target}")
    return target


def _join(base: str, url: str) -> str:
    try:
        return urljoin(base, url)
    except ValueError as error:
        raise ConfigError("a server's address is a URL", f"{base} and {url}") from error


def _origin(url: str) -> str:
    parts = _split(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname}{port}"


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port  # parsed when it is read
    except ValueError as error:
        raise ConfigError("a server's address is a URL", url) from error
    return parts
