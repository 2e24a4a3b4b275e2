"""What can go wrong between a device and a server, drawn at random: each is a `Fault` of `http.Server`.

A proxy, a captive portal, a bad radio, a server with a bug or with bad intent look alike from the device: an answer
that is cut, slow, too long, another one, or none that HTTP knows.
"""

import random
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from email.utils import formatdate

from tools.fault_bench.http import Fault, Handler

PATIENCE = 5.0  # s that a fault holds a device that does not hang up
TRICKLE = 0.01  # s between two bytes
MOST_TOO_LONG = 200_000  # bytes more than there should be
PLACES = {
    "metadata": r"/metadata/",
    "timestamp": r"timestamp\.json",
    "snapshot": r"snapshot\.json",
    "targets": r"targets\.json",
    "models": r"models\.json",
    "root": r"root\.json",
    "manifest": r"\.manifest",
    "model": r"\.model$",
    "blobs": r"/blobs/",
    "everything": r".",
}
TIMES = (1, 2, 1_000)  # requests that meet a fault: one attempt, two, all of them


@dataclass(frozen=True)
class LineFault:
    """One fault.

    Attributes:
        name: Its kind.
        place: Which requests meet it, one of `PLACES`.
        times: How many of them.
        fault: What happens to them.
    """

    name: str
    place: str
    times: int
    fault: Fault


def draw_fault(rng: random.Random) -> LineFault:
    """Draw a fault, every kind as likely as another."""
    kind = rng.choice(list(KINDS))
    return LineFault(kind, rng.choice(list(PLACES)), rng.choice(TIMES), KINDS[kind](rng))


def cut_body(rng: random.Random) -> Fault:
    """The line is dead after some bytes of the body."""
    share = rng.random()
    return lambda handler, data: _send(handler, data, share=share)


def reset_body(rng: random.Random) -> Fault:
    """The same, by a reset: what was under way is lost, too."""
    share = rng.random()

    def fault(handler: Handler, data: bytes) -> None:
        _send(handler, data, share=share)
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        handler.connection.close()

    return fault


def cut_head(rng: random.Random) -> Fault:
    """The line is dead within the head, or before it."""
    share = rng.random() if rng.random() < 0.7 else 0.0

    def fault(handler: Handler, data: bytes) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(data)
        handler.wfile.write(head[: int(len(head) * share)])

    return fault


def hang(rng: random.Random) -> Fault:
    """Nothing comes any more: before the head, within it, or within the body."""
    part, share = rng.choice(("nothing", "head", "body")), rng.random()

    def fault(handler: Handler, data: bytes) -> None:
        if part == "head":
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-")
        if part == "body":
            _send(handler, data, share=share)
        _until_gone(handler)

    return fault


def trickle(rng: random.Random) -> Fault:
    """A byte now and then: every gap is short, and no end is in sight."""
    whole = rng.random() < 0.5

    def fault(handler: Handler, data: bytes) -> None:
        if whole:
            _send(handler, data, share=0.0)
        else:
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        for byte in data:
            handler.wfile.write(bytes([byte]) if whole else b"x")
            if handler.server.released.wait(TRICKLE):
                return

    return fault


def too_long(rng: random.Random) -> Fault:
    """What was asked for, and more: said, not said, or without end."""
    more, kind = rng.randrange(1, MOST_TOO_LONG), rng.choice(("said", "not said", "endless"))

    def fault(handler: Handler, data: bytes) -> None:
        if kind == "said":
            _send(handler, data + bytes(more))
            return
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + data + bytes(more))
        while kind == "endless" and not handler.server.released.is_set():
            handler.wfile.write(bytes(65_536))

    return fault


