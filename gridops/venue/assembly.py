"""Builds a floor from store and options: the kept account or a new one, the market, the clock, the scheduled faults.

Sits between the process and the server. It refuses a store whose symbols the market does not drive.
"""

import random
import secrets
from collections.abc import Callable
from typing import Any

from gridops.domain.values import value
from gridops.errors import VenueUnavailable
from gridops.venue.core import VenueCore
from gridops.venue.events import Fidelity
from gridops.venue.market.events import MarketSource
from gridops.venue.market.sources import open_market
from gridops.venue.options import VenueOptions
from gridops.venue.server.auth import Credentials, KeyRing, new_credentials
from gridops.venue.server.clock import ManualClock, RealClock, VenueClock
from gridops.venue.server.faults import load_schedule
from gridops.venue.server.floor import Floor
from gridops.venue.server.market_feed import MarketFeed
from gridops.venue.store import VenueStore


@value
class Venue:
    """A floor with what the process must know about it."""

    floor: Floor
    core: VenueCore
    credentials: Credentials
    symbols: tuple[str, ...]
    market: dict[str, Any]

    @property
    def account(self) -> str:
        """The account that the store belongs to."""
        return self.credentials.account

    def dump(self) -> tuple[bytes, dict[str, Any]]:
        """State and keys as the store keeps them."""
        keys = {
            "symbols": list(self.symbols),
            "credentials": [[each.account, each.api_key, each.api_secret] for each in self.floor.keys.all()],
            "listen_keys": self.floor.listen_keys.dump(),
        }
        return self.core.dump(), keys


def build(store: VenueStore, options: VenueOptions) -> Venue:
    """Open everything; raises ConfigError, RecordingError or VenueUnavailable before a port is bound."""
    schedule = load_schedule(options.faults) if options.faults is not None else []
    source = open_market(options.market, from_ms=options.from_ms, loop=options.loop)
    symbols = tuple(spec.symbol for spec in source.symbols())
    kept, state = store.read_keys(), store.read_state()
    if kept is not None and state is not None:
        core = _restored(state, kept, symbols)
        core.set_fidelity(_fidelity(options))
        clock = _clock(options, source, core.now_ms)
        keys = KeyRing(Credentials(*row) for row in kept["credentials"])
    else:
        clock = _clock(options, source, 0)
        core, keys = _opened(options, source, clock)
    floor = _floor(options, core, clock, source, keys)
    for row in schedule:
        floor.faults.arm(row)
    if kept is not None:
        floor.listen_keys.restore(kept["listen_keys"])
    market = {"partial": source.partial, "warnings": source.warnings, "quarantined": source.quarantined}
    return Venue(floor, core, keys.all()[0], symbols, market | {"span_ms": source.span_ms})


def _floor(options: VenueOptions, core: VenueCore, clock: VenueClock, source: MarketSource, keys: KeyRing) -> Floor:
    feed = MarketFeed(source, venue_start_ms=clock.now_ms(), speed_milli=int(options.speed * 1_000))
    floor = Floor(core, clock, feed, keys)
    floor.events_first = _order_of_events(options)
    floor.settle()
    if options.hold:
        floor.hold_market()
    return floor


def _opened(options: VenueOptions, source: MarketSource, clock: VenueClock) -> tuple[VenueCore, KeyRing]:
    """A new account with throw-away keys."""
    core = VenueCore(symbols=source.symbols(), start_ms=clock.now_ms(), seed=options.seed, fidelity=_fidelity(options))
    mine = new_credentials(f"paper-{secrets.token_hex(4)}")
    core.add_account(mine.account, api_key=mine.api_key, api_secret=mine.api_secret, wallet={"USDT": options.wallet})
    return core, KeyRing([mine])


def _fidelity(options: VenueOptions) -> Fidelity:
    chosen = options.fidelity
    return Fidelity(
        slim_replies="legacy-replies" not in chosen,
        trade_lite="no-trade-lite" not in chosen,
        older_conditionals="older-conditionals" in chosen,
    )


def _order_of_events(options: VenueOptions) -> Callable[[], bool]:
    """Whether the next event leaves before the reply to what caused it; the venue promises neither."""
    if "either-first" in options.fidelity:
        chance = random.Random(options.seed)
        return lambda: chance.random() < 0.5
    first = "reply-first" not in options.fidelity
    return lambda: first


def _restored(state: bytes, kept: dict[str, Any], symbols: tuple[str, ...]) -> VenueCore:
    if kept.get("symbols") != list(symbols):
        raise VenueUnavailable(
            f"this store holds {', '.join(kept.get('symbols', []))}, the market drives {', '.join(symbols)}",
            hint="use another store for another market",
        )
    try:
        return VenueCore.load(state)
    except (ValueError, KeyError, TypeError) as error:
        raise VenueUnavailable(f"the kept state cannot be read: {error}", hint="use a fresh store") from error


def _clock(options: VenueOptions, source: MarketSource, floor_ms: int) -> VenueClock:
    if options.clock == "manual":
        return ManualClock(max(source.start_ms(), floor_ms))
    return RealClock(floor_ms)
