"""Invariants, held after every event against what the venue did and the disk kept, never the engine's opinion.

Fed with each private event of the venue core at the moment it was made, each request as it leaves the process, and
each row that became durable; `invariants` says which part holds which. The first breach raises `Violation`. The
engine's state is looked at for one thing only: whether it allowed itself to write (I-10), and at the end, when its
books must equal the venue's.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from gridops.adapters.venue_parse import Grid
from gridops.domain import ids
from gridops.domain.rules import Rules
from gridops.domain.vocabulary import FsmState, Side
from gridops.runtime.ports_journal import JournalRow
from gridops.runtime.state import EngineState
from gridops.sim.intents import Intents
from gridops.sim.judge_requests import RequestJudge
from gridops.sim.judge_rows import RowJudge
from gridops.sim.judge_trip_order import Execution
from gridops.sim.judge_trust import LEAVE_MS, OPENING
from gridops.sim.violation import Verdicts, Violation

__all__ = ["Judge", "Resting", "Violation"]

_ENDED = ("FILLED", "CANCELED", "EXPIRED", "EXPIRED_IN_MATCH", "REJECTED")
MARK_MEMORY_MS = 10_000
USER_BLIND_MS = 6_500
"""5 s of silence allowed, one health look, and a request decided just before."""
MARKET_BLIND_MS = 4_500
ALERT_MS = 10_000
KILL_MS = 60_000
"""Every own order is gone that long after a kill, not counting time in which nothing could be sent."""
WAKES_PER_S = 60
"""More own wake-ups than this within a second are a hot loop."""
CANARY = b"no-requests-are-signed"
"""The simulated account's key and secret: in no row."""
_Lots = list[tuple[int, int]]
"""Lots with the price of each."""
DUST = Decimal("0.00000001")


@dataclass(slots=True)
class Resting:
    """An order as the venue's own events describe it."""

    client_id: str
    sign: int
    price_ticks: int
    lots: int
    filled: int
    reduce_only: bool
    ours: bool
    limit: bool


