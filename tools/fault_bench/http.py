"""An HTTP server on loopback that lies, stalls and cuts on request."""

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ACCEPT_SECONDS = 1.0  # s; a caller that hangs up before it is accepted must not hold the server
TELL_SECONDS = 0.05  # s between two things that are told
IDLE_SECONDS = 10.0  # s that a connection may be silent, or not take what is sent

Fault = Callable[["Handler", bytes], None]


@dataclass(frozen=True)
class Request:
    """What a device asked."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Handler(BaseHTTPRequestHandler):
    """Serves a folder with ranges, and misbehaves where the test has put a fault."""

    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS
    server: "Server"

    def do_GET(self) -> None:
        """Answer with a file or a part of it, or as the fault of its path says."""
        self.note(b"")
        data = self.server.content(self.path)
        fault = self.server.fault_of(self.path)
        if fault is not None:
            self.close_connection = True
            fault(self, data or b"")
        elif data is None:
            self.answer(404, b"")
        else:
            self.answer_range(data)

    def do_POST(self) -> None:
        """Answer as the server's `api` says."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.note(body)
        status, answer = self.server.api(self.path, body)
        self.answer(status, answer, {"Content-Type": "application/json"})

    def answer_range(self, data: bytes) -> None:
        """Answer with the bytes that were asked for."""
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if match is None:
            self.answer(200, data)
        elif int(match[1]) >= len(data):
            self.answer(416, b"")
        else:
            start = int(match[1])
            self.answer(206, data[start:], {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"})

    def answer(
        self, status: int, data: bytes, headers: dict[str, str] | None = None, length: int | None = None
    ) -> None:
        """Answer; `length` is a Content-Length that lies."""
        self.send_response(status)
        self.send_header("Content-Length", str(len(data) if length is None else length))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.server.sent += len(data)  # first: who has it all may count at once
        self.wfile.write(data)

    def note(self, body: bytes) -> None:
        """Remember what was asked."""
        self.server.requests.append(Request(self.command, self.path, dict(self.headers), body))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Tests read `requests`."""


class Server(ThreadingHTTPServer):
    """The published folder on loopback."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, root: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.socket.settimeout(ACCEPT_SECONDS)
        self.root = root
        self.requests: list[Request] = []
        self.sent = 0  # bytes of bodies
        self.released = threading.Event()  # set at the end: whoever stalls goes home
        self.faults: list[tuple[str, Fault, int]] = []
        self.overlay: dict[str, bytes] = {}  # path -> other content
        self.api: Callable[[str, bytes], tuple[int, bytes]] = lambda path, body: (200, b"{}")
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def content(self, path: str) -> bytes | None:
        """What is at an address; None: nothing."""
        if path in self.overlay:
            return self.overlay[path]
        file = self.root / path.lstrip("/")
        return file.read_bytes() if file.is_file() else None

    def misbehave(self, pattern: str, fault: Fault, times: int = 1_000) -> None:
        """Answer requests whose path matches with a fault, so many times."""
        self.faults.append((pattern, fault, times))

    def fault_of(self, path: str) -> Fault | None:
        """The fault that the next request of a path meets, used up by this call."""
        for place, (pattern, fault, times) in enumerate(self.faults):
            if times and re.search(pattern, path):
                self.faults[place] = (pattern, fault, times - 1)
                return fault
        return None

    def paths(self, method: str = "GET") -> list[str]:
        """What was asked for, in order."""
        return [request.path for request in self.requests if request.method == method]

    def handle_error(self, request: object, client_address: object) -> None:
        """A device that hangs up is what tests make happen."""


class Faults:
    """Ways for a server to misbehave."""

    @staticmethod
    def status(code: int, headers: dict[str, str] | None = None, body: bytes = b"") -> Fault:
        """Another status."""
        return lambda handler, data: handler.answer(code, body, headers)

    @staticmethod
    def redirect(location: str) -> Fault:
        """Somewhere else."""
        return lambda handler, data: handler.answer(302, b"", {"Location": location})

    @staticmethod
    def cut_after(count: int) -> Fault:
        """So many bytes of the answer that was asked for, then the line is dead."""

        def fault(handler: Handler, data: bytes) -> None:
            start = int(re.sub(r"\D", "", handler.headers.get("Range", "")) or 0)
            headers = {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"} if start else {}
            handler.answer(206 if start else 200, data[start : start + count], headers, length=len(data) - start)

        return fault

    @staticmethod
    def no_ranges(handler: Handler, data: bytes) -> None:
        """All of it, whatever part was asked for."""
        handler.answer(200, data)

    @staticmethod
    def stall(handler: Handler, data: bytes) -> None:
        """A head, and then nothing."""
        handler.answer(200, b"", length=len(data))
        handler.server.released.wait(10)

    @staticmethod
    def trickle_body(handler: Handler, data: bytes) -> None:
        """A byte now and then, often enough for a gap timeout."""
        handler.answer(200, b"", length=len(data))
        for byte in data:
            handler.wfile.write(bytes([byte]))
            if handler.server.released.wait(0.05):
                return

    @staticmethod
    def trickle_head(handler: Handler, data: bytes) -> None:
        """A header that never ends."""
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while not handler.server.released.wait(0.05):
            handler.wfile.write(b"X")

    @staticmethod
    def endless(handler: Handler, data: bytes) -> None:
        """What was asked for, and more and more."""
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(data)
        while not handler.server.released.is_set():
            handler.wfile.write(bytes(65_536))
            handler.server.sent += 65_536


class Told:
    """A fault that is a stream of events: to each that connects, some lines, and then the same again and again.

    Args:
        lines: Told at once, an empty line behind each.
        then: Bytes told every 50 ms from then on; nothing: silence.

    Attributes:
        lines: More may be added; whoever connects later is told them, too.
        connections: So many connected.
        connected_twice: Set when one came back.
    """

    def __init__(self, *lines: bytes, then: bytes = b"") -> None:
        self.lines = list(lines)
        self.connections = 0
        self.connected_twice = threading.Event()
        self._then = then

    def __call__(self, handler: Handler, data: bytes) -> None:
        """Tell until the device or the test ends."""
        self.connections += 1
        if self.connections > 1:
            self.connected_twice.set()
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.end_headers()
        told = 0
        while True:
            told, new = len(self.lines), self.lines[told:]
            handler.wfile.write(b"".join(line + b"\n\n" for line in new) + self._then)
            if handler.server.released.wait(TELL_SECONDS):
                return
