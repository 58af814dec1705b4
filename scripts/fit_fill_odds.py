"""Chance of a fill by place, from recordings; and how far the queue estimate is from the emulator's true queue.

`python scripts/fit_fill_odds.py recorded:PATH ...`: orders of one lot join the emulator's book at the touch and
behind it, once a second a side. Each second every order at the touch is a sample: the share of the visible touch before
it, and whether it filled within the horizon. The estimate is `queue_place.lots_ahead`, fed with views of the touch as
the engine gets them; the truth is the queue of the venue core. The tables it prints for one recording are the constants
of `queue_place`; those for the others judge them.
"""

import argparse
from dataclasses import dataclass, field, replace
from decimal import Decimal

from gridops.decide import queue_place
from gridops.decide.queue_place import AHEAD_STEPS_PCT, AWAY_STEPS_CBPS, CBPS, HORIZON_MS, Touch
from gridops.venue.core import VenueCore
from gridops.venue.events import Fidelity
from gridops.venue.market.events import MarketTrade
from gridops.venue.market.sources import OpenMarket, open_market

EVERY_MS, HELD_MS, VIEW_MS = 1_000, 15_000, 100
_ACCOUNT = "odds"
_OPPOSITE = {"BUY": "SELL", "SELL": "BUY"}


@dataclass
class Probe:
    """One order of one lot. `samples` are (bucket, time) that wait for their outcome."""

    order_id: int
    side: str
    price: int
    placed_ms: int
    estimate: int = queue_place.UNSEEN
    filled_ms: int | None = None
    samples: list[tuple[str, int]] = field(default_factory=list)


@dataclass
class Odds:
    """Samples and fills by bucket, and the estimate's errors in percent of the visible touch."""

    seen: dict[str, int] = field(default_factory=dict)
    filled: dict[str, int] = field(default_factory=dict)
    errors_pct: list[int] = field(default_factory=list)

    def add(self, probe: Probe, end_ms: int) -> None:
        """Count the samples whose horizon has passed, or that filled."""
        for bucket, at_ms in probe.samples:
            hit = probe.filled_ms is not None and probe.filled_ms <= at_ms + HORIZON_MS
            if hit or at_ms + HORIZON_MS <= end_ms:
                self.seen[bucket] = self.seen.get(bucket, 0) + 1
                self.filled[bucket] = self.filled.get(bucket, 0) + hit


