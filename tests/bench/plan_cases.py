"""Ladders for the plan rows: as many working orders as targets, a share of them off their targets.

Beside the router stands the least any planner does: walk both sides in price order and compare within a tolerance.
"""

import random
from decimal import Decimal

from gridops.decide.route_context import RouteContext
from gridops.decide.router import route
from gridops.domain.instrument import Instrument
from gridops.domain.orders import Order
from gridops.domain.plan import Target
from gridops.domain.rules import RouterRules
from gridops.domain.vocabulary import OrderState, OrderType, Side, TimeInForce
from tests.bench.timing import Work

MID, SPACING, LOTS = 650_000, 130, 5
BTC = Instrument(
    symbol="BTCUSDT",
    settle_asset="USDT",
    tick_size=Decimal("0.10"),
    step_size=Decimal("0.001"),
    min_price_ticks=1,
    max_price_ticks=10**8,
    min_lots=1,
    max_lots=10**6,
    market_max_lots=10**5,
    min_notional=Decimal(50),
    percent_up=Decimal("1.05"),
    percent_down=Decimal("0.95"),
)
CONTEXT = RouteContext(
    symbol="BTCUSDT",
    instrument=BTC,
    rules=RouterRules(),
    bid_ticks=MID,
    ask_ticks=MID + 1,
    mark_ticks=MID,
    position_lots=0,
    venue_position_lots=0,
    spacing_ticks=SPACING,
    cap_units=10**12,
    account_cap_units=10**12,
    permit=lambda _request: None,
    now_ms=1_000_000,
)
Ladder = tuple[tuple[Target, ...], tuple[Order, ...]]


def ladder(size: int, changed_pct: int, seed: int) -> Ladder:
    """`size` targets and orders, all within the band; `changed_pct` of the orders are twice as large as wanted."""
    chance = random.Random(seed)
    moved = set(chance.sample(range(size), size * changed_pct // 100))
    targets, orders = [], []
    for index in range(size):
        level = index // 2 + 1 if index % 2 else -(index // 2 + 1)
        side = Side.BUY if level < 0 else Side.SELL
        price = MID - side.sign * (abs(level) * SPACING)
        targets.append(
            Target(level=level, symbol="BTCUSDT", side=side, price_ticks=price, lots=LOTS, reduce_only=False)
        )
        lots = 2 * LOTS if index in moved else LOTS
        orders.append(_order(f"o{index}", side, level, price - chance.randrange(20), lots))
    chance.shuffle(orders)
    return tuple(targets), tuple(orders)


def shifted(size: int) -> Ladder:
    """The worst case: every order rests one and a half spacings from its target, and between two others."""
    targets, orders = ladder(size, 0, 1)
    return targets, tuple(_order(o.client_id, o.side, o.level, o.price_ticks + SPACING * 3 // 2, LOTS) for o in orders)


def _order(client_id: str, side: Side, level: int, price: int, lots: int) -> Order:
    return Order(
        client_id=client_id,
        symbol="BTCUSDT",
        side=side,
        level=level,
        price_ticks=price,
        lots=lots,
        reduce_only=False,
        order_type=OrderType.LIMIT,
        tif=TimeInForce.GTX,
        state=OrderState.OPEN,
        epoch=1,
        created_ms=0,
    )


def planning(ladders: list[Ladder]) -> Work:
    """Plan every ladder once."""

    def work() -> int:
        for targets, orders in ladders:
            route(targets, orders, CONTEXT)
        return len(ladders)

    return work


def diffing(ladders: list[Ladder]) -> Work:
    """Compare without reasons, costs, sequence, or safety: rank against rank, which of them differ."""

    def work() -> int:
        for targets, orders in ladders:
            for side in (Side.BUY, Side.SELL):
                wanted = sorted((t.price_ticks, t.lots) for t in targets if t.side is side)
                held = sorted((o.price_ticks, o.lots) for o in orders if o.side is side)
                [
                    pair
                    for pair in zip(wanted, held, strict=True)
                    if abs(pair[0][0] - pair[1][0]) > SPACING or pair[0][1] != pair[1][1]
                ]
        return len(ladders)

    return work
