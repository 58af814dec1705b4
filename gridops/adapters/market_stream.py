"""The public streams: best bid and ask, trades and mark price of each symbol, as paced MarketViews.

Two sockets, as the venue splits its streams. Frames are folded at the edge (market_fold), so the queue gets at most one
view per symbol and interval. A muted stream yields nothing: that it is stale is for the engine to notice.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from gridops.adapters import ccxt_client
from gridops.adapters.clock import Clock
from gridops.adapters.market_fold import (
    EMIT_NOW,
    WAIT_FOR_NEXT,
    BookFrame,
    MarketFold,
    MarketFrame,
    TradeFrame,
    ViewPacer,
)
from gridops.adapters.reconnect import Ended, keep_connected
from gridops.adapters.venue_frames import UNREADABLE
from gridops.adapters.venue_parse import Grid
from gridops.adapters.venue_wire import Socket, SocketFailed, Wire
from gridops.domain.events import Event, StreamChanged, VenueNotice, ViewChanged
from gridops.domain.values import value
from gridops.domain.vocabulary import Stream

BEAT_MS = 500
"""Longest pause between views while frames arrive but change nothing."""
_NOTICE_MS = 1_000
_ACK_S = 10.0
_DECODER = msgspec.json.Decoder(MarketFrame)
_MS = 1_000_000

Put = Callable[[Event], None]


@value
class Branch:
    """One public socket: where it is, which channels it carries, and what the engine calls them."""

    path: str
    channels: tuple[str, ...]
    streams: tuple[Stream, ...]


BRANCHES = (
    Branch("public", ("bookTicker",), (Stream.BOOK,)),
    Branch("market", ("aggTrade", "markPrice@1s"), (Stream.TRADE, Stream.MARK)),
)


class SymbolFeed:
    """One symbol's fold with its pace: emits at once, or by a timer when the interval has not passed."""

    def __init__(self, grid: Grid, put: Put, clock: Clock, interval_ms: int) -> None:
        self.fold = MarketFold(grid)
        self._put, self._clock = put, clock
        self._pacer = ViewPacer(interval_ns=interval_ms * _MS, beat_ns=BEAT_MS * _MS)
        self._timer: asyncio.TimerHandle | None = None
        self._noticed_ns = 0
        self._unsaid = 0

    def on_frame(self, frame: MarketFrame) -> None:
        """Fold a frame in and emit what is due."""
        now_ns = self._clock.boot_ns()
        try:
            changed = self.fold.apply(frame, now_ns // _MS)
        except ValueError as error:
            self._reject(frame, str(error), now_ns)
            return
        wait_ns = self._pacer.due(now_ns, changed=changed)
        if wait_ns == EMIT_NOW:
            self._emit()
        elif wait_ns != WAIT_FOR_NEXT and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(wait_ns / 1e9, self._emit)

    def stop(self) -> None:
        """No view leaves after this."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _emit(self) -> None:
        self.stop()
        self._pacer.emitted(self._clock.boot_ns())
        self._put(ViewChanged(view=self.fold.take()))

    def _reject(self, frame: MarketFrame, reason: str, now_ns: int) -> None:
        """At most one notice a second; the count tells how many frames it stands for."""
        self._unsaid += 1
        if self._noticed_ns and now_ns - self._noticed_ns < _NOTICE_MS * _MS:
            return
        kind = "book" if isinstance(frame, BookFrame) else "trade" if isinstance(frame, TradeFrame) else "mark"
        detail = f"{reason} ({self._unsaid})"
        self._noticed_ns, self._unsaid = now_ns, 0
        self._put(VenueNotice(kind=f"{kind}_invalid", symbol=self.fold.symbol, detail=detail, event_ms=frame.E))


class MarketSocket:
    """One branch's socket, kept connected."""

    def __init__(self, branch: Branch, wire: Wire, feeds: dict[str, SymbolFeed], put: Put) -> None:
        self._branch, self._wire, self._feeds, self._put = branch, wire, feeds, put
        self._acknowledged = asyncio.Event()
        self._refusal = ""

    @property
    def name(self) -> str:
        """Its path, as the venue calls it."""
        return self._branch.path

    async def run(self) -> None:
        """Stay connected until cancelled."""
        await keep_connected(self._session, self._tell)

    def lost(self, reason: str) -> None:
        """Tell the engine that none of its streams is heard any more."""
        self._tell(False, reason)

    async def _session(self, up: Callable[[], None]) -> Ended:
        url = ccxt_client.stream_url(self._wire.exchange, self._branch.path)
        for feed in self._feeds.values():
            feed.fold.forget_order()
        self._acknowledged.clear()
        self._refusal = ""
        try:
            socket = await self._wire.open_socket(url, self._on_text)
        except SocketFailed as error:
            return Ended(str(error))
        try:
            await self._subscribe(socket)
            up()
            return Ended(await socket.until_dead())
        except SocketFailed as error:
            return Ended(str(error))
        finally:
            await socket.close()

    async def _subscribe(self, socket: Socket) -> None:
        names = [f"{symbol.lower()}@{channel}" for symbol in self._feeds for channel in self._branch.channels]
        await socket.send({"method": "SUBSCRIBE", "params": names, "id": 1})
        try:
            await asyncio.wait_for(self._acknowledged.wait(), _ACK_S)
        except TimeoutError:
            raise SocketFailed("subscription not acknowledged") from None
        if self._refusal:
            raise SocketFailed(self._refusal)

    def _on_text(self, text: str | bytes) -> None:
        try:
            frame = _DECODER.decode(text)
        except UNREADABLE:
            self._on_other(text)
            return
        feed = self._feeds.get(frame.s)
        if feed is not None:
            feed.on_frame(frame)

    def _on_other(self, text: str | bytes) -> None:
        try:
            message: Any = msgspec.json.decode(text)
        except UNREADABLE:
            message = None
        if isinstance(message, dict) and "id" in message:
            refused = message.get("result") is not None or "error" in message or "code" in message
            self._refusal = "subscription refused" if refused else ""
            self._acknowledged.set()
            return
        detail = f"{self._branch.path}: {self._wire.clean(str(text))}"
        self._put(VenueNotice(kind="malformed", symbol="", detail=detail[:200], event_ms=0))

    def _tell(self, is_up: bool, reason: str) -> None:
        for stream in self._branch.streams:
            self._put(StreamChanged(stream=stream, up=is_up, detail=reason))


def market_sockets(wire: Wire, grids: Sequence[Grid], put: Put, clock: Clock, interval_ms: int) -> "MarketStreams":
    """The public streams of these symbols, not yet connected."""
    feeds = {grid.instrument.symbol: SymbolFeed(grid, put, clock, interval_ms) for grid in grids}
    return MarketStreams(feeds, [MarketSocket(branch, wire, feeds, put) for branch in BRANCHES])


class MarketStreams:
    """All public sockets together."""

    def __init__(self, feeds: dict[str, SymbolFeed], sockets: list[MarketSocket]) -> None:
        self._feeds, self.sockets = feeds, sockets

    def stop(self) -> None:
        """No view leaves after this; the sockets are ended by whoever runs them."""
        for feed in self._feeds.values():
            feed.stop()
