"""Devices by the thousand, without their stores: `python -m tools.fault_bench.fleet URL DEVICES < paths`.

Each asks for the same paths, one after the other on one connection, as a device that takes a new version does, and
checks each file's length and digest. On 503 it waits as long as Retry-After says and up to as long again. Meanwhile
`/healthz` is asked twice a second. Says as JSON what came of it.
"""

import argparse
import asyncio
import hashlib
import json
import random
import resource
import sys
import time
from dataclasses import asdict, dataclass, field
from http import HTTPStatus
from urllib.parse import urlsplit

PATIENCE = 60.0  # s, after which a request counts as endless
HEALTH_PAUSE = 0.5  # s
SPARE_FILES = 100  # open files of this process beside the connections
MEDIA_TYPE = "application/problem+json"


@dataclass
class Seen:
    """What a fleet saw.

    Attributes:
        finished: Devices that have everything.
        seconds: s, until the last of them had.
        requests: That were answered.
        busy: Of these, with 503.
        impolite: Of these, without Retry-After or no problem document.
        lost: Requests whose connection ended without a whole answer.
        endless: Requests without an answer in time.
        wrong: Answers that are another status or file.
        slowest: s, of one answer.
        health: Answers of `/healthz`, all of them 200.
        slowest_health: s.
    """

    finished: int = 0
    seconds: float = 0.0
    requests: int = 0
    busy: int = 0
    impolite: int = 0
    lost: int = 0
    endless: int = 0
    wrong: list[str] = field(default_factory=list)
    slowest: float = 0.0
    health: int = 0
    slowest_health: float = 0.0


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class Connection:
    """One connection, opened again when the server closed it after an answer."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = str(parts.hostname), int(parts.port or 80)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def get(self, path: str) -> Answer:
        """Raises TimeoutError, OSError, asyncio.IncompleteReadError."""
        async with asyncio.timeout(PATIENCE):
            if self._streams is None:
                self._streams = await asyncio.open_connection(self._host, self._port)
            reader, writer = self._streams
            writer.write(f"GET {path} HTTP/1.1\r\nHost: {self._host}\r\nUser-Agent: fleet\r\n\r\n".encode())
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            fields = (line.partition(":") for line in head[1:] if line)
            headers = {name.lower(): value.strip() for name, _, value in fields}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
        if headers.get("connection", "").lower() == "close":
            self.close()
        return Answer(int(head[0].split()[1]), headers, body)

    def close(self) -> None:
        """Let go of the connection."""
        if self._streams is not None:
            self._streams[1].close()
        self._streams = None


async def device(url: str, paths: dict[str, str], seen: Seen, begin: float) -> None:
    """Take every path's file: its SHA-256, or "" for one that is not there."""
    connection = Connection(url)
    for path, sha256 in paths.items():
        if not await _take(connection, path, sha256, seen):
            return
    seen.finished += 1
    seen.seconds = max(seen.seconds, time.monotonic() - begin)


async def _take(connection: Connection, path: str, sha256: str, seen: Seen) -> bool:
    while True:
        started = time.monotonic()
        try:
            answer = await connection.get(path)
        except TimeoutError:
            seen.endless += 1
            return False
        except (OSError, asyncio.IncompleteReadError):
            seen.lost += 1
            return False
        seen.requests += 1
        seen.slowest = max(seen.slowest, time.monotonic() - started)
        if answer.status != HTTPStatus.SERVICE_UNAVAILABLE:
            break
        seen.busy += 1
        pause = answer.headers.get("retry-after", "")
        seen.impolite += not pause.isdecimal() or answer.headers.get("content-type") != MEDIA_TYPE
        await asyncio.sleep(int(pause or 1) * random.uniform(1, 2))
    wanted = HTTPStatus.OK if sha256 else HTTPStatus.NOT_FOUND
    right = answer.status == wanted and sha256 in ("", hashlib.sha256(answer.body).hexdigest())
    if not right:
        seen.wrong.append(f"{answer.status} for {path}, {len(answer.body)} bytes")
    return right


async def ask_health(url: str, seen: Seen) -> None:
    """Ask until cancelled; a wrong answer is kept with the others."""
    connection = Connection(url)
    while True:
        started = time.monotonic()
        answer = await connection.get("/healthz")
        if answer.status != HTTPStatus.OK:
            seen.wrong.append(f"{answer.status} for /healthz")
        seen.health += 1
        seen.slowest_health = max(seen.slowest_health, time.monotonic() - started)
        await asyncio.sleep(HEALTH_PAUSE)


async def run(url: str, devices: int, paths: dict[str, str]) -> Seen:
    """All devices at once."""
    seen, begin = Seen(), time.monotonic()
    health = asyncio.create_task(ask_health(url, seen))
    await asyncio.gather(*(device(url, paths, seen, begin) for _ in range(devices)))
    if health.done():  # it ended by an error
        await health
    health.cancel()
    return seen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("devices", type=int)
    options = parser.parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, options.devices + SPARE_FILES), most))
    seen = asyncio.run(run(options.url, options.devices, json.load(sys.stdin)))
    json.dump(asdict(seen), sys.stdout)


if __name__ == "__main__":
    main()
