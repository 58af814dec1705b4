"""What a run of the simulation cost and earned, counted at the wire and at the venue, never by the engine.

A judge that also counts. Requests are those that leave the process; places, amends, cancels, fills and the worst case
are folded from the venue's own private events; money is the venue's ledger. Of the engine it is told one thing: which
rungs the policy wants at a moment, so that a rung without an order can be timed.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from gridops.domain.plan import Target
from gridops.domain.values import record
from gridops.sim.judge import Judge

_BATCH = "batchOrders"
_KINDS = {"POST": "place", "PUT": "amend", "DELETE": "cancel"}
_ZERO = Decimal(0)


@record
class Figures:
    """Of one run. Money in the settlement asset."""

    requests: int
    """Order-changing requests: a batch is one."""
    weight: int
    """Of these requests, by the venue's table."""
    orders: int
    """Counted on the venue's ten-second order window: every place and every amend."""
    bare_level_ms: int
    """Sum over the rungs wanted of the time without an order because we took it away: from our cancel on."""
    unserved_level_ms: int
    """The same whatever the cause: also from the start, and from a refill's time, to its order at the venue."""
    places_lost: int
    """Queue places given up by our own amends and cancels."""
    fills: int
    trips: int
    """Closing fills matched with the opening ones before them, first in first out."""
    trips_net: Decimal
    trips_notional: Decimal
    wce_lots: int
    """Highest worst case: position and all increasing orders of the worse side, by the venue's account of them."""
    wce_peak: Decimal
    """The same in money, at order price or mark, whichever is worse."""
    equity_change: Decimal
    """Wallet and unrealised result at the end, less the wallet at the beginning."""
    income: Decimal
    """Realised result, commission and funding of the venue's ledger."""

    @property
    def net_bps(self) -> Decimal:
        """Net of a round trip over its opening notional; 0 without trips."""
        return self.trips_net / self.trips_notional * 10_000 if self.trips_notional else _ZERO


class Meter(Judge):
    """Counts what passes; everything the judge forbids stays forbidden."""

    requests = weight = orders = places_lost = bare_level_ms = unserved_level_ms = wce_units = wce_lots = 0

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._wanted = [0, 0]
        self._taken = [0, 0]
        """Orders we took away and have not put another for, by side."""
        self._counted_ms = 0

    def wants(self, targets: Sequence[Target], now_ms: int) -> None:
        """The rungs the policy wants from now on; one that waits for its refill is not wanted yet."""
        self._pass_time()
        self._wanted = [0, 0]
        for target in targets:
            if target.wait_until_ms <= now_ms:
                self._wanted[target.side.sign < 0] += 1

    def on_private(self, payload: Mapping[str, Any]) -> None:
        self._pass_time()
        super().on_private(payload)
        if payload["e"] == "ORDER_TRADE_UPDATE":
            self._count(payload["o"])
        self._look()

    def on_mark(self, mark_ticks: int) -> None:
        super().on_mark(mark_ticks)
        self._look()

    def on_write(self, method: str, path: str, params: Mapping[str, Any]) -> None:
        super().on_write(method, path, params)
        if not path.endswith(("/order", "/batchOrders")):
            return
        batch = path.endswith(_BATCH)
        self.requests += 1
        if _KINDS[method] == "cancel":
            self.weight += 1
            return
        self.weight += 5 if batch else 0
        self.orders += 5 if batch else 1

    def finish(self) -> None:
        """Count the time up to now."""
        self._pass_time()

    def _count(self, source: Mapping[str, Any]) -> None:
        side, execution = source["S"] == "SELL", source["x"]
        if execution in ("AMENDMENT", "CANCELED"):
            self.places_lost += 1
        if execution == "CANCELED":
            self._taken[side] += 1
        elif execution == "NEW":
            self._taken[side] = max(self._taken[side] - 1, 0)

    def _look(self) -> None:
        if self._marks:
            buys, sells = self._opening()
            self.wce_units = max(self.wce_units, self._worst_at(self._marks[-1][1], buys, sells))
            reach = [sum(lots for lots, _ in side) for side in (buys, sells)]
            self.wce_lots = max(self.wce_lots, self.position + reach[0], reach[1] - self.position)

    def _pass_time(self) -> None:
        now_ms = self._now_ms()
        passed_ms, self._counted_ms = now_ms - self._counted_ms, now_ms
        if not any(self._wanted):
            return
        resting = [0, 0]
        for order in self.live.values():
            if order.ours:
                resting[order.sign < 0] += 1
        for side in (0, 1):
            lacking = max(self._wanted[side] - resting[side], 0)
            self._taken[side] = min(self._taken[side], lacking)
            self.unserved_level_ms += lacking * passed_ms
            self.bare_level_ms += self._taken[side] * passed_ms

    def figures(self, truth: Mapping[str, Any], account: str, symbol: str) -> Figures:
        """The run's figures, with the oracle's report for the money."""
        self.finish()
        fills = [row for row in truth["fills"] if row["account"] == account]
        trips, net, notional = round_trips(fills)
        held = truth["accounts"][account]
        rows = [row for row in truth["income"] if row["account"] == account and row["incomeType"] != "TRANSFER"]
        unrealised = Decimal(held["positions"].get(symbol, {"unrealised": "0"})["unrealised"])
        return Figures(
            requests=self.requests,
            weight=self.weight,
            orders=self.orders,
            bare_level_ms=self.bare_level_ms,
            unserved_level_ms=self.unserved_level_ms,
            places_lost=self.places_lost,
            fills=len(fills),
            trips=trips,
            trips_net=net,
            trips_notional=notional,
            wce_lots=self.wce_lots,
            wce_peak=self.wce_units * self._grid.instrument.unit,
            equity_change=Decimal(held["wallet"]["USDT"]) - Decimal(held["opening"]["USDT"]) + unrealised,
            income=sum((Decimal(row["income"]) for row in rows), _ZERO),
        )


def round_trips(fills: Sequence[Mapping[str, Any]]) -> tuple[int, Decimal, Decimal]:
    """Trips, their net of fees, their opening notional: opening fills matched first in, first out, split at zero."""
    opened: deque[list[Decimal]] = deque()
    side, trips, net, notional = 0, 0, _ZERO, _ZERO
    for fill in fills:
        sign = 1 if fill["side"] == "BUY" else -1
        left, price = Decimal(fill["qty"]), Decimal(fill["price"])
        fee = Decimal(fill["commission"]) / left
        while left and opened and sign != side:
            lot = opened[0]
            part = min(left, lot[0])
            net += part * ((price - lot[1]) * side - fee - lot[2])
            notional += part * lot[1]
            trips += 1
            left -= part
            lot[0] -= part
            if not lot[0]:
                opened.popleft()
        if left:
            side = sign
            opened.append([left, price, fee])
    return trips, net, notional
