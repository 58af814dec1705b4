"""Decision cases as data: one mapping is one situation the router may meet, and what it must answer.

Beside the router; read by the tests, the drill and anyone who wants to add a case without writing code. It builds
values and puts answers in one form; it reads no file and decides nothing. Missing keys take the plain values of `_BOOK`
and `_INSTRUMENT`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from gridops.decide.route_context import Permit, RouteContext
from gridops.decide.router import route
from gridops.domain.instrument import Instrument
from gridops.domain.orders import Order, PendingWrite
from gridops.domain.plan import Plan, Request, Target, Verdict
from gridops.domain.rules import RouterRules
from gridops.domain.vocabulary import Gate, OpKind, OrderState, OrderType, RouterReason, Side, TimeInForce

SYMBOL = "TESTUSDT"
NOW_MS = 1_000_000
_BOOK: dict[str, Any] = {
    "bid_ticks": 9_999,
    "ask_ticks": 10_001,
    "mark_ticks": 10_000,
    "position_lots": 0,
    "venue_position_lots": 0,
    "spacing_ticks": 20,
    "cap_units": 100_000_000,
    "account_cap_units": 100_000_000,
    "now_ms": NOW_MS,
}
_INSTRUMENT: dict[str, Any] = {
    "symbol": SYMBOL,
    "settle_asset": "USDT",
    "tick_size": Decimal("0.1"),
    "step_size": Decimal("0.001"),
    "min_price_ticks": 10,
    "max_price_ticks": 10_000_000,
    "min_lots": 1,
    "max_lots": 100_000,
    "market_max_lots": 10_000,
    "min_notional": Decimal(5),
    "percent_up": Decimal("1.05"),
    "percent_down": Decimal("0.95"),
}


@dataclass(slots=True)
class RouterCase:
    """One situation. `expect` holds `choices` as [level, decision, reason] and, where it matters, `ops`."""

    name: str
    targets: tuple[Target, ...]
    orders: tuple[Order, ...]
    ctx: RouteContext
    expect: Mapping[str, Any]

    def run(self) -> Plan:
        return route(self.targets, self.orders, self.ctx)


def read_case(raw: Mapping[str, Any]) -> RouterCase:
    """Build a case; KeyError or TypeError names what is misspelt."""
    return RouterCase(
        name=raw["name"],
        targets=tuple(target(**item) for item in raw.get("targets", ())),
        orders=tuple(order(**item) for item in raw.get("orders", ())),
        ctx=context(**raw.get("ctx", {})),
        expect=raw.get("expect", {}),
    )


def answer(plan: Plan) -> dict[str, list[list[Any]]]:
    """What a plan decided, in the form of `expect`: choices by level and client id, operations in sending order."""
    choices = sorted(plan.choices, key=lambda choice: (choice.level, choice.client_id))
    return {
        "choices": [[choice.level, str(choice.decision), str(choice.reason)] for choice in choices],
        "ops": [[str(op.kind), op.level, op.price_ticks, op.lots, list(op.after)] for op in plan.ops],
    }


def context(
    *,
    refuse: Mapping[str, str] | None = None,
    instrument: Mapping[str, Any] | None = None,
    rules: Mapping[str, Any] | None = None,
    refused: Sequence[Sequence[Any]] = (),
    replacing: Mapping[str, str] | None = None,
    sweep: str | None = None,
    orphans: Sequence[str] = (),
    **figures: Any,
) -> RouteContext:
    """`refuse` maps an intent (increase, reduce, cancel) to the gate that refuses it."""
    facts = dict(_BOOK)
    facts.update(figures)
    return RouteContext(
        symbol=SYMBOL,
        instrument=Instrument(**{**_INSTRUMENT, **_decimals(instrument or {})}),
        rules=RouterRules(**(rules or {})),
        permit=_permit(refuse or {}),
        refused={(level, side): (times, probe_ms) for level, side, times, probe_ms in refused},
        replacing={int(level): client_id for level, client_id in (replacing or {}).items()},
        sweep=RouterReason(sweep) if sweep else None,
        orphans=frozenset(orphans),
        **facts,
    )


def _decimals(raw: Mapping[str, Any]) -> dict[str, Any]:
    money = ("tick_size", "step_size", "min_notional", "percent_up", "percent_down")
    return {name: Decimal(item) if name in money else item for name, item in raw.items()}


def _permit(refuse: Mapping[str, str]) -> Permit:
    def permit(request: Request) -> Verdict | None:
        gate = refuse.get(request.intent)
        return Verdict(Gate(gate), allowed=False) if gate else None

    return permit


def target(
    level: int,
    price: int,
    lots: int,
    *,
    side: str | None = None,
    ro: bool = False,
    tif: str = "GTX",
    kind: str = "LIMIT",
    wait: int = 0,
) -> Target:
    return Target(
        level=level,
        symbol=SYMBOL,
        side=Side(side) if side else _side_of(level),
        price_ticks=price,
        lots=lots,
        reduce_only=ro,
        tif=TimeInForce(tif),
        order_type=OrderType(kind),
        wait_until_ms=wait,
    )


def order(
    id: str,
    level: int,
    price: int,
    lots: int,
    *,
    side: str | None = None,
    ro: bool = False,
    filled: int = 0,
    filled_ms: int = 0,
    state: str | None = None,
    tif: str = "GTX",
    kind: str = "LIMIT",
    amends: int = 0,
    pending: Sequence[Any] | None = None,
) -> Order:
    """`lots` is the total. `pending` is [kind, price, lots] or, with a fourth true item, an unknown outcome."""
    return Order(
        client_id=id,
        symbol=SYMBOL,
        side=Side(side) if side else _side_of(level),
        level=level,
        price_ticks=price,
        lots=lots,
        reduce_only=ro,
        order_type=OrderType(kind),
        tif=TimeInForce(tif),
        state=OrderState(state) if state else (OrderState.PARTIAL if filled else OrderState.OPEN),
        epoch=1,
        created_ms=0,
        filled_lots=filled,
        filled_ms=filled_ms,
        amends=amends,
        pending=_pending(pending) if pending else None,
    )


def _pending(raw: Sequence[Any]) -> PendingWrite:
    kind, price, lots = raw[:3]
    return PendingWrite(
        op_id=1, kind=OpKind(kind), sent_ms=0, price_ticks=price, lots=lots, unknown=len(raw) > 3 and bool(raw[3])
    )


def _side_of(level: int) -> Side:
    return Side.BUY if level < 0 else Side.SELL
