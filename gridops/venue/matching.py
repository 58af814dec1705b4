"""Price-time matching of our accounts' orders with each other, the outside book and the tape.

Sits above book, settlement and events; below the order rules. It validates nothing: what arrives here is accepted.
Assumptions on outside liquidity are stated in `book`.
"""

from gridops.venue import private
from gridops.venue.book import Side
from gridops.venue.market.events import BookSnapshot, DepthDiff, MarketTrade
from gridops.venue.orders import (
    BUY,
    CANCELED,
    ER_IOC_REST,
    ER_IOC_STP,
    ER_NONE,
    ER_REDUCE_ONLY,
    ER_STP,
    EXPIRED,
    EXPIRED_IN_MATCH,
    SELL,
    Order,
)
from gridops.venue.settlement import forget_open, settle
from gridops.venue.world import HeldBook, Market, World

STP_TIFS = ("GTC", "IOC", "GTD")


def enter(world: World, market: Market, order: Order, limit: int | None) -> None:
    """An accepted order meets the book: takes what it may down to `limit`, then rests or expires."""
    wanted, immediate = order.remaining, order.type != "LIMIT" or order.tif in ("IOC", "FOK")
    if order.reduce_only and immediate:
        position = world.accounts[order.account_id].position(order.symbol, order.position_side)
        wanted = min(wanted, max(-order.sign * position.lots, 0))
    cut = wanted < order.remaining
    left = take(world, market, order.side, limit, wanted, order)
    if not order.open:
        return
    if immediate:
        close(world, market, order, EXPIRED, "EXPIRED", ER_REDUCE_ONLY if cut and not left else ER_IOC_REST)
        return
    rest(world, market, order)
    recheck_reduce_only(world, market, order.account_id)


def rest(world: World, market: Market, order: Order) -> None:
    """Join the back of the queue."""
    order.priority = world.next_priority
    world.next_priority += 1
    market.book.of(order.side).join(order)
    world.accounts[order.account_id].weigh(order, order.remaining)
    market.touch(order.side, order.price_ticks)


def unrest(world: World, market: Market, order: Order) -> None:
    """Leave the queue."""
    market.book.of(order.side).leave(order)
    world.accounts[order.account_id].weigh(order, -order.remaining)
    market.touch(order.side, order.price_ticks)


def close(
    world: World, market: Market, order: Order, status: str, execution: str = CANCELED, reason: str = ER_NONE
) -> None:
    """End an open order without a fill and tell its owner."""
    if order.resting:
        unrest(world, market, order)
    order.status, order.expiry_reason, order.updated_ms = status, reason, world.now_ms
    account = world.accounts[order.account_id]
    forget_open(world, account, order)
    private.order_update(world, market, account, order, execution)


def take(world: World, market: Market, side: str, limit: int | None, lots: int, taker: Order | None) -> int:
    """Trade as aggressor, best price first; returns what could not be had. No taker means an outside aggressor."""
    opposite = market.book.against(side)
    left = lots
    while left > 0:
        price = opposite.best()
        if price is None or not opposite.reaches(price, limit):
            break
        queue = opposite.own.get(price)
        if queue and queue[0].ahead == 0:
            maker = queue[0]
            if taker is not None and _is_self(taker, maker):
                if _prevent_self_trade(world, market, taker, maker):
                    return 0
                continue
            part = min(left, maker.remaining)
            fill(world, market, side, price, part, taker, maker)
        else:
            part = min(left, queue[0].ahead if queue else opposite.outside[price])
            _eat(market, opposite, price, part)
            fill(world, market, side, price, part, taker, None)
        left -= part
    return left


def _eat(market: Market, opposite: Side, price: int, lots: int) -> None:
    opposite.eat(price, lots)
    market.touch(BUY if opposite.sign > 0 else SELL, price)


def _is_self(taker: Order, maker: Order) -> bool:
    return taker.account_id == maker.account_id and taker.stp != "NONE" and taker.tif in STP_TIFS


def _prevent_self_trade(world: World, market: Market, taker: Order, maker: Order) -> bool:
    """Expire by the taker's mode; True when the taker is gone."""
    if taker.stp in ("EXPIRE_MAKER", "EXPIRE_BOTH"):
        close(world, market, maker, EXPIRED_IN_MATCH, "EXPIRED", ER_STP)
    if taker.stp == "EXPIRE_MAKER":
        return False
    close(world, market, taker, EXPIRED_IN_MATCH, "EXPIRED", ER_IOC_STP if taker.tif == "IOC" else ER_STP)
    return True


