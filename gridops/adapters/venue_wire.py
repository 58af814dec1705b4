"""REST calls and websockets of one ccxt client: one call, one raw answer; one socket, every frame.

Below the venue adapter and above the library. It repeats nothing, also where the HTTP layer would by itself, and gives
no library text away: its messages hold signed URLs and listen keys.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from gridops.adapters import ccxt_client, last_look
from gridops.adapters.ccxt_client import Reply, VenueSettings
from gridops.adapters.clock import Clock
from gridops.adapters.redaction import Secrets, every_known, plain
from gridops.adapters.venue_codes import banned_until_ms

DETAIL = 200
_CLOSE_S = 1.0
_HASH = "gridops"


class SocketFailed(Exception):
    """A websocket could not be opened; the message says how, without the URL."""


class Wire:
    """The connections to one venue."""

    def __init__(self, settings: VenueSettings, clock: Clock, on_reply: Callable[[Reply], None]) -> None:
        self._settings, self._clock, self._on_reply = settings, clock, on_reply
        self._exchange: Any = None
        self._offset_ms = 0
        for secret in settings.secrets():
            Secrets().register(secret)
        # Not this venue's keys alone: an answer may repeat whatever the process was ever told.
        self._secrets = every_known()

    @property
    def exchange(self) -> Any:
        """The ccxt client, built and opened at the first use inside the running loop."""
        if self._exchange is None:
            self._exchange = ccxt_client.build(self._settings)
            self._exchange.open()
            _forbid_silent_repeats(self._exchange.session)
            last_look.watch(self._exchange.session)
        return self._exchange

    def clean(self, text: str) -> str:
        """Text from outside as it may stand in an event: no secret, no control character, not long."""
        return plain(self._secrets.redact(text))[:DETAIL]

    def set_offset(self, offset_ms: int) -> None:
        """Sign with local time plus this, which is the venue's."""
        self._offset_ms = offset_ms
        self.exchange.options["timeDifference"] = -offset_ms

    async def call(
        self, endpoint: str, params: dict[str, Any] | None = None, refusal: last_look.Objection = lambda: ""
    ) -> Reply:
        """One implicit endpoint, called once. Never raises but when cancelled: the Reply says what came back.

        `refusal` is asked when a body is about to be written; with a reason nothing leaves, and `refused` holds it.
        """
        method = getattr(self.exchange, endpoint)
        with ccxt_client.recording() as reply, last_look.asking(refusal) as look:
            try:
                await method(params or {})
            except Exception as error:
                # Decided on the raw reply; the exception's class depends on the URL and its text holds the signature.
                reply.failure = type(error).__name__
        reply.refused = look.why
        if reply.status:
            self._on_reply(reply)
        return reply

    def retry_after_ms(self, reply: Reply) -> int:
        """How long the venue wants to be left alone: Retry-After, or the end of a ban by its own words; else 0."""
        seconds = reply.header("Retry-After") if reply.status in (418, 429, 503) else ""
        if seconds.isascii() and seconds.isdecimal():
            return int(seconds) * 1_000
        until_ms = banned_until_ms(reply.body) if reply.status in (400, 418, 429) else 0
        return max(until_ms - self._clock.wall_ms() - self._offset_ms, 0) if until_ms else 0

    async def open_socket(self, url: str, on_text: Callable[[str | bytes], None]) -> "Socket":
        """A connected websocket. SocketFailed when it cannot be had within the time limit."""
        exchange = self.exchange
        exchange.clients = exchange.clients or {}
        exchange.clients.pop(url, None)
        socket = Socket(exchange, url, on_text, self._settings.keep_alive_ms, self._clock)
        await socket.connect(self._settings.timeout_ms / 1_000)
        return socket

    async def close(self) -> None:
        """Close everything; a peer that does not answer is given a second."""
        exchange, self._exchange = self._exchange, None
        if exchange is None:
            return
        try:
            await asyncio.wait_for(exchange.close_ws_clients(), _CLOSE_S)
        except TimeoutError:
            exchange.clients = {}
        await exchange.close()


