"""What a run to the last rung would leave equals filling order by order, and liquidation solves its equation."""

import random
from decimal import Decimal

import pytest
from gridops.domain.effects import Query
from gridops.domain.events import QueryReply
from gridops.domain.vocabulary import QueryKind, Side
from gridops.runtime import facts
from gridops.runtime.state import EngineState
from gridops.tui.figures import liquidation_bps, maintenance_rate, quantile, queue_bound, stress
from gridops.tui.history import Entry, History
from tests.runtime.engine_kit import SYMBOL
from tests.tui.kit import fill, quoting


def filled_one_by_one(state: EngineState, side: Side) -> tuple[Decimal, Decimal, Decimal]:
    """Position, equity and last price after each order of the side filled in price order, marked at the last."""
    symbol = state.symbols[SYMBOL]
    held = symbol.instrument.quantity(symbol.position_lots)
    money, price = facts.equity(state), symbol.instrument.price(symbol.view.mark_ticks)
    assert money is not None
    orders = [o for o in symbol.orders.values() if o.side is side]
    for order in sorted(orders, key=lambda o: o.price_ticks, reverse=side is Side.BUY):
        at = symbol.instrument.price(order.price_ticks)
        money += held * (at - price)
        price = at
        quantity = symbol.instrument.quantity(order.remaining) * side.sign
        if order.reduce_only:
            quantity = max(-abs(held), min(abs(held), quantity)) if held * quantity < 0 else Decimal(0)
        held += quantity
    return held, money, price


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("fills", [0, 1, 3])
def test_stress_equals_filling_one_by_one(side: Side, fills: int) -> None:
    desk = quoting(6)
    for number in range(fills):
        fill(desk, Side.SELL if fills == 1 else Side.BUY, trade_id=number + 1)
        desk.run_ms(500)
    state = desk.state
    found = stress(state, History(), state.symbols[SYMBOL], side)
    held, money, price = filled_one_by_one(state, side)
    assert found is not None
    assert (found.quantity, found.at_price) == (held, price)
    assert found.equity == money
    assert found.notional == abs(held) * price
    assert found.rate is None and found.liquidation is None


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("rate", [Decimal("0.004"), Decimal("0.05")])
def test_at_the_liquidation_price_equity_is_the_maintenance_margin(side: Side, rate: Decimal) -> None:
    desk = quoting(6)
    state, symbol = desk.state, desk.state.symbols[SYMBOL]
    state.ledger.wallet["USDT"] = Decimal(40)
    found = stress(state, _read(rate=rate), symbol, side)
    assert found is not None and found.liquidation is not None and found.equity is not None
    there = found.equity + found.quantity * (found.liquidation - found.at_price)
    assert abs(there - rate * abs(found.quantity) * found.liquidation) < Decimal("1e-15")
    assert (found.liquidation < found.at_price) is (side is Side.BUY)


def _read(rate: Decimal) -> History:
    """A venue read that showed one lot at 65,000 with this maintenance rate."""
    desk = quoting(1)
    desk.position = 1
    reply = desk.reply(Query(query_id=1, kind=QueryKind.POSITIONS, symbol=""), maintenance_margin=rate * 65)
    assert isinstance(reply, QueryReply)
    return History(margin_read=Entry(seq=1, at_ms=1, said=reply))


def test_the_maintenance_rate_is_the_venues_margin_over_its_notional() -> None:
    assert maintenance_rate(quoting(1).state, _read(Decimal("0.004"))) == Decimal("0.004")
    assert maintenance_rate(quoting(1).state, History()) is None


def test_nothing_rests_nothing_to_say() -> None:
    desk = quoting(1)
    desk.state.symbols[SYMBOL].orders.clear()
    assert stress(desk.state, History(), desk.state.symbols[SYMBOL], Side.BUY) is None


def test_liquidation_distance_is_unknown_when_flat_or_not_stated() -> None:
    symbol = quoting(1).state.symbols[SYMBOL]
    assert liquidation_bps(symbol) is None
    symbol.venue_lots, symbol.venue_mark, symbol.liquidation_price = 1, Decimal(100), Decimal(0)
    assert liquidation_bps(symbol) is None
    symbol.liquidation_price = Decimal(90)
    assert liquidation_bps(symbol) == 1_000


def test_the_queue_is_bounded_at_the_touch_and_unknown_elsewhere() -> None:
    desk = quoting(2)
    symbol, order = desk.state.symbols[SYMBOL], desk.nearest(Side.BUY)
    assert queue_bound(symbol, order) is None
    desk.view(order.price_ticks)
    assert queue_bound(desk.state.symbols[SYMBOL], order) == 5_000 - order.remaining


@pytest.mark.parametrize("seed", range(20))
def test_quantiles_are_by_nearest_rank(seed: int) -> None:
    chance = random.Random(seed)
    values = [chance.randrange(1_000) for _ in range(chance.randrange(1, 60))]
    for per_mille in (1, 500, 990, 1_000):
        found = quantile(values, per_mille)
        assert found in values
        assert sum(v <= found for v in values) * 1_000 >= per_mille * len(values)
        assert sum(v < found for v in values) * 1_000 < per_mille * len(values)