def fill(
    world: World, market: Market, aggressor: str, price: int, lots: int, taker: Order | None, maker: Order | None
) -> None:
    """One trade: print it, book each side that is ours, then let reduce-only orders lose their room."""
    printed = market.tape.add(world.now_ms, price, lots, aggressor == SELL)
    market.printed.append(printed)
    if maker is not None:
        market.book.of(maker.side).fill_own(maker, lots)
        world.accounts[maker.account_id].weigh(maker, -lots)
        market.touch(maker.side, price)
        settle(world, market, maker, price, lots, printed.trade_id, maker=True)
    if taker is not None:
        taker.filled_lots += lots
        taker.filled_tick_lots += lots * price
        settle(world, market, taker, price, lots, printed.trade_id, maker=False)
    for order in (maker, taker):
        if order is not None:
            recheck_reduce_only(world, market, order.account_id)


def recheck_reduce_only(world: World, market: Market, account_id: str) -> None:
    """Resting reduce-only orders that no longer fit the position expire, worst price and latest first."""
    account = world.accounts[account_id]
    symbol = market.spec.symbol
    if not account.reducing.get(symbol):
        return
    waiting = [order for order in account.open_of(symbol).values() if order.reduce_only and order.resting]
    if not waiting:
        return
    held = {side: account.position(symbol, side).lots for side in account.sides()}
    room = {side: abs(lots) for side, lots in held.items()}
    for order in sorted(waiting, key=lambda o: (-o.sign * o.price_ticks, o.priority)):
        side = order.position_side
        if order.sign * held[side] < 0 and order.remaining <= room[side]:
            room[side] -= order.remaining
        else:
            close(world, market, order, EXPIRED, "EXPIRED", ER_REDUCE_ONLY)


def state_book(world: World, market: Market, event: BookSnapshot) -> None:
    """State the whole outside book, then fill what the market moved through."""
    bids, asks = market.book.bids, market.book.asks
    if market.held_book is not None:
        _remember(market.held_book, event)
        return
    market.touched_bids.update(bids.replace_outside(event.bids))
    market.touched_asks.update(asks.replace_outside(event.asks))
    uncross(world, market, bids, asks)
    uncross(world, market, asks, bids)


def state_levels(world: World, market: Market, event: DepthDiff) -> None:
    """Apply outside levels atomically, then fill what the market moved through."""
    bids, asks = market.book.bids, market.book.asks
    if market.held_book is not None:
        _remember(market.held_book, event)
        return
    for price, lots in event.bids:
        if bids.set_level(price, lots):
            market.touched_bids.add(price)
    for price, lots in event.asks:
        if asks.set_level(price, lots):
            market.touched_asks.add(price)
    # Only a changed side can have come through orders of ours on the other one.
    if event.asks and bids.own_prices:
        uncross(world, market, bids, asks)
    if event.bids and asks.own_prices:
        uncross(world, market, asks, bids)


def _remember(held: HeldBook, event: BookSnapshot | DepthDiff) -> None:
    """While another book is shown, only note what the source says."""
    if isinstance(event, BookSnapshot):
        held.bids, held.asks = dict(event.bids), dict(event.asks)
        return
    for levels, changes in ((held.bids, event.bids), (held.asks, event.asks)):
        levels.update(changes)
        for price, lots in changes:
            if not lots:
                levels.pop(price, None)


def uncross(world: World, market: Market, own: Side, opposite: Side) -> None:
    """Outside liquidity at or through our price fills us, at our price, up to the crossing lots."""
    aggressor = SELL if own.sign > 0 else BUY
    while own.own_prices:
        price, outside = own.best_own(), opposite.best_outside()
        if price is None or outside is None or not opposite.reaches(outside, price):
            return
        maker = own.own[price][0]
        lots = min(maker.remaining, opposite.outside[outside])
        _eat(market, opposite, outside, lots)
        fill(world, market, aggressor, price, lots, None, maker)


def tape_trade(world: World, market: Market, event: MarketTrade) -> None:
    """History traded: at our price it eats the queue ahead first, through our price it fills us fully."""
    sold, price_ticks = event.buyer_is_maker, event.price_ticks
    hit = market.book.bids if sold else market.book.asks
    if not hit.own_prices or not hit.reaches(hit.own_prices[-1 if sold else 0], price_ticks):
        market.printed.append(market.tape.add(world.now_ms, price_ticks, event.lots, sold))
        return
    aggressor = SELL if sold else BUY
    if price_ticks in hit.own:
        hit.traded[price_ticks] = hit.traded.get(price_ticks, 0) + event.lots
    left = unfilled = event.lots
    while left > 0:
        price = hit.best_own()
        if price is None or not hit.reaches(price, price_ticks):
            break
        maker = hit.own[price][0]
        if price == price_ticks and maker.ahead > 0:
            passed = min(left, maker.ahead)
            hit.pass_queue(price, passed)
            left -= passed
            continue
        lots = min(left, maker.remaining)
        fill(world, market, aggressor, price, lots, None, maker)
        left -= lots
        unfilled -= lots
    if unfilled > 0:
        market.printed.append(market.tape.add(world.now_ms, price_ticks, unfilled, sold))
