"""Server-sent events for devices (WHATWG HTML, 9.2), as an ASGI application.

A stream goes so:

1. The device's token is checked, once; from then on no database connection is needed.
2. The generation that is published now is sent, so a device that was away misses nothing.
3. Each new generation is sent when `watch` has seen it in the published files, with a spread: the device waits a
   random part of it, so that a fleet does not come all at once. In between, a heartbeat tells that the line is alive.
4. After about an hour the stream ends and the device comes again: so a revoked one is found out. Until then it hears
   numbers that the published files say to everybody.

A device has one stream: a new one ends the one before, whose line may be dead without anybody having noticed.
"""

import asyncio
import json
import logging
import random
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from skuscan.errors import SkuscanError
from skuscan.sync.repository_format import EVENTS_PATH
from skuscan_server.errors import AccessError, BusyError, NotFoundError, RateError, ServerError
from skuscan_server.problem import RECEIVED_LENGTH, problem_document, problem_headers, problem_kind

FULL_RETRY_AFTER = 60  # s, that a device waits when all places are taken; it polls meanwhile
HEARTBEAT = b":\n\n"
LIFE_JITTER = 0.25  # share of a stream's life, either way

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Caller:
    """An enrolled device."""

    device_id: str
    assortment: str


@dataclass(frozen=True)
class Timing:
    """When what is sent.

    Attributes:
        heartbeat: s, the longest silence; also how long a device may take to accept a message.
        watch: s, between two looks at the published files.
        life: s, about, of one stream.
        spread: s, over which `spread_listeners` devices come; more devices get more in proportion.
        spread_listeners: Devices.
    """

    heartbeat: float = 15.0
    watch: float = 0.5
    life: float = 3_600.0
    spread: float = 2.0
    spread_listeners: int = 1_000


@dataclass
class _Listener:
    caller: Caller
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    ended: bool = False

    def end(self) -> None:
        self.ended = True
        self.wake.set()


class EventApplication:
    """The application. All of it runs in one event loop; what may block runs in threads.

    Args:
        find: Whose token this is, in a thread. Raises AccessError or RateError.
        generation_of: The published generation of an assortment, in a thread; 0: none.
        most: Listeners at once; more are answered 503.
        on_count: Told how many listen.
        timing: When what is sent.
    """

    def __init__(
        self,
        find: Callable[[str], Caller],
        generation_of: Callable[[str], int],
        most: int,
        on_count: Callable[[int], None],
        timing: Timing | None = None,
    ) -> None:
        self._find = find
        self._generation_of = generation_of
        self._most = most
        self._on_count = on_count
        self._timing = timing or Timing()
        self._listeners: dict[str, _Listener] = {}  # by device
        self._generations: dict[str, int] = {}  # by assortment that is listened for

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            listener = await self._admit(scope)
        except SkuscanError as error:
            await _refuse(error, send)
            return
        telling = asyncio.create_task(self._tell(listener, send))
        leaving = asyncio.create_task(_until_gone(receive))
        try:
            await asyncio.wait({telling, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            telling.cancel()
            leaving.cancel()
            self._forget(listener)
            with suppress(asyncio.CancelledError, TimeoutError):  # a device that takes nothing is let go
                await telling

    async def watch(self) -> None:
        """Look at the published files again and again, and wake whom it concerns."""
        while True:
            await asyncio.sleep(self._timing.watch)
            wanted = {listener.caller.assortment for listener in self._listeners.values()}
            generations = await asyncio.to_thread(self._read, wanted)
            changed = {name for name, number in generations.items() if number != self._generations.get(name)}
            self._generations |= generations  # of an assortment that was asked for meanwhile, more is known already
            for listener in self._listeners.values():
                if listener.caller.assortment in changed:
                    listener.wake.set()

    def end_streams(self) -> None:
        """Send everybody home: the process is about to end."""
        for listener in self._listeners.values():
            listener.end()

    async def _admit(self, scope: Message) -> _Listener:
        if (scope["method"], scope["path"]) != ("GET", EVENTS_PATH):
            raise NotFoundError(f"GET {EVENTS_PATH} is answered here", "another request")
        self._check_room()
        caller = await asyncio.to_thread(self._find, _bearer(scope["headers"]))
        generation = await asyncio.to_thread(self._generation_of, caller.assortment)
        before = self._listeners.pop(caller.device_id, None)
        if before:
            before.end()
        self._check_room()  # others came while this one was looked up
        self._generations[caller.assortment] = generation
        listener = self._listeners[caller.device_id] = _Listener(caller)
        self._on_count(len(self._listeners))
        return listener

    def _check_room(self) -> None:
        if len(self._listeners) >= self._most:
            raise BusyError(f"{self._most} devices listen at once", "one more", "poll, and come back later")

    def _forget(self, listener: _Listener) -> None:
        if self._listeners.get(listener.caller.device_id) is listener:
            del self._listeners[listener.caller.device_id]
        self._on_count(len(self._listeners))

    def _read(self, assortments: Iterable[str]) -> dict[str, int]:
        return {name: self._generation_of(name) for name in assortments}

    async def _tell(self, listener: _Listener, send: Send) -> None:
        headers = [
            (b"content-type", b"text/event-stream"),
            (b"cache-control", b"no-store"),
            (b"x-accel-buffering", b"no"),
        ]
        await send({"type": "http.response.start", "status": int(HTTPStatus.OK), "headers": headers})
        now = asyncio.get_running_loop().time
        until = now() + self._timing.life * random.uniform(1 - LIFE_JITTER, 1 + LIFE_JITTER)
        told = 0
        while not listener.ended and now() < until:
            listener.wake.clear()
            generation = self._generations.get(listener.caller.assortment, told)
            message = HEARTBEAT if generation == told else _event(generation, self._spread())
            told = generation
            async with asyncio.timeout(self._timing.heartbeat):
                await send({"type": "http.response.body", "body": message, "more_body": True})
            with suppress(TimeoutError):
                async with asyncio.timeout(self._timing.heartbeat):
                    await listener.wake.wait()
        await send({"type": "http.response.body", "body": b""})

    def _spread(self) -> float:
        return self._timing.spread * max(1.0, len(self._listeners) / self._timing.spread_listeners)


def _event(generation: int, spread: float) -> bytes:
    return b"data: %s\n\n" % json.dumps({"generation": generation, "spread": round(spread, 3)}).encode()


def _bearer(headers: Iterable[tuple[bytes, bytes]]) -> str:
    value = next((value for name, value in headers if name == b"authorization"), b"").decode("latin-1")
    scheme, _, token = value.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise AccessError("a request carries `Authorization: Bearer ...`", "none")
    return token.strip()


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass  # a body, which means nothing here


async def _refuse(error: SkuscanError, send: Send) -> None:
    status = error.status if isinstance(error, ServerError) else HTTPStatus.INTERNAL_SERVER_ERROR
    pause = error.retry_after if isinstance(error, RateError) else FULL_RETRY_AFTER
    body = problem_document(status, problem_kind(error), error.rule, error.received[:RECEIVED_LENGTH], error.advice)
    fields = {**problem_headers(status, pause), "Content-Length": str(len(body))}
    headers = [(name.lower().encode(), value.encode()) for name, value in fields.items()]
    await send({"type": "http.response.start", "status": int(status), "headers": headers})
    await send({"type": "http.response.body", "body": body})
