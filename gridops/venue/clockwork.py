"""What falls due by the venue clock: funding, dead-man timers, good-till-date, the mark price of markets without one.

Sits above matching and settlement, below the core. It reads no clock: the core tells it how late it is.
"""

from typing import Any

from gridops.venue import feed, liquidation, matching, memory, private
from gridops.venue.account import ZERO
from gridops.venue.market.events import MarkPrice
from gridops.venue.orders import CANCELED, EXPIRED
from gridops.venue.settlement import credit
from gridops.venue.units import money
from gridops.venue.world import FUNDING_INTERVAL_MS, Funding, Market, World

_MARK_EVERY_MS = 1000
_KEPT_FUNDINGS = 1000
"""The largest page that is served."""


def next_deadline_ms(world: World) -> int | None:
    """Earliest time at which something falls due."""
    due = min((market.next_funding_ms for market in world.markets.values()), default=None)
    for timers in world.countdowns.values():
        for timer in timers.values():
            due = timer.deadline_ms if due is None else min(due, timer.deadline_ms)
    for order in world.gtd.values():
        due = order.gtd_ms if due is None else min(due, order.gtd_ms)
    return due


def advance(world: World, now_ms: int) -> None:
    """Do everything due up to `now_ms`, each at its own time; the clock never goes back."""
    if now_ms <= world.now_ms:
        return
    if now_ms < world.quiet_until_ms:
        world.now_ms = now_ms
        return
    while True:
        due = next_deadline_ms(world)
        if due is None or due > now_ms:
            break
        world.now_ms = max(world.now_ms, due)
        _fire(world, due)
    world.now_ms = max(world.now_ms, now_ms)
    for market in world.markets.values():
        if market.mark is None and world.now_ms - market.mark_sent_ms >= _MARK_EVERY_MS:
            feed.send_mark(world, market)
            liquidation.check_all(world, market)
    memory.sweep(world)
    world.quiet_until_ms = _quiet_until_ms(world)


def _quiet_until_ms(world: World) -> int:
    """The next deadline or, earlier, the next clearing of the memory or mark of a market without a source's."""
    due = min(next_deadline_ms(world) or 0, world.swept_ms + memory.SWEEP_EVERY_MS)
    own_marks = (m.mark_sent_ms + _MARK_EVERY_MS for m in world.markets.values() if m.mark is None)
    return min(due, min(own_marks, default=due))


def _fire(world: World, due: int) -> None:
    for account_id, timers in world.countdowns.items():
        for symbol in [name for name, timer in timers.items() if timer.deadline_ms <= due]:
            del timers[symbol]
            for order in list(world.accounts[account_id].open_of(symbol).values()):
                matching.close(world, world.markets[symbol], order, CANCELED)
    for order in [late for late in world.gtd.values() if late.gtd_ms <= due]:
        matching.close(world, world.markets[order.symbol], order, EXPIRED, "EXPIRED")
    for market in world.markets.values():
        if market.next_funding_ms <= due:
            settle_funding(world, market)


def settle_funding(world: World, market: Market) -> None:
    """position x mark x rate, each position for itself; longs pay a positive rate.

    The next time is eight hours on until the source says else.
    """
    symbol, asset, mark = market.spec.symbol, market.spec.quote_asset, market.mark_price()
    at_ms, market.next_funding_ms = market.next_funding_ms, market.next_funding_ms + FUNDING_INTERVAL_MS
    market.fundings.append(Funding(at_ms, market.funding_rate, mark or ZERO))
    del market.fundings[:-_KEPT_FUNDINGS]
    for account in world.accounts.values():
        for position in account.held(symbol):
            if mark is None:
                break
            amount = -money(market.units.qty.value(position.lots) * mark * market.funding_rate)
            if not amount:
                continue
            credit(world, account, "FUNDING_FEE", asset, amount, symbol=symbol)
            shown: dict[str, Any] = {"symbol": symbol}
            if account.is_isolated(symbol):
                # Its own margin pays, and the event shows the position instead of naming the symbol.
                position.isolated += amount
                shown = {"market": market, "side": position.side}
            private.account_update(world, account, "FUNDING_FEE", (asset,), change=amount, **shown)


def mark(world: World, market: Market, event: MarkPrice) -> None:
    """A new mark from the source. Its next funding time counts only when it lies within one interval from now."""
    if not market.mark_held:
        market.mark, market.index = event.mark, event.index
    market.funding_rate = event.funding_rate
    if 0 < event.next_funding_ms - world.now_ms <= FUNDING_INTERVAL_MS:
        market.next_funding_ms = event.next_funding_ms
        world.quiet_until_ms = min(world.quiet_until_ms, event.next_funding_ms)
    feed.send_mark(world, market)
    liquidation.check_all(world, market)