class Judge:
    """One account, one symbol."""

    def __init__(self, grid: Grid, rules: Rules, tag: str, now_ms: Callable[[], int]) -> None:
        self._grid, self._rules, self._tag, self._now_ms = grid, rules, tag, now_ms
        self._cap_units = grid.instrument.units(rules.risk.symbol_cap)
        self.verdicts = Verdicts()
        self._say = self.verdicts.broken
        self.intents = Intents()
        self.rows = RowJudge(self.verdicts, self, (CANARY,), now_ms)
        self.asks = RequestJudge(self.verdicts, now_ms)
        self.rows.trust.stamps_wrong_ms = self.asks.stamps_wrong_ms
        self.asks.marks = self._marks = deque[tuple[int, int]]()
        self.asks.tick_size = grid.instrument.tick_size
        self.asks.weight_1m = rules.budget.weight_1m
        self._kill_ms: int | None = None
        self._evidence_lost_ms: int | None = None
        self.live: dict[int, Resting] = {}
        """By the venue's order id."""
        self.position = 0
        self.trades: dict[int, Execution] = {}
        """Every fill of the account by its trade id, in the venue's order."""
        self.accepted: set[str] = set()
        self.history: set[int] = set()
        """Trades before the first order of ours: the opening position's, which need not be booked."""
        self.impostors: set[str] = set()
        """Client ids with our tag that another writer minted."""
        self._checks = 0
        self._wakes = (0, 0)
        self.order_events = 0
        self.user_blind_since_ms: int | None = None
        self.market_blind_since_ms: int | None = None
        self.state_now: Callable[[], EngineState | None] = lambda: None
        self.latched: Callable[[], bool] = lambda: False

    @property
    def checks(self) -> int:
        """Single comparisons made so far, all parts together."""
        rows = self.rows
        parts = (rows, rows.trips, rows.trust, rows.exits, self.asks)
        return self._checks + sum(part.checks for part in parts)

    @property
    def live_ids(self) -> set[str]:
        """Client ids of own orders that rest at the venue now."""
        return {ids.ordinary(order.client_id) for order in self.live.values() if order.ours}

    def ban_told(self, until_ms: int) -> None:
        """The journal knows of a ban until then."""
        self.asks.ban_told(until_ms)

    # What the venue did.

    def on_mark(self, mark_ticks: int) -> None:
        """The venue's mark moved."""
        now_ms = self._now_ms()
        self._killed(now_ms)
        self._trusted(now_ms)
        self._marks.append((now_ms, mark_ticks))
        while self._marks[0][0] < now_ms - MARK_MEMORY_MS and len(self._marks) > 1:
            self._marks.popleft()

    def on_private(self, payload: Mapping[str, Any]) -> None:
        """One private event, as the venue made it."""
        if payload["e"] != "ORDER_TRADE_UPDATE" or payload["o"]["s"] != self._grid.instrument.symbol:
            return
        self.order_events += 1
        self._checks += 6
        source = payload["o"]
        execution = source["x"]
        asked = execution in ("NEW", "AMENDMENT")
        before = self._worst() if asked else ()
        order = self._fold(source)
        if not order.ours:
            return
        if source["X"] in _ENDED:
            self.rows.exits.ended()
        if execution == "NEW":
            self._accepted(order)
        elif execution == "AMENDMENT":
            self._amended(order)
        if asked and not order.reduce_only:
            self._bounded(order, before)
        self._one_per_level(order)

    def _killed(self, now_ms: int) -> None:
        self._checks += 1
        if not self.rows.killed or not self.live_ids or self.asks.hindered():
            self._kill_ms = None
        elif self._kill_ms is None:
            self._kill_ms = now_ms
        elif now_ms - self._kill_ms > KILL_MS:
            self._say("I-14", f"{sorted(self.live_ids)[:3]} still rest {now_ms - self._kill_ms} ms after a kill")

    def _trusted(self, now_ms: int) -> None:
        """A state that may quote is left in time once a stream is lost, and a lost bundle is told in time."""
        self._checks += 1
        state = self.state_now()
        hindered = state is None or self.asks.hindered()
        named = FsmState.INIT if state is None else state.fsm.state
        self.rows.trust.at_mark(named, hindered)
        leads = named is FsmState.EMERGENCY and self.asks.leads()
        self.rows.exits.at_mark(named, self.live_ids if leads else (), self.position if leads else 0)
        if hindered:
            self.asks.hindered_now()
        if state is None or hindered:
            self._evidence_lost_ms = now_ms if self._evidence_lost_ms is not None else None
            return
        blind = max(
            now_ms - since - allowed
            for since, allowed in (
                (self.user_blind_since_ms or now_ms, USER_BLIND_MS),
                (self.market_blind_since_ms or now_ms, MARKET_BLIND_MS),
            )
        )
        if blind > LEAVE_MS and state.fsm.state in OPENING:
            self._say("I-16", f"{state.fsm.state} {blind} ms after a stream should have been missed")
        lost = self._evidence_lost_ms
        if self.rows.evidence_alert or self.rows.evidence_told:
            self._evidence_lost_ms, self.rows.evidence_told = None, False
        elif lost is not None and now_ms - lost > ALERT_MS:
            self._say("I-31", f"a bundle was lost {now_ms - lost} ms ago and no condition says so")

    def evidence_lost(self) -> None:
        """A bundle could not be written, and the process was told; while the condition is open, an operator was too."""
        if self._evidence_lost_ms is None and not self.rows.evidence_alert:
            self._evidence_lost_ms, self.rows.evidence_told = self._now_ms(), False

    def evidence_over(self) -> None:
        """Bundles can be written again, or the process that was told is gone."""
        self._evidence_lost_ms = None

    def on_request(self, method: str, path: str, stamp_ms: int, params: Mapping[str, Any]) -> None:
        """Any request leaves the process now, with the venue time it believes in."""
        self.asks.request(method, path, stamp_ms, params)
        self.rows.exits.asked(path)

    def on_connect(self, sockets: int) -> None:
        """The process opens sockets."""
        self.asks.connected(sockets)

    def on_wake(self) -> None:
        """The engine woke by its own deadline."""
        second = self._now_ms() // 1_000
        self._wakes = (second, self._wakes[1] + 1 if self._wakes[0] == second else 1)
        if self._wakes[1] > WAKES_PER_S:
            state = self.state_now()
            self._say("I-17", f"hot loop: over {WAKES_PER_S} wake-ups a second in {state and state.fsm.state}")

    def on_row(self, row: JournalRow) -> None:
        """A row became durable."""
        self.intents.read(row)
        while self.intents.double_fills:
            self._say("I-06", f"fill {self.intents.double_fills.pop()} was booked twice")
        self.rows.read(row)
        if row.fills:
            self._position_told()
        for fill in row.fills:
            self._checks += 1
            said = (fill.at_ms, fill.trade_id, Side(fill.side).sign, fill.price_ticks, fill.lots)
            if self.trades.get(fill.trade_id) != said:
                self._say("I-06", f"fill {said} was booked; the venue's is {self.trades.get(fill.trade_id)}")

    def _position_told(self) -> None:
        """With every fill of the venue booked, the position a row tells of is the venue's."""
        self._checks += 1
        whole = len(self.intents.fills) == len(self.trades) and not self.history and not self.rows.trips.skewed
        if whole and self.rows.position_lots != self.position:
            self._say("I-07", f"a row tells of {self.rows.position_lots} lots, the venue holds {self.position}")

    def booked_lots(self, client_id: str) -> int:
        """Lots of an order that the journal has booked."""
        return self.intents.filled.get(client_id, 0)

    @property
    def cap_units(self) -> int:
        """The cap on the worst case, in ticks x lots."""
        return self._cap_units

    def worst_units(self) -> int:
        """The venue's worst case at the newest mark, in ticks x lots; 0 before the first mark."""
        worst = self._worst()
        return max(0, worst[-1]) if worst else 0

    def risk_rests(self) -> bool:
        """Does an own order rest at the venue that may raise risk?"""
        return self.risks() > 0

    def risks(self) -> int:
        """Own orders at the venue that may raise risk."""
        return sum(order.ours and not order.reduce_only for order in self.live.values())

    def raising(self, method: str, path: str, params: Mapping[str, Any]) -> list[str]:
        """Ids of the legs of a request that raise risk, by what it says and what rests at the venue."""
        if "order" not in path.lower() or method not in ("POST", "PUT"):
            return []
        legs = params.get("batchOrders", [params])
        if method == "POST":
            return [str(leg.get("newClientOrderId")) for leg in legs if leg.get("reduceOnly") != "true"]
        return [str(leg.get("orderId")) for leg in legs if self._raises(leg)]

    def on_write(self, method: str, path: str, params: Mapping[str, Any]) -> None:
        """A request leaves the process now."""
        self.asks.fenced(method, path)
        if "order" not in path.lower():
            return
        theirs = {number: order.client_id for number, order in self.live.items() if not order.ours}
        if method != "POST" and theirs:
            self.asks.foreign(method, path, params, theirs)
        if method == "DELETE" or "countdown" in path:
            return
        reduced: list[Mapping[str, Any]] = []
        for leg in params.get("batchOrders", [params]):
            self._checks += 2
            target = self.live.get(int(leg.get("orderId") or 0))
            filled = self.intents.filled.get(ids.ordinary(target.client_id), 0) if target is not None else 0
            if not self.asks.leg(method, leg, filled=filled, newest_epoch=self.rows.epoch):
                continue
            self._intended(method, leg, target)
            if method == "POST":
                if leg.get("reduceOnly") == "true":
                    reduced.append(leg)
                else:
                    self._placing(leg)
            elif self._raises(leg):
                self._may_increase("amend", leg)
        self._reducing(reduced)

    # What must hold.

    def _fold(self, source: Mapping[str, Any]) -> Resting:
        order_id = source["i"]
        order = self.live.get(order_id)
        if order is None:
            client_id = source["c"]
            who = ids.owner(client_id)
            order = Resting(
                client_id=client_id,
                sign=1 if source["S"] == "BUY" else -1,
                price_ticks=0,
                lots=0,
                filled=0,
                reduce_only=source["R"],
                ours=who is not None and who.tag == self._tag and client_id not in self.impostors,
                limit=source["o"] == "LIMIT" and source["f"] != "IOC",
            )
            self.live[order_id] = order
        order.price_ticks = self._grid.price.exact(source["p"])
        order.lots = self._grid.quantity.exact(source["q"])
        if source["x"] in ("TRADE", "CALCULATED"):
            self._traded(order, source)
        order.filled = self._grid.quantity.exact(source["z"])
        if source["X"] in _ENDED:
            del self.live[order_id]
        return order

    def _traded(self, order: Resting, source: Mapping[str, Any]) -> None:
        lots = self._grid.quantity.exact(source["l"])
        if source["t"] in self.trades:
            self._say("I-06", f"the venue reported trade {source['t']} twice")
        self.trades[source["t"]] = Execution(
            source["T"], source["t"], order.sign, self._grid.price.exact(source["L"]), lots
        )
        before, self.position = self.position, self.position + order.sign * lots
        self.rows.exits.moved(before)
        if order.reduce_only and (before * order.sign >= 0 or before * self.position < 0):
            self._say("I-12", f"reduce-only {_shown(order)} took the position from {before} to {self.position}")

    def _accepted(self, order: Resting) -> None:
        who = ids.owner(order.client_id)
        if order.client_id in self.accepted:
            self._say("I-02", f"{order.client_id} was accepted a second time")
        if ids.ordinary(order.client_id) in self.rows.dead:
            self._say("I-03", f"{_shown(order)} arrived after the books declared it absent")
        if not self.accepted:
            self.history = set(self.trades)
        self.accepted.add(order.client_id)
        if order.client_id not in self.intents.placed and not (who is not None and who.reserved):
            self._say("I-01", f"{_shown(order)} is at the venue and its intent is not on the disk")
        if not order.limit and not order.reduce_only:
            self._say("I-12", f"market order {_shown(order)} is not flagged reduce-only")

    def _amended(self, order: Resting) -> None:
        if (order.client_id, order.price_ticks, order.lots) not in self.intents.amended:
            self._say("I-01", f"{_shown(order)} was amended and that intent is not on the disk")
        elif (order.price_ticks, order.lots) != self.intents.newest[order.client_id]:
            self._say("I-13", f"{_shown(order)} was amended by an older intent than the newest")

    def _one_per_level(self, order: Resting) -> None:
        side = [each for each in self.live.values() if each.ours and each.limit and each.sign == order.sign]
        if len(side) > self._rules.grid.levels:
            self._say("I-05", f"{len(side)} orders rest on the side of {_shown(order)}: more than levels")

    def _intended(self, method: str, leg: Mapping[str, Any], target: Resting | None) -> None:
        """What leaves is on the disk, not only once it arrives."""
        client_id = str(leg.get("newClientOrderId", ""))
        if method == "POST":
            who = ids.owner(client_id)
            known = client_id in self.intents.placed or (who is not None and who.reserved)
        elif target is not None and "price" in leg:
            price, lots = self._grid.price.exact(leg["price"]), self._grid.quantity.exact(leg["quantity"])
            known = (target.client_id, price, lots) in self.intents.amended
        else:
            return
        if not known:
            self._say("I-01", f"{method} {dict(leg)} leaves and its intent is not on the disk")

    def _reducing(self, legs: list[Mapping[str, Any]]) -> None:
        """Reduce-only legs of one request, with what rests of that kind on their side; a repeated id counts once."""
        named = {leg["newClientOrderId"] for leg in legs}
        for side in sorted({leg["side"] for leg in legs}):
            sign, lots = (1 if side == "BUY" else -1), 0
            for leg in legs:
                lots += self._grid.quantity.exact(leg["quantity"]) if leg["side"] == side else 0
            for order in self.live.values():
                if order.ours and order.reduce_only and order.sign == sign and order.client_id not in named:
                    lots += order.lots - order.filled
            self.rows.exits.reducing(sign, lots, self.position)

    def _placing(self, leg: Mapping[str, Any]) -> None:
        if leg.get("type") == "MARKET":
            self._say("I-12", f"market order {leg.get('newClientOrderId')} is written without reduce-only")
            return
        self._may_increase("place", leg)

    def _raises(self, leg: Mapping[str, Any]) -> bool:
        """Would this amend raise the worst case of its side?"""
        found = self.live.get(int(leg.get("orderId") or 0))
        if found is None or found.reduce_only:
            return False
        lots, price = self._grid.quantity.exact(leg["quantity"]), self._grid.price.exact(leg["price"])
        mark = self._marks[-1][1] if self._marks else 0
        was = (found.lots - found.filled) * max(found.price_ticks, mark)
        return (lots - found.filled) * max(price, mark) > was

    def _may_increase(self, kind: str, leg: Mapping[str, Any]) -> None:
        state, now_ms = self.state_now(), self._now_ms()
        if state is not None and state.fsm.state not in OPENING:
            self._say("I-10", f"{kind} {dict(leg)} leaves in state {state.fsm.state}")
        if self.latched():
            self._say("I-10", f"{kind} {dict(leg)} leaves under a kill latch")
        blind = self.user_blind_since_ms
        if blind is not None and now_ms - blind > USER_BLIND_MS:
            self._say("I-16", f"{kind} leaves {now_ms - blind} ms after the user stream went down")
        blind = self.market_blind_since_ms
        if blind is not None and now_ms - blind > MARKET_BLIND_MS:
            self._say("I-16", f"{kind} leaves {now_ms - blind} ms after the market went silent")
        self.rows.trust.leaving(kind)

    def _bounded(self, order: Resting, before: tuple[int, ...]) -> None:
        """Above the cap at every mark the engine may have decided by, and higher than before: out of bounds."""
        after = self._worst()
        if all(now > self._cap_units and now > was for now, was in zip(after, before, strict=True)):
            self._say("I-09", f"{_shown(order)}: worst case {min(after)} units, cap {self._cap_units}")

    def _worst(self) -> tuple[int, ...]:
        """Worst case by the venue's own orders and position, at each recent mark."""
        buys, sells = self._opening()
        return tuple([self._worst_at(mark, buys, sells) for _, mark in self._marks])

    def _opening(self) -> tuple[_Lots, _Lots]:
        """What own orders that may raise risk can still fill: buys and sells."""
        buys: _Lots = []
        sells: _Lots = []
        for order in self.live.values():
            if order.ours and not order.reduce_only:
                (buys if order.sign > 0 else sells).append((order.lots - order.filled, order.price_ticks))
        return buys, sells

    def _worst_at(self, mark: int, buys: _Lots, sells: _Lots) -> int:
        buy = sell = 0
        for lots, price in buys:
            buy += lots * (price if price > mark else mark)
        for lots, price in sells:
            sell += lots * (price if price > mark else mark)
        held = self.position * mark
        return max(held + buy, sell - held)

    # At the end, when nothing moves any more.

    def settle(self, state: EngineState, truth: Mapping[str, Any], account: str) -> None:
        """Books and state at the end. Call it only when the faults are over and the market stands still."""
        self.books(state, truth, account)
        if state.fsm.state in (FsmState.INIT, FsmState.READY, FsmState.DEGRADED):
            self._say("I-17", f"{state.fsm.state} long after the last fault: {sorted(state.levels)}")

    def books(self, state: EngineState, truth: Mapping[str, Any], account: str) -> None:
        """The engine's books against the oracle, when nothing is under way."""
        symbol = next(iter(state.symbols.values()))
        held = truth["accounts"][account]["positions"].get(symbol.symbol, {"lots": 0})["lots"]
        if held != self.position:
            self._say("judge", f"the judge counts {self.position} lots, the oracle {held}")
        if truth["violations"]:
            self._say("venue", str(truth["violations"][0]))
        self._checks += 5
        if symbol.position_lots != held:
            self._say("I-07", f"position {symbol.position_lots}, the venue says {held}")
        booked = {trade_id for _, trade_id in self.intents.fills}
        missing = sorted(set(self.trades) - self.history - booked)
        if missing:
            self._say("I-06", f"fills {missing[:5]} were never booked")
        self._settle_money(state, truth["accounts"][account]["wallet"])
        self.rows.trips.skewed |= bool(self.history)
        asset = self._grid.instrument.settle_asset
        entry = Decimal(truth["accounts"][account]["positions"].get(symbol.symbol, {"entry": "0"})["entry"])
        cost = entry * self._grid.instrument.step_size * held
        earned = state.ledger.realised.get(asset, Decimal(0)) - cost
        self.rows.trips.settle(symbol.trips.lots, self.trades.values(), earned)
        self._settle_orders(state)

    def _settle_money(self, state: EngineState, wallet: Mapping[str, str]) -> None:
        for asset, text in wallet.items():
            booked, real = state.ledger.wallet.get(asset, Decimal(0)), Decimal(text)
            if abs(booked - real) > DUST:
                self._say("I-21", f"{asset} ledger {booked}, the venue says {real}: {booked - real} apart")

    def _settle_orders(self, state: EngineState) -> None:
        symbol = next(iter(state.symbols.values()))
        ours = {o.client_id: (o.price_ticks, o.lots, o.filled_lots) for o in symbol.orders.values()}
        theirs = {ids.ordinary(o.client_id): (o.price_ticks, o.lots, o.filled) for o in self.live.values() if o.ours}
        if ours != theirs:
            self._say("I-07", f"open orders differ: {sorted(set(ours.items()) ^ set(theirs.items()))[:4]}")


def _shown(order: Resting) -> str:
    side = "BUY" if order.sign > 0 else "SELL"
    return f"{side} {order.lots}@{order.price_ticks} {order.client_id}"
