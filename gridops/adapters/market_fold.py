"""Public frames of one symbol folded into an integer-only MarketView, and when a view may be emitted.

Pure: frames and times in, views out. It sits between the market sockets and the engine's queue and refuses frames no
market can produce (a crossed or empty book, a price off the grid, time running backwards) without changing its state.
"""

import msgspec

from gridops.adapters.venue_parse import Grid
from gridops.domain.market import MarketView


class BookFrame(msgspec.Struct, tag_field="e", tag="bookTicker", gc=False):
    """Top of book. `u` is the book's update id, `E` the venue's event time in ms."""

    s: str
    b: str
    B: str
    a: str
    A: str
    u: int
    E: int = 0


class TradeFrame(msgspec.Struct, tag_field="e", tag="aggTrade", gc=False):
    """Trades of one taker at one price. `m` says that the buyer was the maker, i.e. the taker sold."""

    s: str
    a: int
    p: str
    q: str
    E: int
    m: bool


class MarkFrame(msgspec.Struct, tag_field="e", tag="markPriceUpdate", gc=False):
    """The mark price, which need not lie on the tick grid."""

    s: str
    p: str
    E: int


MarketFrame = BookFrame | TradeFrame | MarkFrame


class MarketFold:
    """The state of one symbol's market since the last view taken."""

    def __init__(self, grid: Grid) -> None:
        self._price, self._quantity = grid.price, grid.quantity
        self.symbol = grid.instrument.symbol
        self._book = (0, 0, 0, 0)
        self._mark_ticks = self._last_ticks = 0
        self._bought = self._sold = 0
        self._book_ms = self._mark_ms = self._trade_ms = (0, 0)
        self._update_id = self._trade_id = self._mark_event_ms = 0

    def apply(self, frame: MarketFrame, seen_ms: int) -> bool:
        """Fold one frame in; True when top of book or mark changed. ValueError for a frame that cannot be."""
        if isinstance(frame, BookFrame):
            return self._apply_book(frame, seen_ms)
        if isinstance(frame, TradeFrame):
            return self._apply_trade(frame, seen_ms)
        return self._apply_mark(frame, seen_ms)

    def take(self) -> MarketView:
        """The view as of now. The flow counters begin again."""
        bid, bid_lots, ask, ask_lots = self._book
        view = MarketView(
            symbol=self.symbol,
            bid_ticks=bid,
            bid_lots=bid_lots,
            ask_ticks=ask,
            ask_lots=ask_lots,
            mark_ticks=self._mark_ticks,
            last_ticks=self._last_ticks,
            bought_lots=self._bought,
            sold_lots=self._sold,
            book_event_ms=self._book_ms[0],
            book_seen_ms=self._book_ms[1],
            mark_event_ms=self._mark_ms[0],
            mark_seen_ms=self._mark_ms[1],
            trade_event_ms=self._trade_ms[0],
            trade_seen_ms=self._trade_ms[1],
        )
        self._bought = self._sold = 0
        return view

    def forget_order(self) -> None:
        """A new connection may begin anywhere: the next frames set the baseline of ids and times anew."""
        self._update_id = self._trade_id = self._mark_event_ms = 0

    def _apply_book(self, frame: BookFrame, seen_ms: int) -> bool:
        price, quantity = self._price, self._quantity
        book = (price.exact(frame.b), quantity.exact(frame.B), price.exact(frame.a), quantity.exact(frame.A))
        if not 0 < book[0] < book[2]:
            raise ValueError(f"bid {frame.b[:32]} and ask {frame.a[:32]} are no market")
        if book[1] <= 0 or book[3] <= 0:
            raise ValueError("a side of the book is empty")
        if frame.u < self._update_id:
            raise ValueError(f"update {frame.u} after {self._update_id}")
        self._update_id = frame.u
        self._book_ms = (frame.E, seen_ms)
        changed = book != self._book
        self._book = book
        return changed

    def _apply_trade(self, frame: TradeFrame, seen_ms: int) -> bool:
        ticks, lots = self._price.exact(frame.p), self._quantity.exact(frame.q)
        if ticks <= 0 or lots <= 0:
            raise ValueError(f"{frame.q[:32]} at {frame.p[:32]} is no trade")
        if frame.a <= self._trade_id:
            raise ValueError(f"trade {frame.a} after {self._trade_id}")
        self._trade_id = frame.a
        self._trade_ms = (frame.E, seen_ms)
        self._last_ticks = ticks
        if frame.m:
            self._sold += lots
        else:
            self._bought += lots
        return False

    def _apply_mark(self, frame: MarkFrame, seen_ms: int) -> bool:
        ticks = self._price.nearest(frame.p)
        if ticks <= 0:
            raise ValueError(f"{frame.p[:32]} is no mark price")
        if self._mark_event_ms > frame.E:
            raise ValueError(f"mark of {frame.E} after {self._mark_event_ms}")
        self._mark_event_ms = frame.E
        self._mark_ms = (frame.E, seen_ms)
        changed = ticks != self._mark_ticks
        self._mark_ticks = ticks
        return changed


EMIT_NOW = 0
WAIT_FOR_NEXT = -1


class ViewPacer:
    """When the views of one symbol are due: at once on a change, spaced by the interval; a slow beat without one."""

    def __init__(self, *, interval_ns: int, beat_ns: int) -> None:
        self._interval_ns, self._beat_ns = interval_ns, beat_ns
        self._emitted_ns: int | None = None

    def due(self, now_ns: int, *, changed: bool) -> int:
        """EMIT_NOW, WAIT_FOR_NEXT (nothing to say yet), or nanoseconds until the change may be said."""
        if self._emitted_ns is None:
            return EMIT_NOW
        age_ns = now_ns - self._emitted_ns
        if changed:
            return max(self._interval_ns - age_ns, EMIT_NOW)
        return EMIT_NOW if age_ns >= self._beat_ns else WAIT_FOR_NEXT

    def emitted(self, now_ns: int) -> None:
        """A view went out."""
        self._emitted_ns = now_ns
