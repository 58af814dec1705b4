"""The chain built once for many requests refuses exactly what the gates refuse one by one, and names the same gate."""

import random
from dataclasses import replace
from decimal import Decimal
from typing import Any

from gridops.decide import exposure, gates
from gridops.decide.budget import Room
from gridops.decide.gate_view import Bounds, GateView
from gridops.domain.instrument import Instrument
from gridops.domain.orders import Order
from gridops.domain.plan import Request
from gridops.domain.vocabulary import FsmState, Gate, Intent, OpKind, OrderState, OrderType, Side, StopMode, TimeInForce

INSTRUMENT = Instrument(
    symbol="X",
    settle_asset="USDT",
    tick_size=Decimal("0.1"),
    step_size=Decimal("0.001"),
    min_price_ticks=10,
    max_price_ticks=10_000,
    min_lots=2,
    max_lots=100,
    market_max_lots=40,
    min_notional=Decimal("0.5"),
    percent_up=Decimal("1.05"),
    percent_down=Decimal("0.95"),
)
RESTING = Order(
    "mine", "X", Side.BUY, -1, 990, 20, False, OrderType.LIMIT, TimeInForce.GTX, OrderState.OPEN, epoch=7, created_ms=0
)
FIGURES: dict[str, tuple[Any, ...]] = {
    "mode_ok": (True, False),
    "fingerprint_ok": (True, False),
    "armed": (True, False),
    "kill_latched": (False, True),
    "state": tuple(FsmState),
    "stop_mode": tuple(StopMode),
    "throttle_ok": (True, False),
    "position_read_age_ms": (100, None, 99_999),
    "named_by_read": (frozenset({"mine"}), frozenset()),
    "lease_held": (True, False),
    "lease_epoch": (7, 6, 8),
    "foreign_writer": (False, True),
    "whitelist": (frozenset({"X"}), frozenset()),
    "frozen": (frozenset(), frozenset({"X"})),
    "filters_fresh": (True, False),
    "drawdown_active": (False, True),
    "position_lots": (0, 30, -30),
    "venue_lots": (None, 30, -30),
    "cap_units": (10**9, 25_000),
    "account_cap_units": (10**9, 25_000),
    "other_units": (0, 10_000),
    "max_order_units": (10**9, 9_000),
    "max_pending": (40, 1),
    "churn_left": (10, 0),
    "budget": (
        Room(orders=9, orders_reserve=9, weight=99, weight_reserve=99, banned=False),
        Room(orders=0, orders_reserve=0, weight=0, weight_reserve=0, banned=False),
        Room(orders=0, orders_reserve=0, weight=0, weight_reserve=0, banned=True),
    ),
    "deadman_ok": (True, False),
    "decision_age_ms": (0, 501),
    "step_age_ms": (0, 301),
}
OPEN = GateView(
    **{name: values[0] for name, values in FIGURES.items() if name != "state"},
    state=FsmState.ACTIVE,
    position_read_limit_ms=10_000,
    bounds=Bounds.of(INSTRUMENT, 1_000),
    sums=exposure.sums([RESTING], 1_000),
    orders={"mine": RESTING},
)


def asked(chance: random.Random) -> Request:
    return Request(
        kind=chance.choice(tuple(OpKind)),
        intent=chance.choice(tuple(Intent)),
        symbol=chance.choice(("X", "X", "X", "Y")),
        side=chance.choice(tuple(Side)),
        price_ticks=chance.choice((980, 990, 1_010, 5, 2_000)),
        lots=chance.choice((0, 1, 10, 30, 200)),
        reduce_only=chance.random() < 0.4,
        order_type=chance.choice(tuple(OrderType)),
        client_id=chance.choice(("mine", "other")),
        own_epoch=chance.choice((6, 7, 8)),
    )


def seen(chance: random.Random) -> GateView:
    """Mostly open, so that every gate gets its turn to be the first."""
    shut = chance.sample(sorted(FIGURES), chance.choice((0, 0, 1, 2, 4)))
    return replace(OPEN, **{name: chance.choice(FIGURES[name]) for name in shut})


def test_one_by_one_and_at_once_agree_in_order_and_words() -> None:
    chance, first = random.Random(20), set[Gate | None]()
    for _ in range(1_500):
        view = seen(chance)
        refuse = gates.chain_for(view)
        for request in [asked(chance) for _ in range(8)]:
            expected = next((found for found in gates.check(request, view) if not found.allowed), None)
            assert refuse(request) == expected, (request, view)
            first.add(None if expected is None else expected.gate)
    assert first == {None, *Gate}, "every gate, and none, was the first to refuse"


def test_a_standing_refusal_does_not_come_before_an_earlier_gate_of_the_chain() -> None:
    view = replace(OPEN, churn_left=0)
    refuse = gates.chain_for(view)
    place = asked(random.Random(0))
    place = replace(place, kind=OpKind.PLACE, intent=Intent.INCREASE, side=Side.BUY, price_ticks=990, lots=10)
    place = replace(place, order_type=OrderType.LIMIT, own_epoch=7, symbol="X")
    at_the_ceiling, elsewhere = refuse(place), refuse(replace(place, symbol="Y"))
    assert at_the_ceiling is not None and at_the_ceiling.gate is Gate.CHURN
    assert elsewhere is not None and elsewhere.gate is Gate.WHITELIST
