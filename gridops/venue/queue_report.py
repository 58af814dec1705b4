"""Judges the queue model on a recording: orders at the touch, their fills against the front and the back of the queue.

Sits on top of the core and a market source; `python -m gridops.venue.queue_report recorded:PATH` prints the table. Both
bounds are reckoned here from the events alone: the front of the queue fills with the first trade at the price, the back
only when everything that stood ahead has traded, no cancellation counted. It refuses to judge what it placed itself.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from gridops.venue.core import VenueCore
from gridops.venue.events import Fidelity
from gridops.venue.market.events import BookSnapshot, DepthDiff, MarketEvent, MarketTrade, SymbolSpec
from gridops.venue.market.sources import OpenMarket, open_market

EVERY_MS = 1_000
HELD_MS = 10_000
_ACCOUNT = "judge"


@dataclass
class Probe:
    """One order of one lot at the touch. `ahead` is the visible quantity at its price when it joined, in lots."""

    order_id: int
    side: str
    price: int
    ahead: int
    placed_ms: int
    traded: int = 0
    unstated: int = 0
    """Traded at its price since the level was last stated: that much of the next decrease is no cancellation."""
    cancelled: int = 0
    """Gone from the level without a trade since it was placed, trades from before it that the book showed late too."""
    front_ms: int | None = None
    back_ms: int | None = None
    filled_ms: int | None = None
    left_before: int = 0
    """What had not yet traded or been cancelled of the queue ahead when the model filled it; 0 is honest."""

    @property
    def done(self) -> bool:
        """Nothing more can be learnt."""
        return self.back_ms is not None and self.filled_ms is not None


@dataclass
class Tally:
    """Counts over all probes."""

    orders: int = 0
    front: int = 0
    model: int = 0
    back: int = 0
    too_early: int = 0
    """Filled while a part of the queue ahead had neither traded nor been cancelled, and the price not passed."""
    outside: int = 0
    """Filled before the front or later than the back of the queue."""
    waits_ms: list[tuple[int, int]] = field(default_factory=list)
    """(front, model) waits of the orders that filled."""

    def add(self, probe: Probe) -> None:
        """Count one finished probe."""
        self.orders += 1
        self.front += probe.front_ms is not None
        self.model += probe.filled_ms is not None
        self.back += probe.back_ms is not None
        if probe.filled_ms is not None:
            self.too_early += probe.left_before > 0
            early = probe.front_ms is None or probe.front_ms > probe.filled_ms
            self.outside += early
            self.waits_ms.append(((probe.front_ms or 0) - probe.placed_ms, probe.filled_ms - probe.placed_ms))
        elif probe.back_ms is not None:
            self.outside += 1


class _Shadow:
    """The outside book folded by hand, and what happened at the prices of the probes."""

    def __init__(self) -> None:
        self.levels: dict[str, dict[int, int]] = {"BUY": {}, "SELL": {}}

    def best(self, side: str) -> int | None:
        held = self.levels[side]
        return None if not held else max(held) if side == "BUY" else min(held)

    def trade(self, event: MarketTrade, probes: list[Probe]) -> None:
        side = "BUY" if event.buyer_is_maker else "SELL"
        for probe in probes:
            if probe.side != side:
                continue
            beyond = event.price_ticks < probe.price if side == "BUY" else event.price_ticks > probe.price
            if beyond or event.price_ticks == probe.price:
                probe.front_ms = probe.front_ms or event.at_ms
            if event.price_ticks == probe.price:
                probe.traded += event.lots
                probe.unstated += event.lots
            if beyond or probe.traded > probe.ahead:
                probe.back_ms = probe.back_ms or event.at_ms

    def state(self, event: BookSnapshot | DepthDiff, probes: list[Probe]) -> None:
        for side, changes in (("BUY", event.bids), ("SELL", event.asks)):
            stated = dict(changes)
            if isinstance(event, BookSnapshot):
                stated |= dict.fromkeys(self.levels[side].keys() - stated.keys(), 0)
            for price, lots in stated.items():
                self._level(side, price, lots, probes)
        for probe in probes:
            other = self.best("SELL" if probe.side == "BUY" else "BUY")
            if other is not None and (other <= probe.price if probe.side == "BUY" else other >= probe.price):
                probe.front_ms = probe.front_ms or event.at_ms
                probe.back_ms = probe.back_ms or event.at_ms

    def _level(self, side: str, price: int, lots: int, probes: list[Probe]) -> None:
        before = self.levels[side].pop(price, 0)
        if lots:
            self.levels[side][price] = lots
        for probe in probes:
            if (probe.side, probe.price) == (side, price):
                probe.cancelled += max(before - lots - probe.unstated, 0)
                probe.unstated = 0


class _Run:
    def __init__(self, market: OpenMarket) -> None:
        (self._spec,) = market.symbols()
        self._market, self._shadow, self.tally = market, _Shadow(), Tally()
        self._probes: list[Probe] = []
        self._core = VenueCore(
            symbols=(_loose(self._spec),), start_ms=market.start_ms(), seed=1, fidelity=Fidelity(public_streams=False)
        )
        self._core.add_account(_ACCOUNT, api_key="", api_secret="", wallet={"USDT": Decimal(10**9)})
        self._next_ms = market.start_ms() + EVERY_MS

    def go(self) -> Tally:
        for event in _events(self._market):
            if event.symbol != self._spec.symbol:
                continue
            if isinstance(event, MarketTrade):
                self._shadow.trade(event, self._probes)
            elif isinstance(event, BookSnapshot | DepthDiff):
                self._shadow.state(event, self._probes)
            self._core.apply(event)
            self._note_fills()
            self._retire(event.at_ms)
            if event.at_ms >= self._next_ms:
                self._next_ms = event.at_ms + EVERY_MS
                for side in ("BUY", "SELL"):
                    self._place(side, event.at_ms)
        self._retire(None)
        return self.tally

    def _place(self, side: str, now_ms: int) -> None:
        price = self._shadow.best(side)
        if price is None or any((probe.side, probe.price) == (side, price) for probe in self._probes):
            return
        asked = {
            "symbol": self._spec.symbol, "side": side, "type": "LIMIT", "timeInForce": "GTX",
            "quantity": f"{self._spec.step_size:f}", "price": f"{self._spec.tick_size * price:f}",
        }  # fmt: skip
        order_id = self._core.call(_ACCOUNT, "POST", "/fapi/v1/order", asked, now_ms)["orderId"]
        ahead = self._shadow.levels[side][price]
        self._probes.append(Probe(order_id, side, price, ahead, now_ms))

    def _note_fills(self) -> None:
        for event in self._core.drain():
            order = event.payload.get("o", {})
            if order.get("x") != "TRADE":
                continue
            for probe in self._probes:
                if probe.order_id == order["i"]:
                    probe.filled_ms = event.payload["E"]
                    passed = probe.back_ms is not None
                    gone = probe.traded + probe.cancelled
                    probe.left_before = 0 if passed else max(probe.ahead - gone, 0)

    def _retire(self, now_ms: int | None) -> None:
        """Probes that are decided or have stood their time; without a time all of them."""
        for probe in list(self._probes):
            if now_ms is not None and now_ms - probe.placed_ms < HELD_MS and not probe.done:
                continue
            self._probes.remove(probe)
            self.tally.add(probe)
            if probe.filled_ms is None:
                cancelled = {"symbol": self._spec.symbol, "orderId": str(probe.order_id)}
                self._core.call(_ACCOUNT, "DELETE", "/fapi/v1/order", cancelled, self._core.now_ms)
        self._core.drain()


def _loose(spec: SymbolSpec) -> SymbolSpec:
    """The symbol with no least notional, so that a probe may be one lot."""
    from dataclasses import replace

    return replace(spec, min_notional=Decimal(0))


def _events(market: OpenMarket) -> Iterator[MarketEvent]:
    while (event := market.next_event()) is not None:
        yield event


def judge(market: OpenMarket) -> Tally:
    """Run the whole recording of one symbol with a probe a second on each side, each held ten seconds at most."""
    return _Run(market).go()


def table(name: str, tally: Tally) -> str:
    """The result as lines for people."""
    waits = sorted(model for _front, model in tally.waits_ms)
    middle = waits[len(waits) // 2] if waits else 0
    rows = [
        ("orders at the touch", tally.orders), ("filled at the front of the queue", tally.front),
        ("filled by the model", tally.model), ("filled at the back of the queue", tally.back),
        ("filled with queue still ahead", tally.too_early), ("filled outside the two bounds", tally.outside),
        ("median wait of the model, ms", middle),
    ]  # fmt: skip
    return "\n".join([name, *(f"  {label:<34}{count:>8}" for label, count in rows)])


if __name__ == "__main__":
    for word in sys.argv[1:]:
        print(table(word.rpartition("/")[2].partition(".")[0], judge(open_market(word))))