class Socket:
    """One websocket. It is dead when closed, broken, or silent for two ping intervals (pongs count as frames)."""

    def __init__(
        self, exchange: Any, url: str, on_text: Callable[[str | bytes], None], keep_alive_ms: int, clock: Clock
    ) -> None:
        self._exchange, self._url, self._clock = exchange, url, clock
        self._keep_alive_ns = keep_alive_ms * 1_000_000
        self._seen_ns = clock.boot_ns()
        client = self._client = exchange.client(url)
        self._library_handler = client.handle_message
        # The text before the library decodes it: its decoder stops the receive loop for good at the first bad frame,
        # and its handlers coalesce bursts.
        client.handle_message = self._on_message
        client.handle_text_or_binary_message = self._on_data
        self._on_text = on_text
        self._ended: asyncio.Future[Any] = client.future(_HASH)
        self._ended.add_done_callback(_retrieve)

    async def connect(self, limit_s: float) -> None:
        """Dial. SocketFailed when the venue refuses or does not answer."""
        connected = self._client.connect(self._exchange.session, 0)
        await asyncio.wait({connected, self._ended}, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
        if not connected.done() or self._ended.done():
            reason = self._reason() if self._ended.done() else "no answer"
            await self.close()
            raise SocketFailed(reason)
        self._seen_ns = self._clock.boot_ns()

    async def send(self, message: dict[str, Any]) -> None:
        """Write one JSON message. SocketFailed when the socket is gone."""
        try:
            await self._client.send(message)
        except Exception as error:
            raise SocketFailed(type(error).__name__) from None

    async def until_dead(self) -> str:
        """Wait for the end and say why, without naming the URL."""
        while True:
            left_ns = self._seen_ns + 2 * self._keep_alive_ns - self._clock.boot_ns()
            if left_ns <= 0:
                return "silent"
            await asyncio.wait({self._ended}, timeout=left_ns / 1e9)
            if self._ended.done():
                return self._reason()

    async def close(self) -> None:
        """Leave; a peer that does not take part in the closing handshake is not waited for."""
        if self._exchange.clients.get(self._url) is self._client:
            del self._exchange.clients[self._url]
        closing = asyncio.ensure_future(self._client.close())
        await asyncio.wait({closing}, timeout=_CLOSE_S)
        if not closing.done():
            closing.cancel()
            await asyncio.wait({closing})

    def _on_message(self, message: Any) -> None:
        self._seen_ns = self._clock.boot_ns()
        self._library_handler(message)

    def _on_data(self, data: str | bytes) -> None:
        """An error of the reader must not end the library's receive loop; a frame was lost, so the socket ends."""
        try:
            self._on_text(data)
        except Exception as error:
            asyncio.get_running_loop().call_exception_handler({"message": "a frame failed", "exception": error})
            if not self._ended.done():
                self._ended.set_exception(SocketFailed(f"internal error {type(error).__name__}"))

    def _reason(self) -> str:
        if self._ended.cancelled():
            return "closed"
        error = self._ended.exception()
        if isinstance(error, SocketFailed):
            return str(error)
        inner = error.args[0] if error is not None and error.args else error
        status = getattr(inner, "status", None)
        if status is not None:
            return f"handshake answered {status}"
        text = str(inner)
        code = text.rpartition("closing code ")[2]
        if code.isdecimal():
            return f"closed with {code}"
        return type(inner if isinstance(inner, BaseException) else error).__name__


def _retrieve(future: "asyncio.Future[Any]") -> None:
    if not future.cancelled():
        future.exception()


def _forbid_silent_repeats(session: Any) -> None:
    """aiohttp sends a PUT, DELETE or GET a second time when a kept-alive connection breaks under it.

    A cancel or an amend that had been executed would then be answered with a refusal. There is no public switch.
    """
    assert hasattr(session, "_retry_connection")
    session._retry_connection = False
