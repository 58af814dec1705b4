"""Places whose answers are lost, one after the other, through the real step: what the venue has of each is its secret.

A desk's venue with a line that keeps its promises only as a real one does: a place may be taken at once, late within
the receive window, or never; its answer is always one that proves nothing; the stream tells of it or not. The engine
has the reads by client id and nothing else. The judge is the venue's own list: a second order where one rests already,
or a client id that comes twice, is a duplicate.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from random import Random

from gridops.domain.effects import Effect, Query, Send, WireOp
from gridops.domain.events import OrderReport, Woke
from gridops.domain.orders import VenueOrder
from gridops.domain.rules import GridRules, HealthRules, RiskRules, Rules
from gridops.domain.vocabulary import FsmReason, FsmState, OpKind, VenueCode, WriteOutcome
from gridops.runtime.step import Step
from tests.runtime.engine_kit import BOOT_0_MS, SYMBOL, Desk

LEVELS = 3
BIG = Decimal(10**9)
RULES = Rules(
    symbols=(SYMBOL,),
    grid=GridRules(
        levels=LEVELS, refill_delay_ms=0, skew_pct=0, volatility_scaled=False, regime_scaled=False,
        rung_notional=Decimal(100),
    ),
    # Doubt about orders and calls that fail in a row degrade an engine; this one is to go on placing.
    health=HealthRules(shadow=(FsmReason.ORDERS_UNKNOWN, FsmReason.VENUE_DOWN), dwell_ms=1_000),
    risk=RiskRules(symbol_cap=BIG, account_cap=BIG, churn_per_hour=10**9),
)  # fmt: skip
VIEW_MS, FILL_EVERY_MS, FILLS = 2_000, 500, 4
RECV_WINDOW_MS = 3_000


class Ambiguity:
    """One engine at work under a line that answers no place."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        self.desk = Desk(RULES)
        self.submits = 0
        self.fates: Counter[str] = Counter()
        self.duplicates: list[str] = []
        self._due: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0
        self._ids: set[str] = set()
        self._levels: dict[str, int] = {}
        self._trades = 0
        self._woken_ms = 0

    def run(self, submits: int) -> None:
        """Until so many places have left."""
        desk = self.desk
        self.take(desk.boot())
        self.take(desk.user_stream(True))
        self.at(1, self.view)
        self.at(5_000, self.fill)
        while self.submits < submits and not self.duplicates:
            self._next()
            for kept in (desk.history, desk.records, desk.sent, desk.effects):
                kept.clear()

    def at(self, after_ms: int, do: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._due, (self.desk.at_ms + after_ms, self._count, do))

    def _next(self) -> None:
        """What is due next: something of ours, or the engine's own wake-up."""
        desk = self.desk
        wake_ms = desk.engine.wake_at_ms - BOOT_0_MS
        if self._woken_ms < wake_ms <= self._due[0][0] and wake_ms > desk.at_ms:
            self._woken_ms = desk.at_ms = wake_ms
            self.take(desk.feed(Woke()))
            return
        at_ms, _, do = heapq.heappop(self._due)
        desk.at_ms = max(desk.at_ms, at_ms)
        do()

    def view(self) -> None:
        self.take(self.desk.view(after_ms=0))
        self.at(VIEW_MS, self.view)

    def fill(self) -> None:
        """The market takes some of what rests, whether the engine knows of it or not, as much on either side."""
        resting = sorted(self.desk.open_orders)
        for name in self.chance.sample(resting, min(FILLS, len(resting))):
            self._fill(name)
        self.at(FILL_EVERY_MS, self.fill)

    def _fill(self, name: str) -> None:
        desk = self.desk
        order = desk.open_orders[name]
        self._trades += 1
        desk.trade(name, self._trades)
        desk.wallet = Decimal(10_000)
        free = replace(desk.trades.pop(), fee=Decimal(0))
        desk.trades = [*desk.trades[-500:], free]
        self._levels.pop(name, None)
        report = desk.report(order, free)
        self.at(self.chance.randint(1, 60), lambda: self.take(desk.feed(report)))

    def take(self, done: Step) -> None:
        self._effects(done.effects)

    def _effects(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Query):
                self.at(self.chance.randint(2, 40), lambda effect=effect: self._answer(effect))  # type: ignore[misc]
            elif isinstance(effect, Send):
                for op in effect.ops:
                    self._send(op)

    def _answer(self, query: Query) -> None:
        self.take(self.desk.feed(self.desk.reply(query)))

    def _send(self, op: WireOp) -> None:
        if op.kind is not OpKind.PLACE:
            known = op.kind is OpKind.DEADMAN or op.client_id in self.desk.open_orders
            self.at(5, lambda: self._acknowledge(op) if known else self._unknown_order(op))
            return
        self.submits += 1
        if op.client_id in self._ids:
            self.duplicates.append(f"{op.client_id} was sent twice")
        self._ids.add(op.client_id)
        rolled = self.chance.random()
        fate = "never" if rolled < 0.3 else "late" if rolled < 0.5 else "at once"
        self.fates[fate] += 1
        if fate != "never":
            wait_ms = self.chance.randint(200, RECV_WINDOW_MS - 100) if fate == "late" else self.chance.randint(1, 20)
            self.at(wait_ms, lambda: self._arrive(op))
        rolled = self.chance.random()
        answer_ms = 8_000 if rolled < 0.1 else self.chance.randint(5, 3_000 if rolled < 0.3 else 50)
        self.at(answer_ms, lambda: self.take(self._unknown(op)))

    def _unknown(self, op: WireOp) -> Step:
        return self.desk.outcome(op, WriteOutcome.UNKNOWN, code=VenueCode.TIMEOUT, after_ms=0)

    def _acknowledge(self, op: WireOp) -> None:
        if op.kind is OpKind.DEADMAN or op.client_id in self.desk.open_orders:
            self.take(self.desk.acknowledge(op))
            if op.kind is OpKind.CANCEL:
                self._levels.pop(op.client_id, None)
        else:
            self._unknown_order(op)

    def _unknown_order(self, op: WireOp) -> None:
        self.take(self.desk.outcome(op, WriteOutcome.REFUSED, code=VenueCode.UNKNOWN_ORDER, number=-2011, after_ms=0))

    def _arrive(self, op: WireOp) -> None:
        """The venue takes the order. A second one that raises risk on the same rung is what must never be.

        A reduction is another intent: it does not wait for the doubt about an increase, and cannot open anything.
        """
        if not op.reduce_only:
            here = [name for name, level in self._levels.items() if level == op.level]
            if here:
                self.duplicates.append(f"{op.client_id} joins {here} on level {op.level}")
            self._levels[op.client_id] = op.level
        order = self.desk.rest(op)
        if self.chance.random() < 0.7:
            self.at(self.chance.randint(1, 100), lambda: self._report_new(order))

    def _report_new(self, order: VenueOrder) -> None:
        report = OrderReport(
            client_id=order.client_id, venue_id=order.venue_id, symbol=SYMBOL, side=order.side, execution="NEW",
            status="NEW", price_ticks=order.price_ticks, lots=order.lots, filled_lots=0, last_lots=0, last_ticks=0,
            trade_id=0, fee=Decimal(0), fee_asset="", realised=Decimal(0), maker=False, reduce_only=order.reduce_only,
            order_type=order.order_type, tif=order.tif, event_ms=order.updated_ms, trade_ms=order.updated_ms,
        )  # fmt: skip
        self.take(self.desk.feed(report))

    @property
    def fsm(self) -> FsmState:
        return self.desk.fsm()