def wrong_length(rng: random.Random) -> Fault:
    """A Content-Length that lies, or is none."""
    lie = rng.choice(("less", "more", "none", "-1", "abc", "0", "1e3", "99999999999999999999", "5, 6", "٣"))

    def fault(handler: Handler, data: bytes) -> None:
        said = {"less": str(len(data) // 2), "more": str(len(data) + 100)}.get(lie, lie)
        line = "" if lie == "none" else f"Content-Length: {said}\r\n"
        handler.wfile.write(f"HTTP/1.1 200 OK\r\n{line}Connection: close\r\n\r\n".encode() + data)

    return fault


def wrong_bytes(rng: random.Random) -> Fault:
    """Other bytes: one bit, all of them, none, half of them, or a captive portal's page."""
    kind, seed = rng.choice(("bit", "all", "none", "half", "page")), rng.randrange(1 << 30)

    def fault(handler: Handler, data: bytes) -> None:
        other = bytearray(data)
        if kind == "bit" and data:
            other[seed % len(data)] ^= 1 << seed % 8
        elif kind == "all":
            other = bytearray(random.Random(seed).randbytes(len(data)))
        elif kind == "page":
            other = bytearray(b"<html><body>Please log in to the guests' network</body></html>")
        elif kind in ("none", "half"):
            other = other[: len(other) // 2 if kind == "half" else 0]
        handler.answer(200, bytes(other))

    return fault


def status(rng: random.Random) -> Fault:
    """An error, or a success without a body, with and without Retry-After."""
    code = rng.choice((204, 304, 400, 401, 403, 404, 407, 408, 410, 416, 425, 429, 451, 500, 501, 502, 503, 504, 599))
    after = rng.choice(("", "0", "1", "3600", "-5", "soon", "9" * 30, formatdate(0), "Wed, 99 Foo 2026 99:99:99 GMT"))
    body = rng.choice((b"", b"{}", b"<html>error</html>" * 100))
    return lambda handler, data: handler.answer(code, body, {"Retry-After": after} if after else None)


def redirect(rng: random.Random) -> Fault:
    """Somewhere else: another host, http beyond this machine, a circle, nowhere."""
    code = rng.choice((301, 302, 303, 307, 308))
    places = ("http://192.0.2.1/x", "https://127.0.0.1:9/x", "http://127.0.0.1:9/", "file:///etc/passwd", "//[", "")
    place = rng.choice((*places, "/nothing-here", "http://127.0.0.1:99999/", "circle", "\x00"))
    return lambda handler, data: handler.answer(code, b"", {"Location": handler.path if place == "circle" else place})


def garbage_head(rng: random.Random) -> Fault:
    """A head that is none, or far too much of one."""
    heads = (
        rng.randbytes(rng.randrange(1, 5_000)),
        b"HTTP/9.9 200 OK\r\n\r\n",
        b"HTTP/1.1 999\r\n\r\n",
        b"HTTP/1.1 OK 200\r\n\r\n",
        b"220 ready for mail\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X-Many: 1\r\n" * 1_000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 200_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon here\r\n: no name\r\n\x00: \xff\r\n\r\n",
        b"\x16\x03\x01\x00\xa5\x01\x00",  # the beginning of TLS
        b"\r\n" * 1_000,
    )
    head = rng.choice(heads)
    return lambda handler, data: _write(handler, head + data)


def chunked(rng: random.Random) -> Fault:
    """The body in chunks: rightly so, or with sizes that lie, or without an end."""
    kind = rng.choice(("right", "no end", "negative", "huge", "no number", "with a length", "trailers", "endless"))

    def fault(handler: Handler, data: bytes) -> None:
        length = f"Content-Length: {len(data)}\r\n" if kind == "with a length" else ""
        head = f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n{length}Connection: close\r\n\r\n"
        size = {"negative": "-1", "huge": "f" * 15, "no number": "length"}.get(kind, f"{len(data):x}")
        end = {"no end": b"", "trailers": b"0\r\nX-Late: 1\r\n\r\n"}.get(kind, b"0\r\n\r\n")
        handler.wfile.write(head.encode() + size.encode() + b"\r\n" + data + b"\r\n")
        while kind == "endless" and not handler.server.released.is_set():
            handler.wfile.write(b"1000\r\n" + bytes(4_096) + b"\r\n")
        handler.wfile.write(end)

    return fault


def wrong_range(rng: random.Random) -> Fault:
    """A part that was not asked for, or is not the part that it says."""
    kind = rng.choice(("shifted", "no range", "not asked for", "another length", "no numbers", "whole"))

    def fault(handler: Handler, data: bytes) -> None:
        start, last, total = _asked(handler), len(data) - 1, str(len(data))
        said = {
            "shifted": f"bytes {start + 1}-{last}/{total}",
            "not asked for": f"bytes {len(data) // 2}-{last}/{total}",
            "another length": f"bytes {start}-{last}/{len(data) + 7}",
            "no numbers": "bytes ?-?/?",
        }.get(kind, "")
        if kind == "whole":
            handler.answer(200, data)
        else:
            handler.answer(206, data[start:], {"Content-Range": said} if said else None)

    return fault


def claims(rng: random.Random) -> Fault:
    """The right bytes under a false name: compressed, of another kind, after many interim answers."""
    line = rng.choice(("Content-Encoding: gzip", "Content-Encoding: br", "Content-Type: ???", "ETag: \xff"))
    interim = rng.choice((0, 1, 30, 3_000))

    def fault(handler: Handler, data: bytes) -> None:
        head = b"HTTP/1.1 103 Early Hints\r\n\r\n" * interim + b"HTTP/1.1 200 OK\r\n" + line.encode("latin-1")
        handler.wfile.write(head + b"\r\nContent-Length: %d\r\n\r\n" % len(data) + data)

    return fault


KINDS: dict[str, Callable[[random.Random], Fault]] = {
    maker.__name__: maker
    for maker in (
        cut_body,
        reset_body,
        cut_head,
        hang,
        trickle,
        too_long,
        wrong_length,
        wrong_bytes,
        status,
        redirect,
        garbage_head,
        chunked,
        wrong_range,
        claims,
    )
}


def _asked(handler: Handler) -> int:
    """The byte from which on a file was asked for."""
    said = handler.headers.get("Range", "bytes=0-")
    return int(said.removeprefix("bytes=").rstrip("-"))


def _send(handler: Handler, data: bytes, share: float = 1.0) -> None:
    """The right head, and a share of the body that was asked for."""
    start = _asked(handler)
    rest = data[start:]
    part = {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"} if start else None
    handler.answer(206 if start else 200, rest[: int(len(rest) * share)], part, length=len(rest))


def _write(handler: Handler, data: bytes) -> None:
    handler.wfile.write(data)


def _until_gone(handler: Handler) -> None:
    """Wait for the device to hang up."""
    handler.connection.settimeout(PATIENCE)
    with suppress(OSError):
        handler.connection.recv(1)
