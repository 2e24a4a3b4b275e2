"""Many devices that listen, in one process: sockets and nothing else, so that the server is what is measured.

    python -m tools.fault_bench.listeners HOST:PORT COUNT [PREFIX]

Device number N has the token `skd1.N` behind the prefix. Whatever happens is a line on stdout, as JSON: the status and
Retry-After of each answer, each event, each end. It runs until its stdin is closed.
"""

import asyncio
import json
import sys
from typing import Any

from skuscan.sync.repository_format import EVENTS_PATH
from skuscan_server.access.secrets import DEVICE_PREFIX

LINE_BYTES = 4_096  # bytes, the longest line


def token_of(number: int) -> str:
    """The token of a device by its number."""
    return f"{DEVICE_PREFIX}{number}"


async def listen(host: str, port: int, number: int) -> None:
    """Be one device."""
    reader, writer = await asyncio.open_connection(host, port, limit=LINE_BYTES)
    head = f"GET {EVENTS_PATH} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token_of(number)}\r\n\r\n"
    writer.write(head.encode())
    status = int((await reader.readline()).split()[1])
    retry_after = ""
    while line := (await reader.readline()).strip():
        name, _, value = line.decode().partition(":")
        retry_after = value.strip() if name.lower() == "retry-after" else retry_after
    say(device=number, status=status, retry_after=retry_after)
    while line := await reader.readline():
        if line.startswith(b"data: "):
            say(device=number, event=json.loads(line[6:]))
    say(device=number, end=True)


def say(**fields: Any) -> None:
    """Write a line."""
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


async def main(address: str, count: int) -> None:
    """Listen with all of them until stdin ends."""
    host, _, port = address.rpartition(":")
    listening = [asyncio.create_task(listen(host, int(port), number)) for number in range(count)]
    await asyncio.to_thread(sys.stdin.read)
    for task in listening:
        task.cancel()
    await asyncio.gather(*listening, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
