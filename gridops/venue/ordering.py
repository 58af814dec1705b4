"""The rules between a request and the book: what a new order, an amendment and a cancel must satisfy.

Sits above filters, margin and matching; the routes call it. Refusals are VenueError with the venue's codes; nothing
is changed before the last check has passed.
"""

import hashlib
import re
from decimal import Decimal

from gridops.domain.values import value
from gridops.venue import conditions, filters, margin, matching, private
from gridops.venue.account import ZERO, Account
from gridops.venue.algos import CONDITIONAL_TYPES
from gridops.venue.errors import VenueError
from gridops.venue.orders import BOTH, BUY, CANCELED, LONG, SELL, SHORT, Order, closing
from gridops.venue.params import Params, choice, flag, integer, malformed, need, text
from gridops.venue.world import Market, World

_CLIENT_ID = re.compile(r"[\.A-Z\:/a-z0-9_-]{1,36}\Z", re.ASCII)
LIMITED = ("LIMIT", "STOP", "TAKE_PROFIT")
"""Types that carry a price and a time in force."""
_TIFS = ("GTC", "IOC", "FOK", "GTX", "GTD")
STP_MODES = ("NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH")
_GTD_LEAD_MS = 600_000
_GTD_LAST_MS = 253_402_300_799_000
_POST_ONLY = (
    "Due to the order could not be executed as maker, the Post Only order will be rejected. "
    "The order will not be recorded in the order history"
)
_FOK = (
    "Due to the order could not be filled immediately, the FOK order has been rejected. "
    "The order will not be recorded in the order history"
)
_REDUCE_ROOM = "ReduceOnly Order Failed. Please check your existing position and open orders"


@value
class Draft:
    """A new order that passed every rule; `limit_ticks` is the worst price it may trade at."""

    market: Market
    order: Order
    limit_ticks: int


def draft(world: World, account: Account, params: Params) -> Draft:
    """Judge a new order without any effect."""
    market = world.market(need(params, "symbol"))
    if market.status != "TRADING":
        raise VenueError(-4140, "Invalid symbol status for opening position.")
    wanted, kind = side(params), _kind(params, older=world.fidelity.older_conditionals)
    limited = kind in LIMITED
    tif = _time_in_force(params, limited)
    position_side, reduce_only = _modes(account, params, wanted)
    lots = filters.lots(market, params, market_order=not limited)
    order = Order(
        order_id=market.next_order_id,
        account_id=account.account_id,
        symbol=market.spec.symbol,
        client_id=_client_id(world, account, market, params),
        side=wanted,
        type=kind,
        tif=tif,
        price_ticks=limit_price(market, params, wanted) if limited else 0,
        lots=lots,
        reduce_only=reduce_only,
        stp=choice(params, "selfTradePreventionMode", STP_MODES, "EXPIRE_MAKER"),
        price_match=text(params, "priceMatch") or "NONE",
        gtd_ms=good_till(world, params, tif),
        created_ms=world.now_ms,
        updated_ms=world.now_ms,
        position_side=position_side,
    )
    if len(account.open_of(order.symbol)) >= market.spec.max_num_orders:
        raise VenueError(-2025, "Reach max open order limit.")
    if kind in CONDITIONAL_TYPES:
        _condition(market, params, order)
        return Draft(market, order, order.price_ticks)
    return Draft(market, order, _judge(world, account, market, order))


def _judge(world: World, account: Account, market: Market, order: Order) -> int:
    """Price band, notional, margin and time in force of an order for the book; returns its worst price in ticks."""
    reduce_room(account, order, order.lots)
    if order.type == "LIMIT":
        limit = order.price_ticks
        filters.percent_price(market, order.side, limit)
    else:
        limit = filters.market_limit(market, order.side)
    if not order.reduce_only:
        notional = _notional(market, order, limit)
        filters.min_notional(market, notional)
        affordable(world, account, market, order.side, notional)
    if order.type == "LIMIT":
        immediate(market, order)
    return limit


def immediate(market: Market, order: Order) -> None:
    """Post-only must not take (-5022), fill-or-kill must fill at once (-5021)."""
    if order.tif == "GTX" and market.book.would_take(order.side, order.price_ticks):
        raise VenueError(-5022, _POST_ONLY)
    if order.tif == "FOK" and market.book.against(order.side).available(order.price_ticks, order.lots) < order.lots:
        raise VenueError(-5021, _FOK)


