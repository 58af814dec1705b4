"""Feeds a market source into the core: market time re-based on the venue clock and scaled by the speed.

Sits between a market source and the core. The speed scales the market only; protocol and client clocks stay real. It
refuses to invent data: after the end of a recording no more market flows, and the oracle says so.
"""

from typing import Protocol

from gridops.venue.market.events import BookSnapshot, DepthDiff, MarketEvent, MarketSource, MarketTrade, MarkPrice


class MarketSink(Protocol):
    """The part of the core a feed drives."""

    now_ms: int

    def apply(self, event: MarketEvent) -> None:
        """Fold one event."""

    def advance(self, now_ms: int) -> None:
        """Move the clock."""

    def next_deadline_ms(self) -> int | None:
        """Earliest clock-driven deadline."""


class MarketFeed:
    """One source on its way into one core."""

    def __init__(self, source: MarketSource, *, venue_start_ms: int, speed_milli: int = 1_000) -> None:
        if speed_milli <= 0:
            raise ValueError("market speed must be positive")
        self._source = source
        self._origin_ms = source.start_ms()
        self._start_ms = venue_start_ms
        self._speed_milli = speed_milli
        self._next = source.next_event()
        self.market_ms = self._origin_ms
        self.applied = 0
        self.paused_at_ms: int | None = None

    @property
    def ended(self) -> bool:
        """Whether the source has nothing more to give."""
        return self._next is None

    def next_ms(self) -> int | None:
        """Venue time of the next event; None when ended or paused."""
        if self._next is None or self.paused_at_ms is not None:
            return None
        return self._on_venue_clock(self._next.at_ms)

    def pause(self, now_ms: int) -> None:
        """Stop the market's time; protocol time goes on."""
        if self.paused_at_ms is None:
            self.paused_at_ms = now_ms

    def resume(self, now_ms: int) -> None:
        """Go on where the market stood."""
        if self.paused_at_ms is not None:
            self._start_ms += now_ms - self.paused_at_ms
            self.paused_at_ms = None

    def run_until(self, core: MarketSink, now_ms: int, budget: int) -> int:
        """Apply due events and the core's deadlines between them, in time order; returns how many events.

        At most `budget` events, so that a fast market leaves room for the sockets. The core's clock is at `now_ms`
        afterwards unless the budget ran out.
        """
        done = 0
        while done < budget:
            due_ms = self.next_ms()
            if due_ms is None or due_ms > now_ms:
                _advance_through(core, now_ms)
                return done
            self._apply_next(core, max(due_ms, core.now_ms))
            done += 1
        return done

    def _apply_next(self, core: MarketSink, at_ms: int) -> None:
        event = self._next
        assert event is not None
        _advance_through(core, at_ms, to_end=False)
        core.apply(self._rebased(event, at_ms))
        self.market_ms = event.at_ms
        self.applied += 1
        self._next = self._source.next_event()

    def _on_venue_clock(self, market_ms: int) -> int:
        return self._start_ms + (market_ms - self._origin_ms) * 1_000 // self._speed_milli

    def _rebased(self, event: MarketEvent, at_ms: int) -> MarketEvent:
        match event:
            case BookSnapshot():
                return BookSnapshot(at_ms, event.symbol, event.bids, event.asks)
            case DepthDiff():
                return DepthDiff(at_ms, event.symbol, event.bids, event.asks)
            case MarketTrade():
                return MarketTrade(at_ms, event.symbol, event.price_ticks, event.lots, event.buyer_is_maker)
            case MarkPrice():
                funding_ms = self._on_venue_clock(event.next_funding_ms)
                return MarkPrice(at_ms, event.symbol, event.mark, event.index, event.funding_rate, funding_ms)


def _advance_through(core: MarketSink, until_ms: int, *, to_end: bool = True) -> None:
    """Do each deadline at its own moment, then stand at `until_ms`."""
    while (deadline := core.next_deadline_ms()) is not None and deadline <= until_ms:
        before = max(deadline, core.now_ms)
        core.advance(before)
        if core.next_deadline_ms() == deadline:
            break
    if to_end and core.now_ms < until_ms:
        core.advance(until_ms)
