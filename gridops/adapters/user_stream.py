"""The private stream: its listen key, its socket, and every frame of it as an input.

Owns the key's whole life (POST, PUT each 25 minutes, renewal when it dies), because the library extends it only once
and ignores its expiry. It replays nothing: after a gap the engine reads the venue again.
"""

import asyncio
from collections.abc import Callable

from gridops.adapters import ccxt_client, venue_frames
from gridops.adapters.owed_reports import OwedReports
from gridops.adapters.reconnect import Ended, first_of, keep_connected
from gridops.adapters.venue_codes import failure
from gridops.adapters.venue_parse import Grids
from gridops.adapters.venue_wire import SocketFailed, Wire
from gridops.domain.events import Event, OrderReport, StreamChanged, VenueNotice
from gridops.domain.vocabulary import Stream, VenueCode

EXTEND_S, RETRY_S = 25 * 60.0, 60.0
_RETRIES = 30
"""Minutes of failed extensions after which the key (60 minutes) may be dead."""


class UserStream:
    """The account's events, put into the queue as they arrive."""

    def __init__(
        self,
        *,
        wire: Wire,
        grids: Callable[[], Grids],
        put: Callable[[Event], None],
        clean: Callable[[object], str],
        owed: OwedReports,
        extend_s: float = EXTEND_S,
    ) -> None:
        self._wire, self._grids, self._put, self._clean = wire, grids, put, clean
        self._owed, self._extend_s = owed, extend_s
        self._expired = asyncio.Event()

    async def run(self) -> None:
        """Stay connected until cancelled."""
        await keep_connected(self._session, self._tell)

    def lost(self, reason: str) -> None:
        """Tell the engine that the stream is not heard any more."""
        self._tell(False, reason)

    async def _session(self, up: Callable[[], None]) -> Ended:
        reply = await self._wire.call("fapiPrivatePostListenKey")
        key = reply.payload.get("listenKey") if isinstance(reply.payload, dict) else None
        if failure(reply.status, reply.payload, reply.failure) is not None or not isinstance(key, str) or not key:
            return Ended(f"no listen key ({reply.failure or 'odd reply'})", self._wire.retry_after_ms(reply))
        url = f"{ccxt_client.stream_url(self._wire.exchange, 'private')}?listenKey={key}"
        self._expired.clear()
        try:
            socket = await self._wire.open_socket(url, self._on_text)
        except SocketFailed as error:
            return Ended(str(error))
        try:
            self._owed.reported()
            up()
            ends = (socket.until_dead(), self._keep_key(), self._until_expired(), self._owed.until_overdue())
            return Ended(await first_of(*ends))
        finally:
            await socket.close()

    async def _keep_key(self) -> str:
        """Extend the key for ever; returns when it is dead or must be taken for dead."""
        failed = 0
        while True:
            await asyncio.sleep(self._extend_s if not failed else min(RETRY_S, self._extend_s))
            reply = await self._wire.call("fapiPrivatePutListenKey")
            verdict = failure(reply.status, reply.payload, reply.failure)
            failed = failed + 1 if verdict is not None else 0
            if verdict is not None and verdict.code is VenueCode.LISTEN_KEY:
                return "listen key expired"
            if failed > _RETRIES:
                return "listen key not extended"

    async def _until_expired(self) -> str:
        await self._expired.wait()
        return "listen key expired"

    def _on_text(self, text: str | bytes) -> None:
        try:
            payload = venue_frames.DECODER.decode(text)
        except venue_frames.UNREADABLE:
            self._put(venue_frames.malformed(self._clean(str(text))))
            return
        for event in venue_frames.read(payload, self._grids(), self._clean):
            self._put(event)
            if isinstance(event, OrderReport):
                self._owed.reported()
            if isinstance(event, VenueNotice) and event.kind == venue_frames.LISTEN_KEY_EXPIRED:
                self._expired.set()

    def _tell(self, is_up: bool, reason: str) -> None:
        self._put(StreamChanged(stream=Stream.USER, up=is_up, detail=reason))