def side(params: Params) -> str:
    """BUY or SELL, else -1117."""
    given = need(params, "side")
    if given not in (BUY, SELL):
        raise VenueError(-1117, "Invalid side.")
    return given


def _kind(params: Params, *, older: bool) -> str:
    kind = need(params, "type")
    if kind in CONDITIONAL_TYPES:
        if older:
            return kind
        message = "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead."
        raise VenueError(-4120, message)
    if kind not in ("LIMIT", "MARKET"):
        raise VenueError(-1116, "Invalid orderType.")
    return kind


def _time_in_force(params: Params, limited: bool) -> str:
    if not limited:
        for name in ("timeInForce", "price"):
            if text(params, name) is not None:
                raise VenueError(-1106, f"Parameter '{name}' sent when not required.")
        return "GTC"
    tif = need(params, "timeInForce")
    if tif not in _TIFS:
        raise VenueError(-1115, "Invalid timeInForce.")
    return tif


def _modes(account: Account, params: Params, side: str) -> tuple[str, bool]:
    """The position meant, and whether the order may only shrink it."""
    reduce_only = flag(params, "reduceOnly")
    if flag(params, "closePosition"):
        raise VenueError(-4136, "Target strategy invalid for orderType, closePosition 'true'")
    meant = position_side(account, params)
    return meant, bool(reduce_only) or closing(side, meant)


def position_side(account: Account, params: Params) -> str:
    """BOTH in one-way mode, LONG or SHORT in hedge mode, else -4061; -1106 for a flag that hedge mode does not take."""
    given = text(params, "positionSide") or BOTH
    if (given in (LONG, SHORT)) != account.dual_side or given not in (BOTH, LONG, SHORT):
        raise VenueError(-4061, "Order's position side does not match user's setting.")
    if account.dual_side and text(params, "reduceOnly") is not None:
        raise VenueError(-1106, "Parameter 'reduceOnly' sent when not required.")
    return given


def _client_id(world: World, account: Account, market: Market, params: Params) -> str:
    given = text(params, "newClientOrderId")
    if given is None:
        seed = f"{world.seed}:{market.spec.symbol}:{market.next_order_id}".encode()
        return hashlib.blake2s(seed, digest_size=11).hexdigest()
    check_client_id(given)
    if (market.spec.symbol, given) in account.open_by_client:
        raise VenueError(-4116, "clientOrderId is duplicated")
    return given


def check_client_id(given: str) -> None:
    """-4015 for what is no client id."""
    if _CLIENT_ID.match(given) is None:
        raise VenueError(-4015, "Client order id is not valid.")


def good_till(world: World, params: Params, tif: str) -> int:
    """End of a GTD order in ms, whole seconds; 0 for other times in force, -5040 outside its range."""
    if tif != "GTD":
        return 0
    until = integer(params, "goodTillDate")
    if until is None:
        raise malformed("goodTillDate")
    if not world.now_ms + _GTD_LEAD_MS < until < _GTD_LAST_MS:
        raise VenueError(
            -5040,
            "The goodTillDate timestamp must be greater than the current time plus 600 seconds "
            "and smaller than 253402300799000",
        )
    return until - until % 1000


def limit_price(market: Market, params: Params, side: str) -> int:
    """The limit price in ticks, given or taken from the book (priceMatch excludes price)."""
    price_match = text(params, "priceMatch") or "NONE"
    if price_match == "NONE":
        return filters.price_ticks(market, params)
    if text(params, "price") is not None:
        raise VenueError(-1106, "Parameter 'price' sent when not required.")
    source, _, depth = price_match.partition("_")
    if source not in ("OPPONENT", "QUEUE") or depth not in ("", "5", "10", "20"):
        raise malformed("priceMatch")
    half = market.book.against(side) if source == "OPPONENT" else market.book.of(side)
    rank = int(depth or 1)
    levels = list(half.levels(rank))
    if len(levels) < rank:
        raise VenueError(-5041, "No depth matches this BBO order")
    return levels[-1][0]


def _notional(market: Market, order: Order, limit: int) -> Decimal:
    """Quote value at the limit price; a MARKET order is valued at the mark."""
    if order.type == "LIMIT":
        return market.units.notional(order.price_ticks, order.lots)
    mark = market.mark_price() or market.units.price.value(limit)
    return mark * market.units.qty.value(order.lots)


