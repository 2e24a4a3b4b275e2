"""Hearing of publications: server-sent events (WHATWG HTML, 9.2), heard in a thread of its own.

1. GET /api/v1/events at the server, with the device's token. A proxy in front of it routes that to what tells events;
   without one, the answer names a port of the same host, and the device asks there.
2. A line `data: {"generation": 7, "spread": 2.0}` says what is published: at once, and after each publication.
   Lines between are heartbeats.
3. Silence, an error or the end of the stream: again, after a pause of full jitter, the longer the more often it failed.

What is heard is a hint and no more: a sync decides what is true. A server that lies costs a device a sync now and then.
"""

import json
import logging
import math
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import TracebackType
from urllib.parse import urlsplit

from skuscan.errors import NetworkError, SkuscanError
from skuscan.store import DeviceIdentity
from skuscan.sync.failures import PassingError
from skuscan.sync.options import SyncOptions
from skuscan.sync.repository_format import EVENTS_PATH
from skuscan.sync.transport import Answer, Transport, absolute_url

EVENT_STREAM = "text/event-stream"
MAX_DOUBLINGS = 16  # of the pause between two attempts; the cap comes long before
LARGEST_GENERATION = 2**63 - 1
LARGEST_PORT = 65_535
STOP_SECONDS = 2.0  # s, that the thread has to end; one that opens a connection just then ends by itself, later

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class News:
    """What an event says.

    Attributes:
        generation: The one that is published.
        spread: s; the device is to come at a random moment within them.
    """

    generation: int
    spread: float


class Listener:
    """Listens while its context is entered.

    Args:
        identity: The device's.
        options: How to reach the server. Its limits say how long a line may be, and how long there may be none.
    """

    def __init__(self, identity: DeviceIdentity, options: SyncOptions) -> None:
        self._identity = identity
        self._limits = options.limits
        # A stream is silent most of the time: no rate holds for it, and a gap is longer.
        patient = replace(options.limits, gap_seconds=options.limits.silence_seconds, minimum_rate=0.0)
        self._stop = threading.Event()
        self._transport = Transport(replace(options, limits=patient), self._stop)
        self._lock = threading.Lock()
        self._news: News | None = None
        self._answer: Answer | None = None
        self._lines = 0  # received so far: any of them proves that the server is there
        self._thread = threading.Thread(target=self._run, name="skuscan-events", daemon=True)

    def __enter__(self) -> "Listener":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        with self._lock:
            if self._answer:
                self._answer.interrupt()
        self._thread.join(STOP_SECONDS)

    def take(self) -> News | None:
        """What was heard last; None: nothing since it was asked for."""
        with self._lock:
            news, self._news = self._news, None
            return news

    def _run(self) -> None:
        failures = 0
        while not self._stop.is_set():
            before, asked = self._lines, 0.0
            try:
                self._listen()
            except SkuscanError as error:
                asked = error.retry_after if isinstance(error, PassingError) else 0.0
                log.log(logging.DEBUG if self._stop.is_set() or failures else logging.INFO, "not listening: %s", error)
            failures = 0 if self._lines > before else failures + 1
            ceiling = self._limits.listen_backoff_seconds * 2 ** min(failures, MAX_DOUBLINGS)
            pause = random.uniform(0.0, min(ceiling, self._limits.listen_backoff_cap_seconds))
            self._stop.wait(max(pause, min(asked, self._limits.listen_backoff_cap_seconds)))

    def _listen(self) -> None:
        with self._stream() as answer:
            with self._lock:
                self._answer = answer
            try:
                self._transport.check_running()  # a stop that came before there was anything to interrupt
                for line in self._lines_of(answer):
                    self._hear(line)
            finally:
                with self._lock:
                    self._answer = None

    def _hear(self, line: bytes) -> None:
        if not self._lines:
            log.info("listening for publications")
        self._lines += 1
        name, _, value = line.partition(b":")
        if name == b"data":
            news = parse_news(value)
            with self._lock:
                self._news = news

    @contextmanager
    def _stream(self) -> Iterator[Answer]:
        headers = {"Accept": EVENT_STREAM, "Authorization": f"Bearer {self._identity.device_token}"}
        url = absolute_url(self._identity.server_url, EVENTS_PATH.lstrip("/"))
        with self._transport.open(url, headers) as answer:
            if _is_stream(answer):
                yield answer
                return
            limits = self._limits
            body = b"".join(answer.pieces(limits.answer_bytes, time.monotonic() + limits.answer_seconds))
        with self._transport.open(_beside(url, parse_port(body)), headers) as answer:
            if not _is_stream(answer):
                raise NetworkError("events are told as text/event-stream", answer.header("Content-Type"))
            yield answer

    def _lines_of(self, answer: Answer) -> Iterator[bytes]:
        """Whole lines. A server that sends but ends no line is as silent as one that sends nothing."""
        limits, rest = self._limits, b""
        heard = time.monotonic()
        for piece in answer.pieces(limits.event_stream_bytes, heard + limits.event_stream_seconds):
            *lines, rest = (rest + piece).split(b"\n")
            if max(map(len, [*lines, rest])) > limits.event_line_bytes:
                raise NetworkError(f"a line of events has at most {limits.event_line_bytes} bytes", "a longer one")
            now = time.monotonic()
            if not lines and now - heard > limits.silence_seconds:
                raise PassingError("events tell that they are alive", f"no line for {now - heard:.0f} s")
            heard = now if lines else heard
            yield from (line.rstrip(b"\r") for line in lines)


def parse_news(data: bytes) -> News:
    """Read what an event says. Raises NetworkError when it is something else."""
    try:
        fields = json.loads(data)
        generation, spread = fields["generation"], fields["spread"]
        if type(generation) is int and 0 < generation <= LARGEST_GENERATION and math.isfinite(spread) and spread >= 0:
            return News(generation, float(spread))
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        pass  # said below
    raise NetworkError("an event tells a generation and a spread", repr(data[:100]))


def parse_port(body: bytes) -> int:
    """Read where events are told. Raises NetworkError when that is not said."""
    try:
        port = json.loads(body)["port"]
        if type(port) is int and 0 < port <= LARGEST_PORT:
            return port
    except (ValueError, KeyError, TypeError, RecursionError):
        pass  # said below
    raise NetworkError("a server tells events, or at which port they are told", repr(body[:100]))


def _is_stream(answer: Answer) -> bool:
    return answer.header("Content-Type").partition(";")[0].strip().lower() == EVENT_STREAM


def _beside(url: str, port: int) -> str:
    parts = urlsplit(url)
    host = parts.hostname or ""
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port}{EVENTS_PATH}"
