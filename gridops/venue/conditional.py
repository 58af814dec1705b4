"""Conditional orders: accepted apart from the book, set off by the last or the mark price, then ordinary orders.

Sits above the order rules, below the routes. Assumptions: only the margin rules of the moment of triggering count;
an order that is refused then ends REJECTED with the venue's text; the last price is what the tape printed.
"""

import hashlib
from typing import Any

from gridops.venue import algos, conditions, filters, matching, ordering, private
from gridops.venue.account import Account
from gridops.venue.algos import CONDITIONAL_TYPES, Algo
from gridops.venue.errors import VenueError
from gridops.venue.orders import BOTH, ER_TRIGGER_REJECT, EXPIRED, NEW, Order, closing
from gridops.venue.params import Params, choice, flag, integer, need, text
from gridops.venue.world import Market, World

MAX_WAITING = 200
_CLOSERS = ("STOP_MARKET", "TAKE_PROFIT_MARKET")


def place(world: World, account: Account, params: Params) -> Algo:
    """Accept a conditional order; -2021 when its price is reached already."""
    if need(params, "algoType") != "CONDITIONAL":
        raise VenueError(-4500, "Invalid algo type.")
    market = world.market(need(params, "symbol"))
    made = _draft(world, account, market, params)
    if sum(1 for each in waiting(world, account) if each.symbol == made.symbol) >= MAX_WAITING:
        raise VenueError(-4045, "Reach max stop order limit.")
    conditions.still_ahead(market, made.trigger)
    world.next_algo_id += 1
    world.algos[made.algo_id] = made
    world.waiting.setdefault(made.symbol, {})[made.algo_id] = made
    private.algo_update(world, market, made)
    return made


def _draft(world: World, account: Account, market: Market, params: Params) -> Algo:
    side, kind = ordering.side(params), need(params, "type")
    if kind not in CONDITIONAL_TYPES:
        raise VenueError(-1116, "Invalid orderType.")
    position_side = ordering.position_side(account, params)
    closes, reduces = bool(flag(params, "closePosition")), bool(flag(params, "reduceOnly"))
    # In hedge mode an order that opens a position cannot be the one that closes it.
    reduces = reduces or closing(side, position_side)
    opens = position_side != BOTH and not reduces
    if closes and (opens or text(params, "quantity") is not None or kind not in _CLOSERS):
        raise VenueError(-4136, "Target strategy invalid for orderType, closePosition 'true'")
    limit = kind in ("STOP", "TAKE_PROFIT")
    tif = choice(
        params, "timeInForce", ("GTC", "IOC", "FOK", "GTX", "GTD"), "GTC", VenueError(-1115, "Invalid timeInForce.")
    )
    return Algo(
        algo_id=world.next_algo_id,
        client_id=_client_id(world, account, params),
        account_id=account.account_id,
        symbol=market.spec.symbol,
        trigger=conditions.trigger(market, params, side, kind, "triggerPrice", "activatePrice"),
        tif=tif,
        price_ticks=ordering.limit_price(market, params, side) if limit else 0,
        lots=0 if closes else filters.lots(market, params, market_order=not limit),
        reduce_only=reduces or closes,
        close_position=closes,
        price_protect=bool(flag(params, "priceProtect")),
        stp=choice(params, "selfTradePreventionMode", ordering.STP_MODES, "EXPIRE_MAKER"),
        price_match=text(params, "priceMatch") or "NONE",
        gtd_ms=ordering.good_till(world, params, tif),
        created_ms=world.now_ms,
        updated_ms=world.now_ms,
        position_side=position_side,
    )


def _client_id(world: World, account: Account, params: Params) -> str:
    given = text(params, "clientAlgoId")
    if given is None:
        return hashlib.blake2s(f"{world.seed}:algo:{world.next_algo_id}".encode(), digest_size=11).hexdigest()
    ordering.check_client_id(given)
    if any(each.client_id == given for each in waiting(world, account)):
        raise VenueError(-4116, "clientOrderId is duplicated")
    return given


def waiting(world: World, account: Account) -> list[Algo]:
    """The account's conditional orders that have not been set off, oldest first."""
    rows = [each for held in world.waiting.values() for each in held.values() if isinstance(each, Algo)]
    return sorted((each for each in rows if each.account_id == account.account_id), key=lambda each: each.algo_id)


def find(world: World, account: Account, params: Params) -> Algo | None:
    """By algoId, else the newest with the client's id."""
    algo_id = integer(params, "algoId")
    if algo_id is not None:
        found = world.algos.get(algo_id)
        return found if found is not None and found.account_id == account.account_id else None
    client_id = text(params, "clientAlgoId")
    if client_id is None:
        raise VenueError(-1102, "Param 'algoId' or 'clientAlgoId' must be sent, but both were empty/null!")
    mine = [a for a in world.algos.values() if a.account_id == account.account_id and a.client_id == client_id]
    return mine[-1] if mine else None