class Run:
    """One recording."""

    def __init__(self, market: OpenMarket) -> None:
        (spec,) = market.symbols()
        self._spec = replace(spec, min_notional=Decimal(0))
        self._market, self.odds = market, Odds()
        self._core = VenueCore(
            symbols=(self._spec,), start_ms=market.start_ms(), seed=1, fidelity=Fidelity(public_streams=False)
        )
        self._core.add_account(_ACCOUNT, api_key="", api_secret="", wallet={"USDT": Decimal(10**9)})
        self._book = self._core._world.markets[spec.symbol].book
        self._orders = self._core._world.orders
        self._probes: dict[int, Probe] = {}
        self._traded = {"BUY": 0, "SELL": 0}
        self._touch = {"BUY": Touch(0, 0), "SELL": Touch(0, 0)}

    def go(self) -> Odds:
        """Play the whole recording."""
        view_ms = placed_ms = self._market.start_ms()
        while (event := self._market.next_event()) is not None:
            if isinstance(event, MarketTrade):
                self._traded["BUY" if event.buyer_is_maker else "SELL"] += event.lots
            self._core.apply(event)
            self._note_fills()
            if event.at_ms >= view_ms + VIEW_MS:
                view_ms = event.at_ms
                self._view()
            if event.at_ms >= placed_ms + EVERY_MS:
                placed_ms = event.at_ms
                self._sample(event.at_ms)
                self._retire(event.at_ms)
                self._place_all(event.at_ms)
        self._retire(None)
        return self.odds

    def _best(self, side: str) -> Touch:
        half = self._book.of(side)
        best = half.best()
        return Touch(0, 0) if best is None else Touch(best, half.visible(best))

    def _view(self) -> None:
        for side in ("BUY", "SELL"):
            before, now = self._touch[side], self._best(side)
            for probe in self._probes.values():
                if (probe.side, probe.price) == (side, now.price_ticks):
                    probe.estimate = queue_place.lots_ahead(probe.estimate, 1, before, now, self._traded[side])
            self._touch[side], self._traded[side] = now, 0

    def _sample(self, now_ms: int) -> None:
        for probe in self._probes.values():
            touch = self._touch[probe.side]
            if probe.price != touch.price_ticks or probe.estimate < 0:
                continue
            true = self._orders[self._spec.symbol][probe.order_id].ahead
            share = min(true * 100 // max(touch.lots, 1), 100)
            bucket = next(step for step in AHEAD_STEPS_PCT if share <= step)
            probe.samples.append((f"touch {bucket:>3} %", now_ms))
            if probe.placed_ms < now_ms:
                self.odds.errors_pct.append((probe.estimate - true) * 100 // max(touch.lots, 1))

    def _place_all(self, now_ms: int) -> None:
        for side in ("BUY", "SELL"):
            best = self._best(side).price_ticks
            if not best:
                continue
            sign = 1 if side == "BUY" else -1
            taken = {probe.price for probe in self._probes.values() if probe.side == side}
            for step in (0, *AWAY_STEPS_CBPS):
                price = best - sign * (step * best // CBPS)
                if price not in taken and (not step or price != best):
                    taken.add(price)
                    self._place(side, price, step, now_ms)

    def _place(self, side: str, price: int, step: int, now_ms: int) -> None:
        asked = {
            "symbol": self._spec.symbol, "side": side, "type": "LIMIT", "timeInForce": "GTX",
            "quantity": f"{self._spec.step_size:f}", "price": f"{self._spec.tick_size * price:f}",
        }  # fmt: skip
        order_id = self._core.call(_ACCOUNT, "POST", "/fapi/v1/order", asked, now_ms)["orderId"]
        probe = Probe(order_id, side, price, now_ms)
        if step:
            probe.samples.append((f"away  {step:>3} cbps", now_ms))
        else:
            probe.samples.append(("touch new", now_ms))
            probe.estimate = self._book.of(side).visible(price) - 1
        self._probes[order_id] = probe

    def _note_fills(self) -> None:
        for event in self._core.drain():
            order = event.payload.get("o", {})
            if order.get("x") == "TRADE" and order["i"] in self._probes:
                self._probes[order["i"]].filled_ms = event.payload["E"]

    def _retire(self, now_ms: int | None) -> None:
        """Filled ones, those that have stood their time, without a time all of them."""
        end_ms = self._core.now_ms
        for order_id, probe in list(self._probes.items()):
            if now_ms is not None and probe.filled_ms is None and now_ms - probe.placed_ms < HELD_MS:
                continue
            del self._probes[order_id]
            self.odds.add(probe, end_ms)
            if probe.filled_ms is None:
                cancelled = {"symbol": self._spec.symbol, "orderId": str(order_id)}
                self._core.call(_ACCOUNT, "DELETE", "/fapi/v1/order", cancelled, end_ms)
        self._core.drain()


def table(name: str, odds: Odds) -> str:
    """The tables as lines for people."""
    lines = [name]
    for bucket in sorted(odds.seen):
        permille = odds.filled[bucket] * 1_000 // odds.seen[bucket]
        lines.append(
            f"  {bucket:<14}{odds.seen[bucket]:>6} samples{permille:>6} per mille filled within {HORIZON_MS} ms"
        )
    errors = sorted(odds.errors_pct)
    if errors:
        at = [errors[len(errors) * q // 100] for q in (5, 25, 50, 75, 95)]
        lines.append(f"  estimate less truth, percent of the visible touch, q5 q25 q50 q75 q95: {at} ({len(errors)})")
    return "\n".join(lines)


def main() -> None:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("markets", nargs="+", help="recorded:PATH[,PATH]")
    for word in parser.parse_args().markets:
        print(table(word.rpartition("/")[2].partition(".")[0], Run(open_market(word)).go()), flush=True)


if __name__ == "__main__":
    main()
