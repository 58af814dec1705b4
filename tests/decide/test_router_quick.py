"""The quick way through the router decides what its table decides: orders at rest, in flight, unknown, waited for.

An orphan that no order of the symbol answers to changes no decision, but sends every pair through the table.
"""

import random
from dataclasses import replace
from decimal import Decimal

from gridops.decide.route_context import RouteContext
from gridops.decide.router import route
from gridops.domain.instrument import Instrument
from gridops.domain.orders import Order, PendingWrite
from gridops.domain.plan import Target
from gridops.domain.rules import RouterRules
from gridops.domain.vocabulary import OpKind, OrderState, OrderType, RouterReason, Side, TimeInForce

NOW_MS = 50_000
INSTRUMENT = Instrument(
    symbol="X",
    settle_asset="USDT",
    tick_size=Decimal("0.1"),
    step_size=Decimal("0.001"),
    min_price_ticks=10,
    max_price_ticks=100_000,
    min_lots=1,
    max_lots=1_000,
    market_max_lots=400,
    min_notional=Decimal("0.5"),
    percent_up=Decimal("1.05"),
    percent_down=Decimal("0.95"),
)
CONTEXT = RouteContext(
    symbol="X",
    instrument=INSTRUMENT,
    rules=RouterRules(),
    bid_ticks=9_999,
    ask_ticks=10_001,
    mark_ticks=10_000,
    position_lots=0,
    venue_position_lots=0,
    spacing_ticks=10,
    cap_units=10**9,
    account_cap_units=10**9,
    permit=lambda _: None,
    now_ms=NOW_MS,
    lease_epoch=7,
    order_slots=100,
)
IN_FLIGHT = (OrderState.INTENT, OrderState.SENT, OrderState.OPEN, OrderState.PARTIAL, OrderState.UNKNOWN)


def ladder(chance: random.Random) -> list[Target]:
    return [
        Target(
            level=-side.sign * rung,
            symbol="X",
            side=side,
            price_ticks=10_000 - side.sign * 10 * rung,
            lots=20,
            reduce_only=False,
            wait_until_ms=NOW_MS + 500 if chance.random() < 0.1 else 0,
        )
        for side in Side
        for rung in range(1, 6)
    ]


def working(target: Target, number: int, chance: random.Random) -> Order:
    lots, price_ticks = chance.choice((20, 20, 21, 30)), target.price_ticks + chance.choice((0, 0, 0, 4, -9, 15, -25))
    order = Order(
        client_id=f"o{number}",
        symbol="X",
        side=target.side,
        level=target.level,
        price_ticks=price_ticks,
        lots=lots,
        reduce_only=False,
        order_type=OrderType.LIMIT,
        tif=TimeInForce.GTX,
        state=chance.choice(IN_FLIGHT),
        epoch=7,
        created_ms=0,
        filled_lots=chance.choice((0, 0, 0, 1, 5)),
        filled_ms=NOW_MS - chance.choice((50, 5_000)),
    )
    if chance.random() < 0.4:
        kind, unknown = chance.choice((OpKind.AMEND, OpKind.AMEND, OpKind.PLACE)), chance.random() < 0.2
        moved = price_ticks + chance.choice((0, 5, 30))
        order.pending = PendingWrite(number, kind, NOW_MS - 10, moved, chance.choice((lots, 25)), unknown)
    return order


def test_the_quick_way_and_the_table_make_the_same_plan() -> None:
    chance = random.Random(7)
    reasons = set[RouterReason]()
    for case in range(500):
        targets = ladder(chance)
        orders = [working(each, number, chance) for number, each in enumerate(targets) if chance.random() < 0.9]
        by_table = replace(CONTEXT, orphans=frozenset({"nobody"}))
        quick, table = route(targets, orders, CONTEXT), route(targets, orders, by_table)
        assert sorted(map(repr, quick.choices)) == sorted(map(repr, table.choices)), case
        assert replace(quick, choices=()) == replace(table, choices=()), case
        reasons |= {choice.reason for choice in quick.choices}
    assert {
        RouterReason.UNCHANGED,
        RouterReason.WITHIN_HOLD_BAND,
        RouterReason.FROZEN_IN_FLIGHT,
        RouterReason.FROZEN_UNKNOWN,
        RouterReason.REFILL_WAIT,
        RouterReason.OUTSIDE_HOLD_BAND,
    } <= reasons
