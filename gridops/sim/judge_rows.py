"""What the journal says, row by row, held against what the venue did: the judge's half that reads the disk.

Fed with every row that became durable, in order. It follows the lifecycle, the orders and the identity of the runs by
their records alone; the venue's side it asks through `VenueView`.
"""

import re
from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from gridops.domain import effects, events, ids, records
from gridops.domain.orders import Fill
from gridops.domain.vocabulary import (
    TERMINAL,
    FsmEvent,
    FsmReason,
    FsmState,
    OpKind,
    OrderState,
    OutboxReason,
    QueryKind,
    Side,
    Stream,
    WriteOutcome,
)
from gridops.runtime import codec
from gridops.runtime.ports_journal import JournalRow
from gridops.sim.judge_exits import ExitJudge
from gridops.sim.judge_trips import TripJudge
from gridops.sim.judge_trust import TrustJudge
from gridops.sim.violation import Verdicts

_READ = {
    each.__name__: each
    for each in (
        records.Transition,
        records.OrderMoved,
        records.Sent,
        records.GateRefused,
        records.MismatchSeen,
        records.Remedied,
        records.TripClosed,
        records.Filled,
        records.Booked,
        records.ConditionEdge,
        records.GridChanged,
        records.Note,
    )
}
_EVENTS = {
    each.__name__: each
    for each in (
        events.Boot,
        events.ViewChanged,
        events.WriteReply,
        events.QueryReply,
        events.BudgetSeen,
        events.StreamChanged,
        events.LeaseSeen,
    )
}
_EFFECTS = ("Send", "WriteBundle")
_EVIDENT = (FsmState.DEGRADED, FsmState.PAUSED, FsmState.EMERGENCY)
_IN_DOUBT = (OrderState.INTENT, OrderState.SENT, OrderState.UNKNOWN)
_WRITING = ("cancel_orphan", "reduce_to_cap")
"""Remedies that change something at the venue."""
_UNTRUE = (b'"NaN"', b'"Infinity"', b'"-Infinity"')
"""Values of figures. A text that tells of a refused frame may hold the word."""
_SUSPECT = re.compile(rb":-|:\d{16}")
"""A figure of a market view that is negative, or beyond any price, size or time."""
_BEYOND = 10**15
_INCREASE = "increase"
FLAT = "flat by a venue read"
"""How a row that ends an emergency says what it ends by, unless an operator accepts what is left."""
_NOT_FOR_PROTECTION = frozenset(
    [
        "armed",
        "kill_latch",
        "whitelist",
        "data_trust",
        "drawdown",
        "exposure",
        "order_size",
        "pending",
        "churn",
        "deadman",
        "decision_age",
    ]
)
"""Gates that only what raises risk has to pass, by the specification."""
_LATE_NS = 1_900_000_000
"""A place or an amend may be late after two seconds; a row's clock may stand a little behind its decision."""


class VenueView(Protocol):
    """What the rows are held against."""

    @property
    def live_ids(self) -> set[str]:
        """Client ids of own orders that rest at the venue now."""
        ...

    def booked_lots(self, client_id: str) -> int:
        """Lots of an order that the journal has booked."""
        ...

    def ban_told(self, until_ms: int) -> None:
        """The process knows that the venue bans it until then, in true ms."""
        ...