def reduce_room(account: Account, order: Order, lots: int) -> None:
    """-2022 without a position to reduce, -4118 when resting reduce-only orders would exceed it.

    Assumption: an order that cannot rest is cut to the position instead of refused.
    """
    if not order.reduce_only:
        return
    held = account.position(order.symbol, order.position_side).lots
    if order.sign * held >= 0:
        raise VenueError(-2022, "ReduceOnly Order is rejected.")
    if order.type != "LIMIT" or order.tif in ("IOC", "FOK"):
        return
    resting = sum(
        other.remaining
        for other in account.open_of(order.symbol).values()
        if other.reduce_only
        and (other.side, other.position_side) == (order.side, order.position_side)
        and other is not order
    )
    if resting + lots - order.filled_lots > abs(held):
        raise VenueError(-4118, _REDUCE_ROOM)


def affordable(world: World, account: Account, market: Market, side: str, extra: Decimal) -> None:
    """-2019 when the added quote value binds more margin than is free, -2027 beyond the leverage bracket."""
    now = margin.of_symbol(account, market)
    bid, ask = (extra, ZERO) if side == BUY else (ZERO, extra)
    then = margin.initial_with(account, market, now, bid, ask)
    added = then - now.initial
    if added <= 0:
        return
    if added > margin.of_account(world, account, market.spec.quote_asset, (market, now)).available:
        raise VenueError(-2019, "Margin is insufficient.")
    leverage = account.leverage_of(market.spec.symbol)
    if then * leverage > margin.max_notional(leverage):
        raise VenueError(-2027, "Exceeded the maximum allowable position at current leverage.")


def place(world: World, account: Account, params: Params, *, strategy_id: int = 0) -> Order:
    """Accept a new order and match it."""
    plan = draft(world, account, params)
    market, order = plan.market, plan.order
    market.next_order_id += 1
    order.strategy_id = strategy_id
    if order.held:
        register(world, account, order)
        private.order_update(world, market, account, order, "NEW")
        return order
    register(world, account, order)
    private.order_update(world, market, account, order, "NEW")
    matching.enter(world, market, order, plan.limit_ticks)
    return order


def _condition(market: Market, params: Params, order: Order) -> None:
    """The older conditional order, before these moved to their own route: open, but outside the book."""
    order.trigger = conditions.trigger(market, params, order.side, order.type, "stopPrice", "activationPrice")
    conditions.still_ahead(market, order.trigger)
    order.held, order.stop_ticks = True, order.trigger.ticks
    order.orig_type, order.working_type = order.type, order.trigger.working_type
    order.price_protect = bool(flag(params, "priceProtect"))


def register(world: World, account: Account, order: Order) -> None:
    """Enter the order in every index."""
    key = (order.symbol, order.client_id)
    world.orders.setdefault(order.symbol, {})[order.order_id] = order
    account.orders.setdefault(order.symbol, []).append(order)
    account.last_by_client[key] = order
    if order.open:
        if order.held:
            world.waiting.setdefault(order.symbol, {})[order.order_id] = order
        account.open_of(order.symbol)[order.order_id] = order
        account.open_by_client[key] = order
        if order.reduce_only:
            account.reducing[order.symbol] = account.reducing.get(order.symbol, 0) + 1
        if order.gtd_ms:
            world.gtd[(order.symbol, order.order_id)] = order
            world.quiet_until_ms = 0


def find(world: World, account: Account, market: Market, params: Params, client_name: str) -> Order | None:
    """By orderId, else by client id (the open one first). The order id wins when both are sent."""
    order_id = integer(params, "orderId")
    if order_id is not None:
        order = world.orders.get(market.spec.symbol, {}).get(order_id)
        return order if order is not None and order.account_id == account.account_id else None
    client_id = text(params, client_name)
    if client_id is None:
        raise VenueError(-1102, f"Param '{client_name}' or 'orderId' must be sent, but both were empty/null!")
    key = (market.spec.symbol, client_id)
    return account.open_by_client.get(key) or account.last_by_client.get(key)


def cancel(world: World, account: Account, params: Params) -> Order:
    """Cancel one open order, or -2011."""
    market = world.market(need(params, "symbol"))
    order = find(world, account, market, params, "origClientOrderId")
    if order is None or not order.open:
        raise VenueError(-2011, "Unknown order sent.")
    matching.close(world, market, order, CANCELED)
    return order
