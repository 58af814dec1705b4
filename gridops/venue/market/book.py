"""One symbol's outside book in ticks and lots, folded from snapshots and diffs with its best prices kept at hand.

Sits under the market sources. Refuses nothing: whoever feeds it asks `crossed` and decides.
"""

from collections.abc import Iterable

from gridops.venue.market.events import BookSnapshot, Level

NO_ASK = 1 << 62
"""Best ask of an empty side: above every price."""


class OutsideBook:
    """Absolute quantities per price; `best_bid` is 0 and `best_ask` NO_ASK where a side is empty."""

    __slots__ = ("asks", "best_ask", "best_bid", "bids")

    def __init__(self) -> None:
        self.bids: dict[int, int] = {}
        self.asks: dict[int, int] = {}
        self.best_bid = 0
        self.best_ask = NO_ASK

    @property
    def crossed(self) -> bool:
        return self.best_bid >= self.best_ask

    @property
    def two_sided(self) -> bool:
        return self.best_bid > 0 and self.best_ask < NO_ASK

    def clear(self) -> None:
        self.bids.clear()
        self.asks.clear()
        self.best_bid = 0
        self.best_ask = NO_ASK

    def apply(self, bids: Iterable[Level], asks: Iterable[Level]) -> None:
        """Set each level to its absolute quantity; zero deletes it."""
        self._apply_bids(bids)
        self._apply_asks(asks)

    def _apply_bids(self, levels: Iterable[Level]) -> None:
        book, best = self.bids, self.best_bid
        for price, lots in levels:
            if lots:
                book[price] = lots
                if price > best:
                    best = price
            else:
                book.pop(price, None)
        self.best_bid = best if best in book else max(book, default=0)

    def _apply_asks(self, levels: Iterable[Level]) -> None:
        book, best = self.asks, self.best_ask
        for price, lots in levels:
            if lots:
                book[price] = lots
                if price < best:
                    best = price
            else:
                book.pop(price, None)
        self.best_ask = best if best in book else min(book, default=NO_ASK)

    def snapshot(self, at_ms: int, symbol: str) -> BookSnapshot:
        """The whole book, best levels first."""
        bids = tuple(sorted(self.bids.items(), reverse=True))
        asks = tuple(sorted(self.asks.items()))
        return BookSnapshot(at_ms, symbol, bids, asks)
