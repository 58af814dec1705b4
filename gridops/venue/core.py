"""The sockets-free venue: one clock, one book per symbol, the accounts and the calls on them.

Sits under the server, which does signatures, headers, limits and framing. It refuses to read a clock, open a socket or
draw a random number: time and market arrive as arguments, so equal calls give equal bytes.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from gridops.venue import (
    account_routes,
    algo_routes,
    clockwork,
    conditional,
    feed,
    hands,
    margin_routes,
    market_routes,
    matching,
    order_routes,
    private,
    routes,
)
from gridops.venue import state as states
from gridops.venue import truth as truths
from gridops.venue.account import Account
from gridops.venue.errors import VenueError
from gridops.venue.events import Fidelity, StreamEvent
from gridops.venue.market.events import DepthDiff, MarketEvent, MarketTrade, MarkPrice, SymbolSpec
from gridops.venue.settlement import credit
from gridops.venue.units import money
from gridops.venue.world import FUNDING_INTERVAL_MS, Market, World

__all__ = ["Fidelity", "StreamEvent", "VenueCore", "VenueError"]

# Importing these modules is what registers their routes.
_ROUTE_MODULES = (account_routes, algo_routes, margin_routes, market_routes, order_routes)
_DEFAULT_FIDELITY = Fidelity()


class VenueCore:
    """Semantics and JSON bodies of the venue."""

    __slots__ = ("_world", "now_ms")

    now_ms: int
    """The venue clock; moved only by advance, apply and call."""

    def __init__(
        self, *, symbols: tuple[SymbolSpec, ...], start_ms: int, seed: int, fidelity: Fidelity = _DEFAULT_FIDELITY
    ) -> None:
        # Until the source names a funding time, the venue's clock strikes at 00, 08 and 16 UTC.
        funding_ms = start_ms - start_ms % FUNDING_INTERVAL_MS + FUNDING_INTERVAL_MS
        markets = {spec.symbol: Market(spec, funding_ms) for spec in symbols}
        self._world = World(now_ms=start_ms, seed=seed, fidelity=fidelity, markets=markets)
        self.now_ms = start_ms

    def symbols(self) -> tuple[SymbolSpec, ...]:
        """Rules of every market."""
        return tuple(market.spec for market in self._world.markets.values())

    def accounts(self) -> dict[str, tuple[str, str]]:
        """API key and secret by account id."""
        return {name: (account.api_key, account.api_secret) for name, account in self._world.accounts.items()}

    def add_account(self, account_id: str, *, api_key: str, api_secret: str, wallet: dict[str, Decimal]) -> None:
        """Open an account with a starting wallet; a known id keeps its state and wallet and takes the new keys."""
        known = self._world.accounts.get(account_id)
        if known is not None:
            known.api_key, known.api_secret = api_key, api_secret
            return
        opening = {asset: money(amount) for asset, amount in wallet.items()}
        self._world.accounts[account_id] = Account(account_id, api_key, api_secret, opening, dict(opening))

    def apply(self, event: MarketEvent) -> None:
        """Fold one market event, its at_ms already on the venue clock; a late one happens now."""
        world = self._world
        market = world.markets.get(event.symbol)
        if market is None:
            return
        now_ms = event.at_ms
        if now_ms > world.now_ms:
            if now_ms < world.quiet_until_ms:
                world.now_ms = now_ms
            else:
                clockwork.advance(world, now_ms)
            self.now_ms = now_ms
        if isinstance(event, DepthDiff):
            matching.state_levels(world, market, event)
        elif isinstance(event, MarketTrade):
            matching.tape_trade(world, market, event)
        elif isinstance(event, MarkPrice):
            clockwork.mark(world, market, event)
        else:
            matching.state_book(world, market, event)
        if world.waiting or world.ended_strategies:
            self._settle(market)
        elif market.printed or market.touched_bids or market.touched_asks:
            feed.flush(world, market)

    def advance(self, now_ms: int) -> None:
        """Move the clock forward and do what fell due on the way."""
        clockwork.advance(self._world, now_ms)
        self.now_ms = self._world.now_ms
        self._flush()

    def next_deadline_ms(self) -> int | None:
        """Earliest time at which advance() has work: funding, a dead-man timer, a good-till-date order."""
        return clockwork.next_deadline_ms(self._world)

    def call(self, account_id: str | None, method: str, path: str, params: Mapping[str, Any], now_ms: int) -> Any:
        """Answer one /fapi call with its JSON body; raises VenueError. 404 for what does not exist here."""
        world = self._world
        clockwork.advance(world, now_ms)
        self.now_ms = world.now_ms
        try:
            public = routes.PUBLIC.get((method, path))
            if public is not None:
                return public(world, params)
            private_handler = routes.PRIVATE.get((method, path))
            if private_handler is None:
                raise VenueError(-5000, f"Path {path}, Method {method} is invalid", status=404)
            return private_handler(world, self._account(account_id), params)
        finally:
            self._flush()

    @staticmethod
    def knows(method: str, path: str) -> str | None:
        """ "public", "private" or None for a route the core does not answer."""
        key = (method, path)
        return "public" if key in routes.PUBLIC else "private" if key in routes.PRIVATE else None

    def drain(self) -> list[StreamEvent]:
        """Events since the last drain, in venue order."""
        events, self._world.outbox = self._world.outbox, []
        return events

    def truth(self) -> dict[str, Any]:
        """The oracle: accounts, orders, fills, income, book top, invariant violations."""
        return truths.report(self._world)

    def dump(self) -> bytes:
        """The whole state, deterministic; undelivered events are not part of it."""
        return states.dump(self._world)

    @classmethod
    def load(cls, data: bytes) -> "VenueCore":
        """The venue as it was dumped."""
        core = cls.__new__(cls)
        core._world = states.load(data)
        core.now_ms = core._world.now_ms
        return core

    def external_trade(self, symbol: str, side: str, lots: int, price_ticks: int | None = None) -> int:
        """Somebody outside takes liquidity, down to a price or any; returns the lots not to be had."""
        left = matching.take(self._world, self._world.market(symbol), side, price_ticks, lots, None)
        self._flush()
        return left

    def interfere(self, name: str, *args: Any, account: str | None = None) -> Any:
        """One act of `hands` by name; what it set off is sent before this returns."""
        try:
            if name in hands.BY_ACCOUNT:
                return hands.BY_ACCOUNT[name](self._world, self._account(account), *args)
            return hands.BY_SYMBOL[name](self._world, *args)
        finally:
            self._flush()

    def transfer(self, account_id: str, asset: str, amount: Decimal) -> None:
        """Deposit (positive) or withdraw (negative) by another hand."""
        account = self._account(account_id)
        credit(self._world, account, "TRANSFER", asset, money(amount))
        reason = "DEPOSIT" if amount > 0 else "WITHDRAW"
        private.account_update(self._world, account, reason, (asset,), change=money(amount))

    def set_symbol_status(self, symbol: str, status: str) -> None:
        """TRADING or anything else (SETTLING, CLOSE): then no new order and no amendment is accepted."""
        market = self._world.market(symbol)
        market.status = status
        feed.contract_event(self._world, market)

    def set_fidelity(self, fidelity: Fidelity) -> None:
        """Behave as another release of the venue from now on."""
        self._world.fidelity = fidelity

    def set_asset_price(self, asset: str, price: Decimal) -> None:
        """Quote price used to convert fees paid in another asset."""
        self._world.asset_prices[asset] = price

    def set_amend_pending(self, order_id: int, pending: bool) -> None:
        """Make amendments of one order answer -5043, or stop doing so."""
        held = self._world.pending_amends
        if pending and order_id not in held:
            held.append(order_id)
        elif not pending and order_id in held:
            held.remove(order_id)

    def _account(self, account_id: str | None) -> Account:
        account = self._world.accounts.get(account_id or "")
        if account is None:
            raise VenueError(-2015, "Invalid API-key, IP, or permissions for action.", status=401)
        return account

    def _flush(self) -> None:
        for market in self._world.markets.values():
            self._settle(market)

    def _settle(self, market: Market) -> None:
        """What the last operation has set off, then what it changed in public."""
        world = self._world
        if world.waiting:
            conditional.check(world, market)
        if world.ended_strategies:
            conditional.finish(world)
        if market.printed or market.touched_bids or market.touched_asks:
            feed.flush(world, market)