class RowJudge:
    """Invariants over the durable history of one account."""

    def __init__(
        self, verdicts: Verdicts, venue: VenueView, canaries: tuple[bytes, ...], now_ms: Callable[[], int]
    ) -> None:
        self._say, self._venue, self._canaries = verdicts.broken, venue, canaries
        self.checks = 0
        self.killed = False
        self.epoch = 0
        """Lease epoch of the newest run."""
        self.position_lots = 0
        """By the newest fill's row."""
        self.dead: set[str] = set()
        """Orders that the engine has declared never to have existed."""
        self.fsm = FsmState.INIT
        self._now_ms = now_ms
        self._seq = self._boot_ns = 0
        self._true_less_boot_ms = 0
        """As near as any row of this boot came to the disk: each is durable a little after it was made."""
        self._boot_id = ""
        self._fsm_epoch = -1
        self._bound: tuple[str, ...] = ()
        self._identity: tuple[str, ...] = ()
        self._orders: dict[str, OrderState] = {}
        self._filled: dict[str, int] = {}
        self._wanted: dict[str, tuple[str, Side, int]] = {}
        """Opening places that have not ended: client id -> symbol, side and price asked for."""
        self._sent: dict[int, tuple[str, int]] = {}
        """By operation: its intent, and the boot clock of the row that decided it, ns."""
        self._symbol = ""
        self._kept_pct = 100
        """Of a rung's size: an order is left as large as it is while it is that near to it."""
        self._rung_lots = self._least_lots = 0
        """Of a rung by the newest row that says so, and of a rest too small to be an order: it may join a rung."""
        self._incomes: set[tuple[str, str, str]] = set()
        self._confirmed: set[tuple[str, str, str]] = set()
        self.trips = TripJudge(verdicts)
        self.trust = TrustJudge(verdicts, now_ms)
        self.exits = ExitJudge(verdicts, now_ms)
        self._levels = 0
        """Of a side, by the rules of the newest run; 0 = not said yet."""
        self.evidence_alert = False
        """Does the journal say that evidence cannot be written?"""
        self.evidence_told = False
        """Has it said so since the judge took note last? The condition may close again before the next mark."""

    def read(self, row: JournalRow) -> None:
        """One row reached the disk."""
        self.checks += 3
        if self._seq and row.seq != self._seq + 1:
            self._say("I-26", f"row {row.seq} follows row {self._seq}")
        self._seq = row.seq
        body = row.body
        for canary in self._canaries:
            if canary in body:
                self._say("I-29", f"row {row.seq} holds a secret")
        for word in _UNTRUE:
            if word in body:
                self._say("I-30", f"row {row.seq} holds a figure that is no number")
        held = codec.decode_row(body)
        self._clock(held.header)
        kind = _EVENTS.get(held.kind)
        if kind is events.ViewChanged:
            self.trust.view = held.event
        # Nearly every row is a view, and nearly no view looks suspicious: the rest need not be taken apart.
        looked_at = kind is not None and (kind is not events.ViewChanged or _SUSPECT.search(held.event) is not None)
        event = msgspec.json.decode(held.event, type=kind) if looked_at else None
        if event is not None:
            self._event(event)
        if not held.records and not held.effects:
            return
        wanted = codec.effects_of(held) if any(name in _EFFECTS for name, _ in held.effects) else []
        ordered = {each.name for each in wanted if isinstance(each, effects.WriteBundle)}
        for name, raw in held.records:
            said = _READ.get(name)
            if said is not None:
                self.checks += 1
                self._record(msgspec.json.decode(raw, type=said), event, ordered, held.header)
        for each in wanted:
            if isinstance(each, effects.Send):
                self._send(each)

    def _clock(self, header: events.Header) -> None:
        if header.boot_id == self._boot_id and header.boot_ns < self._boot_ns:
            self._say("I-23", f"row {header.seq}: the boot clock ran back by {self._boot_ns - header.boot_ns} ns")
        apart_ms = self._now_ms() - header.boot_ns // 1_000_000
        same = header.boot_id == self._boot_id
        self._true_less_boot_ms = min(apart_ms, self._true_less_boot_ms) if same else apart_ms
        self._boot_id, self._boot_ns = header.boot_id, header.boot_ns

    def _event(self, event: Any) -> None:
        match event:
            case events.Boot():
                self._booted(event)
            case events.ViewChanged():
                view = event.view
                figures = (view.bid_ticks, view.ask_ticks, view.bid_lots, view.ask_lots, view.mark_ticks)
                if min(figures) < 0 or max(figures) >= _BEYOND:
                    self._say("I-30", f"a market view with an impossible figure was taken in: {figures}")
            case events.StreamChanged() if event.stream is Stream.USER:
                self.trust.heard(event.up, self._boot_ns)
            case events.QueryReply() if event.ok:
                self.trust.answered(event)
                self._least_lots = max([self._least_lots, *(each.min_lots for each in event.instruments)])
                if event.kind is QueryKind.POSITIONS:
                    self._position_read(event)
            case events.LeaseSeen():
                self.trust.lease(event.held)
            case events.BudgetSeen() if event.banned:
                # A row may come late to the disk, and another ban may be in force by then that it does not know of.
                self._venue.ban_told(self._boot_ns // 1_000_000 + self._true_less_boot_ms + event.retry_after_ms)
            case events.WriteReply() if event.outcome is WriteOutcome.DENIED:
                self._denied(event.op_id, event.detail.partition(" ")[0])

    def _denied(self, op_id: int, reason: str) -> None:
        """Protection passes the last hop, unless it is so late that its absence may have been proven."""
        intent, decided_ns = self._sent.get(op_id, (_INCREASE, 0))
        if intent == _INCREASE:
            return
        if reason in _NOT_FOR_PROTECTION:
            self._say("I-11", f"gate {reason} stopped a {intent} at the last hop")
        elif reason == OutboxReason.LATE and self._boot_ns - decided_ns < _LATE_NS:
            self._say(
                "I-11", f"a {intent} was called late {(self._boot_ns - decided_ns) // 10**6} ms after its decision"
            )

    def _booted(self, boot: events.Boot) -> None:
        self._identity = (boot.account, boot.fingerprint, str(boot.live), boot.config_hash, boot.build)
        self._levels = boot.rules.grid.levels
        self.trust.booted(boot)
        self.exits.booted()
        self._symbol = boot.rules.symbols[0] if boot.rules.symbols else ""
        self._kept_pct = 100 + boot.rules.router.hold_lots_pct
        for each in boot.instruments[:1]:
            self._least_lots = max(self._least_lots, each.min_lots)
            self.trips.unit, self.trips.asset, self.trips.order.instrument = each.unit, each.settle_asset, each
        if boot.armed and not self._bound:
            self._bound = self._identity
        self.epoch = max(self.epoch, boot.epoch)
        # EMERGENCY is latched over restarts; everything else begins anew.
        if self.fsm is not FsmState.EMERGENCY:
            self.fsm = FsmState.INIT
        self._sent.clear()

    def _record(self, said: Any, event: Any, ordered: set[str], header: events.Header) -> None:
        match said:
            case records.Transition():
                self._moved(said, ordered, header)
            case records.OrderMoved():
                self._order(said, event)
            case records.Sent():
                self._sent[said.op_id] = (said.intent, header.boot_ns)
            case records.GateRefused():
                if said.intent != _INCREASE and said.gate.value in _NOT_FOR_PROTECTION:
                    self._say("I-11", f"gate {said.gate} refused a {said.intent}: {said.detail}")
            case records.MismatchSeen() if said.confirmed:
                self._confirmed.add((said.kind.value, said.symbol, said.key))
            case records.Remedied() if said.outcome == "applied" and said.remedy in _WRITING:
                if (said.kind.value, said.symbol, said.key) not in self._confirmed:
                    self._say("I-18", f"{said.remedy} of {said.kind} {said.key}, which no second read confirmed")
            case records.TripClosed():
                self.trips.closed(said)
            case records.Filled():
                self.position_lots = said.position_lots
                self.exits.told(said.position_lots)
                self._fill(said.fill)
                self._not_from_nothing(event, "a fill out of a failed read")
            case records.Booked():
                self.trips.booked(said)
                self._once(said)
                self._not_from_nothing(event, "a booking out of a failed read")
            case records.ConditionEdge() if said.reason is FsmReason.EVIDENCE_FAILED:
                self.evidence_alert = said.open
                self.evidence_told |= said.open
            case records.ConditionEdge() if said.reason is FsmReason.FOREIGN_WRITER:
                self.exits.barred = said.open
            case records.GridChanged() if said.symbol == self._symbol:
                self._rung_lots = said.lots
            case records.Note():
                self.exits.noted(said.topic, said.detail)

    def _moved(self, move: records.Transition, ordered: set[str], header: events.Header) -> None:
        if move.from_state is not self.fsm:
            self._say("I-15", f"{move.from_state} -> {move.to_state}, but the journal left off in {self.fsm}")
        if move.epoch < self._fsm_epoch:
            self._say("I-15", f"state epoch {move.epoch} follows {self._fsm_epoch}")
        self.fsm, self._fsm_epoch = move.to_state, move.epoch
        if move.to_state is FsmState.EMERGENCY:
            self.exits.flattens = move.reason is not FsmReason.EXPOSURE_CAP
        if move.to_state in _EVIDENT and (not move.bundle or move.bundle not in ordered):
            self._say("I-31", f"{move.from_state} -> {move.to_state} ordered no evidence")
        if move.to_state is FsmState.ACTIVE:
            self.trust.entered(move, header)
        if move.to_state is FsmState.ACTIVE and self._identity != self._bound:
            self._say("I-28", f"ACTIVE as {self._identity}, bound to {self._bound}")
        if move.event is FsmEvent.KILL:
            self.killed = True
        elif move.event is FsmEvent.ACK:
            self.killed = False
            if move.detail == FLAT:
                self.exits.flat()
            if self._venue.live_ids:
                self._say("I-14", f"acknowledged while {sorted(self._venue.live_ids)[:3]} still rest")

    def _order(self, moved: records.OrderMoved, event: Any) -> None:
        was, client_id = moved.from_state, ids.ordinary(moved.client_id)
        known = self._orders.get(client_id, was)
        if TERMINAL & {was, known} and moved.to_state not in TERMINAL:
            self._say("I-04", f"{client_id} went from {known} to {moved.to_state}")
        if moved.filled_lots < self._filled.get(client_id, 0):
            self._say("I-04", f"{client_id}: {moved.filled_lots} lots filled, {self._filled[client_id]} before")
        if moved.filled_lots > self._venue.booked_lots(client_id):
            booked = self._venue.booked_lots(client_id)
            self._say("I-07", f"{client_id}: {moved.filled_lots} lots filled, fills of {booked} lots are booked")
        self._orders[client_id], self._filled[client_id] = moved.to_state, moved.filled_lots
        if moved.to_state not in TERMINAL:
            return
        self._wanted.pop(client_id, None)
        self._not_from_nothing(event, f"{client_id} ended by a failed read")
        if isinstance(event, events.QueryReply) and event.kind is QueryKind.OPEN_ORDERS and not event.complete:
            self._say("I-19", f"{client_id} ended by a list that may have been cut")
        if moved.to_state in (OrderState.FAILED, OrderState.REJECTED):
            self.dead.add(client_id)
        if client_id in self._venue.live_ids:
            absent = isinstance(event, events.QueryReply)
            self._say("I-19" if absent else "I-03", f"{client_id} is {moved.to_state} by the books and rests")

    def _not_from_nothing(self, event: Any, detail: str) -> None:
        if isinstance(event, events.QueryReply) and not event.ok:
            self._say("I-19", detail)

    def _once(self, row: records.Booked) -> None:
        """An income row of the venue has a number of its own, unique with its kind and asset."""
        name = (row.kind, row.asset, row.tran_id)
        if row.tran_id and name in self._incomes:
            self._say("I-21", f"{row.kind} {row.tran_id} of {row.amount} {row.asset} was booked twice")
        self._incomes.add(name)

    def _send(self, send: effects.Send) -> None:
        for op in send.ops:
            if op.level and op.symbol == self._symbol and op.kind in (OpKind.PLACE, OpKind.AMEND):
                self._one_rung(op)
            if op.kind.value != "place" or op.reduce_only:
                continue
            # A level is its price here: the ladder numbers its rungs anew when it moves, orders in doubt included.
            asked = (op.symbol, op.side, op.price_ticks)
            for client_id, there in self._wanted.items():
                if there == asked and self._orders.get(client_id, OrderState.SENT) in _IN_DOUBT:
                    self._say("I-02", f"{op.client_id} is wanted where {client_id} is in doubt")
            if op.client_id in self._orders or op.client_id in self._wanted:
                self._say("I-02", f"{op.client_id} was minted before")
            self._wanted[op.client_id] = asked
            self._one_per_level(op)

    def _one_rung(self, op: effects.WireOp) -> None:
        """What a level is meant to have left, its fills taken off, is what one rung may have."""
        left = op.lots - (self._venue.booked_lots(op.client_id) if op.kind is OpKind.AMEND else 0)
        if self._rung_lots and left > self._rung_lots * self._kept_pct // 100 + self._least_lots:
            self._say("I-13", f"{op.kind} leaves {op.client_id} {left} lots to fill, a rung has {self._rung_lots}")

    def _position_read(self, reply: events.QueryReply) -> None:
        self.exits.read()
        self.exits.told(sum(each.lots for each in reply.positions if each.symbol == self._symbol))

    def _one_per_level(self, op: effects.WireOp) -> None:
        side = sum(there[1] is op.side for there in self._wanted.values())
        if self._levels and side > self._levels:
            self._say("I-05", f"{op.client_id} is order {side} of its side, live or in doubt: more than levels")

    def _fill(self, fill: Fill) -> None:
        if fill.lots <= 0 or fill.price_ticks <= 0 or not fill.fee.is_finite():
            self._say("I-30", f"fill {fill.trade_id} of {fill.lots} lots at {fill.price_ticks}, fee {fill.fee}")
        self.trips.filled(fill)