def cancel(world: World, account: Account, params: Params) -> Algo:
    """Cancel one that still waits, or -2011."""
    made = find(world, account, params)
    if made is None or made.status != algos.WAITING:
        raise VenueError(-2011, "Unknown order sent.")
    end(world, made, algos.CANCELED)
    return made


def end(world: World, made: Algo, status: str, reason: str = "") -> None:
    """A conditional order ends without an order."""
    world.waiting.get(made.symbol, {}).pop(made.algo_id, None)
    made.status, made.reason, made.updated_ms = status, reason, world.now_ms
    private.algo_update(world, world.markets[made.symbol], made)


def check(world: World, market: Market) -> None:
    """Set off what the prices of this operation have reached; what that trades may set off more."""
    held = world.waiting.get(market.spec.symbol)
    while held:
        due = None
        for each in held.values():
            prices = conditions.prices(market, each.trigger.working_type) if each.trigger is not None else None
            if prices is not None and each.trigger is not None and each.trigger.reached(*prices):
                due = each
                break
        if due is None:
            return
        if isinstance(due, Algo):
            _fire(world, market, due)
        else:
            _release(world, market, due)


def _fire(world: World, market: Market, made: Algo) -> None:
    del world.waiting[made.symbol][made.algo_id]
    made.status, made.triggered_ms, made.updated_ms = algos.TRIGGERING, world.now_ms, world.now_ms
    private.algo_update(world, market, made)
    account = world.accounts[made.account_id]
    try:
        order = ordering.place(world, account, _asked(market, account, made), strategy_id=made.algo_id)
    except VenueError as refusal:
        end(world, made, algos.REJECTED, refusal.message)
        return
    made.status, made.order_id, made.updated_ms = algos.TRIGGERED, order.order_id, world.now_ms
    private.algo_update(world, market, made)
    finish(world)


def _asked(market: Market, account: Account, made: Algo) -> dict[str, Any]:
    """The call that a client would make at this moment."""
    lots = made.lots or abs(account.position(made.symbol, made.position_side).lots)
    asked: dict[str, Any] = {
        "symbol": made.symbol,
        "side": made.trigger.side,
        "type": made.order_type,
        "quantity": market.units.qty.text(lots),
        "newClientOrderId": made.client_id,
        "selfTradePreventionMode": made.stp,
    }
    if made.position_side != BOTH:
        asked["positionSide"] = made.position_side
    elif made.reduce_only:
        asked["reduceOnly"] = "true"
    if made.order_type == "LIMIT":
        asked |= {"timeInForce": made.tif, "price": market.units.price.text(made.price_ticks)}
        if made.gtd_ms:
            asked["goodTillDate"] = made.gtd_ms
    return asked


def finish(world: World) -> None:
    """Tell the owners of conditional orders whose orders have ended."""
    ended, world.ended_strategies = world.ended_strategies, []
    for order in ended:
        made = world.algos.get(order.strategy_id)
        if made is None:
            continue
        if made.status == algos.TRIGGERING:
            # Its own placement has not been reported yet.
            world.ended_strategies.append(order)
            continue
        made.status, made.updated_ms = algos.FINISHED, world.now_ms
        private.algo_update(world, world.markets[made.symbol], made)


def _release(world: World, market: Market, order: Order) -> None:
    """An older conditional order becomes a plain one under its own id, or expires."""
    del world.waiting[order.symbol][order.order_id]
    order.held = False
    account = world.accounts[order.account_id]
    try:
        limit = _released_limit(world, market, account, order)
    except VenueError as refusal:
        matching.close(world, market, order, EXPIRED, "EXPIRED", ER_TRIGGER_REJECT)
        private.trigger_reject(world, account, order, refusal.message)
        return
    order.type = "LIMIT" if order.type in ("STOP", "TAKE_PROFIT") else "MARKET"
    order.updated_ms = world.now_ms
    if order.status == NEW:
        private.order_update(world, market, account, order, "NEW")
        matching.enter(world, market, order, limit)


def _released_limit(world: World, market: Market, account: Account, order: Order) -> int:
    """The worst price it may trade at, after the rules of a new order."""
    limited = order.type in ("STOP", "TAKE_PROFIT")
    limit = order.price_ticks if limited else filters.market_limit(market, order.side)
    ordering.reduce_room(account, order, order.lots)
    if not order.reduce_only:
        ordering.affordable(world, account, market, order.side, market.units.notional(limit, order.lots))
    if limited:
        ordering.immediate(market, order)
    return limit
