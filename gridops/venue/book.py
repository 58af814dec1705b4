"""One symbol's book: outside liquidity from the market source, and our accounts' orders queued within it.

Sits under the matcher. It knows prices and queues, no account, no money, no event.

Queue assumptions, all of them stated here:
- An order joins behind everything visible at its price; `Order.ahead` is the outside part of that.
- A level that shrinks by more than the tape traded lost cancellations spread evenly over the queue, so the part ahead
  shrinks in proportion, rounded up (against us).
- A level that grows grows at the back.
- Quantity eaten by our takers stays eaten until a diff or a snapshot states the level again.
- A tape trade is expected before the diff that shows its effect; the other order shrinks the queue twice.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator

from gridops.venue.orders import Order


class Side:
    """One half of the book. `sign` is +1 for bids (best is highest) and -1 for asks (best is lowest)."""

    __slots__ = ("_prices", "outside", "own", "own_lots", "own_prices", "sign", "traded")

    def __init__(self, sign: int) -> None:
        self.sign = sign
        self.outside: dict[int, int] = {}
        self._prices: list[int] = []
        self.own: dict[int, list[Order]] = {}
        self.own_prices: list[int] = []
        self.own_lots: dict[int, int] = {}
        self.traded: dict[int, int] = {}
        """Tape lots at our prices since the level was last stated."""

    def set_level(self, price: int, lots: int) -> bool:
        """State the outside quantity of a level; True when that changed anything."""
        outside = self.outside
        before = outside.get(price, 0)
        if price in self.own:
            self._shrink_queue(price, before, lots)
        if lots == before:
            return False
        if lots:
            outside[price] = lots
            if not before:
                insort(self._prices, price)
        else:
            del outside[price]
            del self._prices[bisect_left(self._prices, price)]
        return True

    def _shrink_queue(self, price: int, before: int, after: int) -> None:
        explained = min(self.traded.pop(price, 0), max(before - after, 0))
        base = before - explained
        for order in self.own[price]:
            if after < base:
                order.ahead = -(-order.ahead * after // base)
            order.ahead = min(order.ahead, after)

    def eat(self, price: int, lots: int) -> None:
        """A taker of ours consumed that much of the outside level, from its front."""
        left = self.outside[price] - lots
        assert left >= 0
        if left:
            self.outside[price] = left
        else:
            del self.outside[price]
            del self._prices[bisect_left(self._prices, price)]
        self.pass_queue(price, lots)

    def pass_queue(self, price: int, lots: int) -> None:
        """That much outside quantity left the front of the queue."""
        for order in self.own.get(price, ()):
            order.ahead = max(order.ahead - lots, 0)

    def join(self, order: Order) -> None:
        """Append to the back of its price."""
        price = order.price_ticks
        order.ahead = self.outside.get(price, 0)
        order.resting = True
        self.restore(order)

    def restore(self, order: Order) -> None:
        """Append with the queue place it already has (reloading)."""
        price = order.price_ticks
        queue = self.own.get(price)
        if queue is None:
            queue = self.own[price] = []
            self.own_lots[price] = 0
            insort(self.own_prices, price)
        queue.append(order)
        self.own_lots[price] += order.remaining

    def leave(self, order: Order) -> None:
        """Take a resting order out, whatever remains of it."""
        price = order.price_ticks
        queue = self.own[price]
        queue.remove(order)
        order.resting = False
        if queue:
            self.own_lots[price] -= order.remaining
        else:
            del self.own[price]
            del self.own_lots[price]
            self.traded.pop(price, None)
            del self.own_prices[bisect_left(self.own_prices, price)]

    def fill_own(self, order: Order, lots: int) -> None:
        """A resting order of ours traded; it leaves the queue when nothing remains."""
        order.filled_lots += lots
        order.filled_tick_lots += lots * order.price_ticks
        self.own_lots[order.price_ticks] -= lots
        if order.remaining == 0:
            self.leave(order)

    def best_outside(self) -> int | None:
        """Best outside price in ticks."""
        return None if not self._prices else self._prices[-1] if self.sign > 0 else self._prices[0]

    def best_own(self) -> int | None:
        """Best price of our accounts' orders in ticks."""
        return None if not self.own_prices else self.own_prices[-1] if self.sign > 0 else self.own_prices[0]

    def best(self) -> int | None:
        """Best visible price in ticks, outside or own."""
        prices, mine = self._prices, self.own_prices
        at = -1 if self.sign > 0 else 0
        if not mine:
            return prices[at] if prices else None
        own = mine[at]
        if not prices:
            return own
        outside = prices[at]
        return outside if (outside > own) == (at < 0) else own

    def visible(self, price: int) -> int:
        """Lots a reader of the depth sees. Assumption: our own orders are in it, as on the venue."""
        return self.outside.get(price, 0) + self.own_lots.get(price, 0)

    def reaches(self, price: int, limit: int | None) -> bool:
        """Whether a taker with that limit (None = any) may trade at this side's price."""
        return limit is None or self.sign * price >= self.sign * limit

    def levels(self, count: int) -> Iterator[tuple[int, int]]:
        """The best `count` visible levels, best first."""
        if self.own_prices:
            prices = sorted(self.outside.keys() | self.own.keys(), reverse=self.sign > 0)[:count]
        else:
            prices = self._prices[-count:][::-1] if self.sign > 0 else self._prices[:count]
        return ((price, self.visible(price)) for price in prices)

    def replace_outside(self, levels: Iterable[tuple[int, int]]) -> list[int]:
        """State the whole outside side at once; the prices that changed."""
        wanted = {price: lots for price, lots in levels if lots > 0}
        changed = [price for price in list(self.outside) if price not in wanted and self.set_level(price, 0)]
        changed += [price for price, lots in wanted.items() if self.set_level(price, lots)]
        return changed

    def available(self, limit: int | None, wanted: int) -> int:
        """Lots a taker with that limit could get, counted no further than `wanted`."""
        total = 0
        for price, lots in self.levels(len(self.outside) + len(self.own)):
            if not self.reaches(price, limit) or total >= wanted:
                break
            total += lots
        return min(total, wanted)


class Book:
    """Both sides of one symbol."""

    __slots__ = ("asks", "bids")

    def __init__(self) -> None:
        self.bids = Side(1)
        self.asks = Side(-1)

    def of(self, side: str) -> Side:
        """Where an order of that side rests."""
        return self.bids if side == "BUY" else self.asks

    def against(self, side: str) -> Side:
        """What an order of that side takes."""
        return self.asks if side == "BUY" else self.bids

    def would_take(self, side: str, price: int) -> bool:
        """Whether an order at that price would trade at once."""
        opposite = self.against(side)
        best = opposite.best()
        return best is not None and opposite.reaches(best, price)
