"""One client's websocket: a bounded send queue, pings, its age, its manners.

Sits under streams and ws-api. It refuses to let a slow or rude client hold the venue up: a full queue, too many
messages a second or a missing pong ends the connection.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from enum import StrEnum

from aiohttp import WSMsgType, web

from gridops.domain.values import value

OnText = Callable[["Connection", str], Awaitable[None]]


class Kind(StrEnum):
    """Which face of the venue a socket talks to; also the target names of stream faults."""

    MARKET = "market"
    USER = "user"
    WS_API = "ws_api"


@value
class SocketRules:
    """Times and bounds of every socket; the defaults are the venue's documented ones."""

    ping_every_s: float = 180.0
    pong_within_s: float = 600.0
    life_s: float = 24 * 3_600.0
    messages_per_s: int = 10
    queue_limit: int = 20_000


class Connection:
    """A socket with its writer. `subscriptions` belong to the stream hub, `account` to private sockets.

    `label` is the stream name that a combined private socket shows: its listen key.
    """

    def __init__(self, kind: Kind, rules: SocketRules, *, account: str | None = None, combined: bool = False) -> None:
        self.kind = kind
        self.account = account
        self.combined = combined
        self.events: frozenset[str] = frozenset()
        self.subscriptions: list[str] = []
        self.label = ""
        self.halfopen = False
        self._rules = rules
        self._socket = web.WebSocketResponse(
            autoping=False, compress=False, timeout=1.0, max_msg_size=65_536, heartbeat=None
        )
        self._transport: asyncio.Transport | None = None
        self._queue: deque[bytes] = deque()
        self._wake = asyncio.Event()
        self._recent: deque[float] = deque(maxlen=rules.messages_per_s)
        self._loop = asyncio.get_running_loop()
        self._born_s = self._pinged_s = self._ponged_s = self._loop.time()
        self._closing: asyncio.Task[None] | None = None

    async def run(self, request: web.BaseRequest, on_text: OnText) -> web.WebSocketResponse:
        """Serve the socket until either side ends it."""
        await self._socket.prepare(request)
        transport = request.transport
        self._transport = transport if isinstance(transport, asyncio.Transport) else None
        writer = self._loop.create_task(self._write())
        try:
            await self._read(on_text)
        finally:
            writer.cancel()
        return self._socket

    def push(self, data: bytes) -> None:
        """Queue one text frame; a client that cannot keep up is dropped."""
        if self._closing is not None:
            return
        if len(self._queue) >= self._rules.queue_limit:
            self.abort()
            return
        self._queue.append(data)
        self._wake.set()

    def close(self, code: int = 1000) -> None:
        """Begin an orderly close; 1006 means none: the connection is cut."""
        if code == 1006:
            self.abort()
        elif self._closing is None:
            self._closing = self._loop.create_task(self._close(code))

    def abort(self) -> None:
        """Cut the connection without a word."""
        if self._transport is not None:
            self._transport.abort()

    async def keep(self) -> None:
        """Once a second: ping when due, end what is too old or silent."""
        now_s, rules = self._loop.time(), self._rules
        if now_s - self._born_s >= rules.life_s:
            self.close(1001)
        elif self._pinged_s > self._ponged_s and now_s - self._pinged_s >= rules.pong_within_s:
            self.abort()
        elif now_s - self._pinged_s >= rules.ping_every_s and not self.halfopen and not self._socket.closed:
            if self._ponged_s >= self._pinged_s:
                self._pinged_s = now_s
            await self._socket.ping(b"%d" % int(now_s * 1_000))

    async def _read(self, on_text: OnText) -> None:
        async for message in self._socket:
            if message.type is WSMsgType.PONG:
                self._ponged_s = self._loop.time()
                continue
            if self._too_chatty():
                self.close(1008)
            elif message.type is WSMsgType.PING:
                if not self.halfopen:
                    await self._socket.pong(message.data)
            elif message.type is WSMsgType.TEXT:
                await on_text(self, message.data)
            elif message.type is WSMsgType.BINARY:
                self.close(1003)

    def _too_chatty(self) -> bool:
        """More than the allowed messages within one second; ws-api requests are limited by weight instead."""
        if self.kind is Kind.WS_API:
            return False
        now_s = self._loop.time()
        full = len(self._recent) == self._recent.maxlen and now_s - self._recent[0] < 1.0
        self._recent.append(now_s)
        return full

    async def _write(self) -> None:
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._queue:
                    await self._socket.send_frame(self._queue.popleft(), WSMsgType.TEXT)
        except (ConnectionError, RuntimeError):
            self.abort()

    async def _close(self, code: int) -> None:
        await self._socket.close(code=code, drain=False)
        self.abort()
