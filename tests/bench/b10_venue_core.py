"""B10: the venue's core in process, per second of one core: order operations, and market events under our orders.

No socket and no public stream; private events are drained. Every operation goes through the call a route makes, from
text parameters to the reply's body. Market events are half one-level depth changes and half trades that do not reach
us, over a book of fifty levels a side with forty resting orders of ours in it; the time between them is a millisecond.
The second figure is what the same work would be at the speed of the machine where the aims were set.
"""

import random
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from gridops.venue.core import Fidelity, VenueCore
from gridops.venue.market.events import BookSnapshot, DepthDiff, MarketEvent, MarketTrade, MarkPrice, SymbolSpec
from tests.bench import machine_speed
from tests.bench.table import Result
from tests.bench.timing import Work, interleave

ORDERS, EVENTS = 200, 20_000
RESTING = 40
MID_TICKS, LEVELS = 600_000, 50
ORDERS_AIM, EVENTS_AIM = 20_000, 300_000
SYMBOL = "BTCUSDT"
SPEC = SymbolSpec(
    symbol=SYMBOL, base_asset="BTC", quote_asset="USDT", tick_size=Decimal("0.1"), step_size=Decimal("0.001"),
    min_price=Decimal("556.80"), max_price=Decimal(4529764), min_qty=Decimal("0.001"), max_qty=Decimal(1000),
    market_max_qty=Decimal(120), min_notional=Decimal(100), multiplier_up=Decimal("1.05"),
    multiplier_down=Decimal("0.95"), price_precision=2, quantity_precision=3,
)  # fmt: skip


def run() -> list[Result]:
    """Place, amend and cancel in turn; depth and trades apart and together."""
    desk, market = Desk(), Desk()
    market.fill_grid()
    sides = {
        "orders": desk.operating,
        "mixed": lambda: market.applying(0.5),
        "depth": lambda: market.applying(1.0),
        "trades": lambda: market.applying(0.0),
        "build": machine_speed.side,
    }
    measured = interleave(sides, rounds=12)
    slower = measured["build"] / machine_speed.THERE_NS

    def row(what: str, name: str, aim: int | None) -> Result:
        rate = 1e9 / measured[name]
        return Result(
            row="B10",
            what=what,
            here=f"{rate:,.0f}/s",
            against=f"at the speed of the machine of the aims: {rate * slower:,.0f}/s",
            aim="" if aim is None else f">= {aim:,}/s",
            met=None if aim is None else rate >= aim,
        )

    return [
        row("venue core: order placed, amended, cancelled, per operation", "orders", ORDERS_AIM),
        row(f"venue core: market events over a book with {RESTING} orders of ours", "mixed", EVENTS_AIM),
        row("of that, one-level depth changes", "depth", None),
        row("of that, trades", "trades", None),
    ]


class Desk:
    """One core with a book and a client."""

    def __init__(self) -> None:
        fidelity = Fidelity(public_streams=False)
        self.core = VenueCore(symbols=(SPEC,), start_ms=1_790_000_000_000, seed=7, fidelity=fidelity)
        self.core.add_account("a", api_key="key", api_secret="secret", wallet={"USDT": Decimal(100_000)})
        bids = tuple((MID_TICKS - i, 1_000) for i in range(LEVELS))
        asks = tuple((MID_TICKS + 1 + i, 1_000) for i in range(LEVELS))
        self.core.apply(BookSnapshot(self.core.now_ms, SYMBOL, bids, asks))
        self.core.apply(MarkPrice(self.core.now_ms, SYMBOL, Decimal(60_000), Decimal(60_000), Decimal(0), 0))
        self.core.drain()
        self._count = 0
        self._chance = random.Random(10)

    def _call(self, method: str, **params: str) -> Any:
        return self.core.call("a", method, "/fapi/v1/order", {"symbol": SYMBOL, **params}, self.core.now_ms)

    def _place(self, side: str, price: str) -> str:
        self._count += 1
        kind = {"type": "LIMIT", "timeInForce": "GTX", "quantity": "0.010", "newClientOrderId": f"b{self._count}"}
        return str(self._call("POST", side=side, price=price, **kind)["orderId"])

    def fill_grid(self) -> None:
        """Our orders between the outside levels, ten ticks from the touch."""
        for rung in range(RESTING // 2):
            self._place("BUY", f"{(MID_TICKS - 10 - rung) / 10:.1f}")
            self._place("SELL", f"{(MID_TICKS + 11 + rung) / 10:.1f}")
        self.core.drain()

    def operating(self) -> Work:
        """A ladder placed, moved and taken away."""

        def work() -> int:
            ids = [self._place("BUY", f"{59_900 + number % 40}") for number in range(ORDERS)]
            for number, order_id in enumerate(ids):
                self._call("PUT", side="BUY", orderId=order_id, quantity="0.010", price=f"{59_800 + number % 40}")
            for order_id in ids:
                self._call("DELETE", orderId=order_id)
            self.core.drain()
            return 3 * ORDERS

        return work

    def applying(self, depth: float) -> Work:
        """Events with that share of depth changes, made beforehand."""
        events = list(self._events(depth))

        def work() -> int:
            for event in events:
                self.core.apply(event)
            return len(events)

        return work

    def _events(self, depth: float) -> Iterator[MarketEvent]:
        chance, at_ms = self._chance, self.core.now_ms
        for number in range(EVENTS):
            if chance.random() < depth:
                level = (chance.randrange(LEVELS), chance.randrange(1, 2_000))
                if number % 2:
                    yield DepthDiff(at_ms + number, SYMBOL, ((MID_TICKS - level[0], level[1]),), ())
                else:
                    yield DepthDiff(at_ms + number, SYMBOL, (), ((MID_TICKS + 1 + level[0], level[1]),))
            else:
                sold = bool(number % 2)
                price = MID_TICKS if sold else MID_TICKS + 1
                yield MarketTrade(at_ms + number, SYMBOL, price, chance.randrange(1, 50), sold)
