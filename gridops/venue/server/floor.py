"""The trading floor: core, clock, market, keys, limits, faults and listeners as one thing the handlers share.

Sits between the sockets and the core. Whoever calls the core does it through here, so that the market and the
deadlines due before a request are always applied first and every event leaves in venue order.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from gridops.venue.events import StreamEvent
from gridops.venue.market.events import MarketEvent
from gridops.venue.server.auth import KeyRing
from gridops.venue.server.clock import VenueClock
from gridops.venue.server.connection import SocketRules
from gridops.venue.server.faults import Facts, Fault, FaultPlan
from gridops.venue.server.hub import Hub
from gridops.venue.server.journal import RequestJournal
from gridops.venue.server.listen_key import ListenKeys
from gridops.venue.server.market_feed import MarketFeed
from gridops.venue.server.rate import RateBook

BATCH = 500
"""Market events applied before the sockets get their turn again."""


class Core(Protocol):
    """What the wire needs of the semantic core."""

    now_ms: int

    def apply(self, event: MarketEvent) -> None:
        """Fold one market event."""

    def advance(self, now_ms: int) -> None:
        """Move the clock."""

    def next_deadline_ms(self) -> int | None:
        """Earliest clock-driven deadline."""

    def call(self, account_id: str | None, method: str, path: str, params: Mapping[str, Any], now_ms: int) -> Any:
        """Answer one call or raise VenueError."""

    def drain(self) -> list[StreamEvent]:
        """Events since the last drain."""

    def truth(self) -> dict[str, Any]:
        """The oracle."""

    def dump(self) -> bytes:
        """The whole state."""


class Floor:
    """Shared state of one running venue."""

    def __init__(
        self,
        core: Core,
        clock: VenueClock,
        feed: MarketFeed,
        keys: KeyRing,
        *,
        rules: SocketRules | None = None,
        on_dirty: Callable[[], None] = lambda: None,
    ) -> None:
        self.core = core
        self.clock = clock
        self.feed = feed
        self.keys = keys
        self.rules = rules or SocketRules()
        self.started_ms = clock.now_ms()
        self.faults = FaultPlan()
        self.hub = Hub(self.faults_for, self.book_of)
        self.rates = RateBook()
        self.listen_keys = ListenKeys()
        self.journal = RequestJournal()
        self.on_dirty = on_dirty
        self.held = False
        self.events_first: Callable[[], bool] = lambda: True
        """Asked once a request: whether its events leave before its reply."""
        self.stopping = asyncio.Event()
        self.wake = asyncio.Event()
        self.last_seen_s = asyncio.get_running_loop().time()

    def elapsed_ms(self) -> int:
        """Venue time since the start; fault schedules count in it."""
        return self.clock.now_ms() - self.started_ms

    def faults_for(self, facts: Facts) -> Sequence[Fault]:
        """Armed faults that hit a request or an event now."""
        return self.faults.hitting(facts, self.elapsed_ms())

    def first_symbol(self) -> str:
        """The symbol meant by whoever names none."""
        known = getattr(self.core, "symbols", None)
        return str(known()[0].symbol) if known is not None else ""

    def core_hook(self, name: str, *args: Any, **named: Any) -> Any:
        """A hook of the core outside its call interface; ValueError when this core has none of that name."""
        hook = getattr(self.core, name, None)
        if hook is None:
            raise ValueError(f"this core has no {name}")
        return hook(*args, **named)

    def touch(self) -> None:
        """A client was here; the idle time starts anew."""
        self.last_seen_s = asyncio.get_running_loop().time()

    def hold_market(self) -> None:
        """Keep the market at its first moment until somebody listens to it."""
        self.held = True
        self.feed.pause(self.clock.now_ms())

    def release_market(self) -> None:
        """Let a held market go once a public stream has a listener."""
        if self.held and self.hub.streams():
            self.held = False
            self.feed.resume(self.clock.now_ms())

    def settle(self, budget: int = BATCH) -> bool:
        """Apply market and deadlines up to now and publish; False when the market is behind and wants another turn."""
        behind = self.feed.run_until(self.core, self.clock.now_ms(), budget) >= budget
        self.publish()
        return not behind

    def publish(self) -> None:
        """Hand everything the core has said to the listeners."""
        events = self.core.drain()
        if events:
            if any(event.stream.startswith("private:") for event in events):
                self.on_dirty()
            self.hub.publish(events)

    def book_of(self, symbol: str, levels: int) -> dict[str, Any]:
        """The visible book as a reader of the depth call sees it."""
        params = {"symbol": symbol, "limit": str(levels)}
        book: dict[str, Any] = self.core.call(None, "GET", "/fapi/v1/depth", params, self.core.now_ms)
        return book

    def call(self, account: str | None, method: str, path: str, params: Mapping[str, Any], *, writes: bool) -> Any:
        """One call on the core at the present moment; its events are published before it returns."""
        now_ms = max(self.clock.now_ms(), self.core.now_ms)
        try:
            return self.core.call(account, method, path, params, now_ms)
        finally:
            if writes:
                self.on_dirty()
                self.wake.set()
            self.publish()
