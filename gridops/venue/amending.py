"""Order amendment: remove and append at the back of the queue, under the venue's own conditions.

Sits beside the order rules. Refused amendments leave the order untouched; some accepted ones cancel it.
Assumptions: an amended order's self-trade prevention becomes NONE; an unknown or finished order answers -2013.
"""

from gridops.domain.values import value
from gridops.venue import filters, matching, ordering, private
from gridops.venue.account import Account
from gridops.venue.errors import VenueError
from gridops.venue.orders import CANCELED, Amendment, Order
from gridops.venue.params import Params, integer, need
from gridops.venue.world import Market, World


@value
class Change:
    """The new price in ticks and the new total quantity in lots, with the caller's correlation number."""

    ticks: int
    lots: int
    modify_id: int | None


def amend(world: World, account: Account, params: Params) -> Order:
    """Amend one open LIMIT order; returns it with whatever became of it."""
    market = world.market(need(params, "symbol"))
    order = ordering.find(world, account, market, params, "origClientOrderId")
    if order is None or not order.open:
        raise VenueError(-2013, "Order does not exist.")
    _amendable(world, market, order)
    change = _parse(market, order, params)
    if (change.ticks, change.lots) == (order.price_ticks, order.lots):
        raise VenueError(-5027, "No need to modify the order.")
    if order.amend_count >= market.spec.move_order_limit:
        raise VenueError(-5026, "Exceed maximum modify order limit.")
    if _cancels(market, order, change):
        _record(world, order, change)
        matching.close(world, market, order, CANCELED)
        return order
    _affordable(world, account, market, order, change)
    _apply(world, market, account, order, change)
    return order


def _amendable(world: World, market: Market, order: Order) -> None:
    if order.type != "LIMIT":
        raise VenueError(-5025, "Only limit order is supported.")
    if market.status != "TRADING":
        raise VenueError(-5024, "Symbol is not in trading status. Order amendment is not permitted.")
    if order.order_id in world.pending_amends:
        raise VenueError(-5043, "A pending modification already exists for this order.")


def _parse(market: Market, order: Order, params: Params) -> Change:
    if need(params, "side") != order.side:
        raise VenueError(-1130, "Data sent for parameter 'side' is not valid.")
    lots = filters.lots(market, params, market_order=False)
    ticks = ordering.limit_price(market, params, order.side)
    filters.percent_price(market, order.side, ticks)
    return Change(ticks, lots, integer(params, "modifyId"))


def _cancels(market: Market, order: Order, change: Change) -> bool:
    """The two amendments that end the order: nothing left to fill, or a post-only that would take."""
    if order.filled_lots and change.lots <= order.filled_lots:
        return True
    return order.tif == "GTX" and market.book.would_take(order.side, change.ticks)


def _affordable(world: World, account: Account, market: Market, order: Order, change: Change) -> None:
    if order.reduce_only:
        ordering.reduce_room(account, order, change.lots)
        return
    filters.min_notional(market, market.units.notional(change.ticks, change.lots), amend=True)
    before = market.units.notional(order.price_ticks, order.remaining)
    after = market.units.notional(change.ticks, change.lots - order.filled_lots)
    if after > before:
        ordering.affordable(world, account, market, order.side, after - before)


def _record(world: World, order: Order, change: Change) -> None:
    order.amend_count += 1
    order.modify_id = change.modify_id
    order.amendments.append(
        Amendment(
            amendment_id=world.next_amendment_id,
            at_ms=world.now_ms,
            price_before=order.price_ticks,
            price_after=change.ticks,
            lots_before=order.lots,
            lots_after=change.lots,
            count=order.amend_count,
            modify_id=change.modify_id,
        )
    )
    world.next_amendment_id += 1


def _apply(world: World, market: Market, account: Account, order: Order, change: Change) -> None:
    _record(world, order, change)
    matching.unrest(world, market, order)
    order.price_ticks, order.lots, order.stp = change.ticks, change.lots, "NONE"
    order.updated_ms = world.now_ms
    private.order_update(world, market, account, order, "AMENDMENT")
    matching.enter(world, market, order, change.ticks)
