"""Worst-case exposure: what the account could hold if every order that may still fill did so on its worse side.

Summed once over a symbol's orders, then judged per request in constant time by the gates and the outbox. Exposure is in
units (ticks x lots). UNKNOWN orders count in full, a write in flight counts as done and as not done; it never nets the
two sides against each other.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from gridops.decide.words import AMEND_OP, BUY, CANCEL, INCREASE, MARKET, PLACE_OP, REDUCE, UNKNOWN
from gridops.domain.orders import Order
from gridops.domain.plan import Request
from gridops.domain.vocabulary import TERMINAL, Intent, Side

NO_ASK = 1 << 62
"""Own best ask when nothing of ours is for sale."""


@dataclass(slots=True)
class ExposureSums:
    """Totals over every order of one symbol that is not proven terminal.

    Each lot is valued at its order's price or the mark, whichever is higher: both sides lose by the higher one.
    """

    mark_ticks: int
    buy_lots: int = 0
    buy_units: int = 0
    sell_lots: int = 0
    sell_units: int = 0
    ro_buy: int = 0
    """Lots of reduce-only buys."""
    ro_sell: int = 0
    best_bid: int = 0
    """Highest price at which a buy of ours may rest; 0 = none."""
    best_ask: int = NO_ASK
    known_bid: int = 0
    """The same without UNKNOWN orders, which must not hold up a reduction."""
    known_ask: int = NO_ASK
    pending: int = 0
    """Orders counted."""

    def add_filled(self, side: Side, lots: int, price_ticks: int) -> None:
        """Count a fill that happened and that no position figure holds yet: like lots still to be filled."""
        units = lots * max(price_ticks, self.mark_ticks)
        if side is BUY:
            self.buy_lots += lots
            self.buy_units += units
        else:
            self.sell_lots += lots
            self.sell_units += units

    def wce(self, position_lots: int, venue_lots: int | None) -> int:
        """Worst-case exposure in units, by the larger of the local and the venue figure."""
        worst = self._wce(position_lots, self.buy_units, self.sell_units)
        if venue_lots is None or venue_lots == position_lots:
            return worst
        return max(worst, self._wce(venue_lots, self.buy_units, self.sell_units))

    def wce_with(self, request: Request, original: Order | None, position_lots: int, venue_lots: int | None) -> int:
        """The same with one request about to leave. An amend counts the larger of its outcomes."""
        buy, sell = self.buy_units, self.sell_units
        if request.side is BUY:
            buy += added_units(request, original, self.mark_ticks)
        else:
            sell += added_units(request, original, self.mark_ticks)
        worst = self._wce(position_lots, buy, sell)
        if venue_lots is None or venue_lots == position_lots:
            return worst
        return max(worst, self._wce(venue_lots, buy, sell))

    def _wce(self, position_lots: int, buy_units: int, sell_units: int) -> int:
        # An order that first closes the other side frees lots worth at least the mark, so this bounds every sequence
        # of fills from above.
        held = position_lots * self.mark_ticks
        return max(held + buy_units, sell_units - held)


def sums(orders: Iterable[Order], mark_ticks: int) -> ExposureSums:
    """Totals of one symbol's orders; terminal ones are passed over."""
    total = ExposureSums(mark_ticks)
    for order in orders:
        if order.state in TERMINAL:
            continue
        if order.side is BUY:
            _add_buy(total, order)
        else:
            _add_sell(total, order)
        total.pending += 1
    return total


def wce_units(position_local: int, position_venue: int | None, orders: Iterable[Order], mark_ticks: int) -> int:
    """Worst-case exposure of one symbol in units; `position_venue` None = not read."""
    return sums(orders, mark_ticks).wce(position_local, position_venue)


def order_units(order: Order, mark_ticks: int) -> int:
    """Value of what an order may still fill: as it rests or as its amend in flight would have it, the larger one."""
    rests = (order.lots - order.filled_lots) * max(order.price_ticks, mark_ticks)
    pending = order.pending
    if pending is None or pending.kind is not AMEND_OP:
        return rests
    return max(rests, (pending.lots - order.filled_lots) * max(pending.price_ticks, mark_ticks))


def added_units(request: Request, original: Order | None, mark_ticks: int) -> int:
    """Units a place or amend may add to its own side. Cancels add nothing; neither does a shrinking amend."""
    if request.kind is PLACE_OP:
        return request.lots * max(request.price_ticks, mark_ticks)
    if request.kind is not AMEND_OP:
        return 0
    if original is None:
        return request.lots * max(request.price_ticks, mark_ticks)
    before = order_units(original, mark_ticks)
    after = (request.lots - original.filled_lots) * max(request.price_ticks, mark_ticks)
    return max(0, after - before)


def added_lots(request: Request, original: Order | None) -> int:
    """Lots a place or amend may add to its own side."""
    if request.kind is PLACE_OP or (request.kind is AMEND_OP and original is None):
        return request.lots
    if request.kind is not AMEND_OP or original is None:
        return 0
    return max(0, request.lots - original.filled_lots - original.worst_lots)


def classify(request: Request, position_lots: int | None, original: Order | None = None) -> Intent:
    """What the request does, by its effect. `position_lots` is the signed venue position, None = unknown.

    Only a reduce-only order against a known opposite position reduces; an unknown sign counts as increase. An amend of
    an opening order reduces when it takes lots away without moving nearer to the market; any other is an increase,
    since an order that may not be opened now may not be moved into a fill either.
    """
    if request.kind not in (PLACE_OP, AMEND_OP):
        return CANCEL
    if request.reduce_only:
        opposite = position_lots is not None and position_lots * request.side.sign < 0
        return REDUCE if opposite else INCREASE
    if request.kind is PLACE_OP or original is None:
        return INCREASE
    left = request.lots - original.filled_lots
    nearer = (request.price_ticks - original.price_ticks) * request.side.sign > 0
    dearer = left * request.price_ticks > original.remaining * original.price_ticks
    return INCREASE if left >= original.remaining or nearer or dearer else REDUCE


def reduce_only_after(request: Request, original: Order | None, total: ExposureSums) -> int:
    """Reduce-only lots on the request's side if it were sent."""
    resting = total.ro_buy if request.side is BUY else total.ro_sell
    return resting + (added_lots(request, original) if request.reduce_only else 0)


def self_cross(request: Request, total: ExposureSums) -> bool:
    """Whether the request could trade against an order of our own. A reduction looks at orders known to rest only."""
    if request.kind not in (PLACE_OP, AMEND_OP):
        return False
    known, market = request.intent is REDUCE, request.order_type is MARKET
    if request.side is BUY:
        ask = total.known_ask if known else total.best_ask
        return ask != NO_ASK and (market or request.price_ticks >= ask)
    bid = total.known_bid if known else total.best_bid
    return bid != 0 and (market or request.price_ticks <= bid)


def _add_buy(total: ExposureSums, order: Order) -> None:
    mark, price, pending = total.mark_ticks, order.price_ticks, order.pending
    lots = order.lots - order.filled_lots
    units = lots * (price if price > mark else mark)
    if pending is not None and pending.kind is AMEND_OP:
        moved, moved_price = pending.lots - order.filled_lots, pending.price_ticks
        moved_units = moved * (moved_price if moved_price > mark else mark)
        units = moved_units if moved_units > units else units
        lots = moved if moved > lots else lots
        price = moved_price if moved_price > price else price
    total.buy_units += units
    total.buy_lots += lots
    if order.reduce_only:
        total.ro_buy += lots
    if price > total.best_bid:
        total.best_bid = price
    if price > total.known_bid and order.state is not UNKNOWN:
        total.known_bid = price


def _add_sell(total: ExposureSums, order: Order) -> None:
    mark, price, pending = total.mark_ticks, order.price_ticks, order.pending
    lots = order.lots - order.filled_lots
    units = lots * (price if price > mark else mark)
    if pending is not None and pending.kind is AMEND_OP:
        moved, moved_price = pending.lots - order.filled_lots, pending.price_ticks
        moved_units = moved * (moved_price if moved_price > mark else mark)
        units = moved_units if moved_units > units else units
        lots = moved if moved > lots else lots
        price = moved_price if moved_price < price else price
    total.sell_units += units
    total.sell_lots += lots
    if order.reduce_only:
        total.ro_sell += lots
    if price < total.best_ask:
        total.best_ask = price
    if price < total.known_ask and order.state is not UNKNOWN:
        total.known_ask = price
