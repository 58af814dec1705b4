"""Each gate stops exactly the intents the contract marks, and nothing else stops them."""

from dataclasses import replace
from decimal import Decimal
from itertools import product

import pytest
from gridops.decide import exposure, gates
from gridops.decide.budget import Room
from gridops.decide.gate_view import Bounds, GateView
from gridops.decide.permissions import PERMISSIONS
from gridops.domain.instrument import Instrument
from gridops.domain.orders import Order
from gridops.domain.plan import Request
from gridops.domain.vocabulary import (
    FsmState,
    Gate,
    Intent,
    OpKind,
    OrderState,
    OrderType,
    Side,
    StopMode,
    TimeInForce,
)

I, R, C = Intent.INCREASE, Intent.REDUCE, Intent.CANCEL  # noqa: E741
S = FsmState

MARKED = {
    Gate.ARMED: "I",
    Gate.MODE: "IRC",
    Gate.ENVIRONMENT: "IRC",
    Gate.KILL_LATCH: "I",
    Gate.FSM: "IRC",
    Gate.LEASE: "IRC",
    Gate.WHITELIST: "I",
    Gate.DATA_TRUST: "I",
    Gate.FILTERS: "IR",
    Gate.DRAWDOWN: "I",
    Gate.EXPOSURE: "I",
    Gate.ORDER_SIZE: "I",
    Gate.PENDING: "I",
    Gate.REDUCE_ONLY: "R",
    Gate.SELF_CROSS: "IR",
    Gate.CHURN: "I",
    Gate.BUDGET: "IRC",
    Gate.DEADMAN: "I",
    Gate.DECISION_AGE: "I",
}
"""The list of the contract."""

LETTER = {I: "I", R: "R", C: "C"}

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


def order(client_id: str, side: Side, lots: int, price: int, *, ro: bool = False) -> Order:
    return Order(client_id, "X", side, 0, price, lots, ro, OrderType.LIMIT, TimeInForce.GTX, OrderState.OPEN, 7, 0)


def with_orders(view: GateView, *orders: Order) -> GateView:
    return replace(view, sums=exposure.sums(orders, 1_000), orders={o.client_id: o for o in orders})


OPEN = GateView(
    mode_ok=True,
    fingerprint_ok=True,
    armed=True,
    kill_latched=False,
    state=S.ACTIVE,
    stop_mode=StopMode.CANCEL,
    throttle_ok=True,
    position_read_age_ms=100,
    position_read_limit_ms=10_000,
    named_by_read=frozenset({"mine"}),
    lease_held=True,
    lease_epoch=7,
    foreign_writer=False,
    whitelist=frozenset({"X"}),
    frozen=frozenset(),
    filters_fresh=True,
    bounds=Bounds.of(INSTRUMENT, 1_000),
    drawdown_active=False,
    sums=exposure.sums([], 1_000),
    orders={},
    position_lots=20,
    venue_lots=20,
    cap_units=60_000,
    account_cap_units=90_000,
    other_units=10_000,
    max_order_units=30_000,
    max_pending=3,
    churn_left=1,
    budget=Room(orders=1, orders_reserve=1, weight=1, weight_reserve=1, banned=False),
    deadman_ok=True,
    decision_age_ms=0,
    step_age_ms=0,
)
PLACE = Request(kind=OpKind.PLACE, intent=I, symbol="X", side=Side.BUY, price_ticks=990, lots=10, reduce_only=False)
CLOSE = Request(kind=OpKind.PLACE, intent=R, symbol="X", side=Side.SELL, price_ticks=1_010, lots=10, reduce_only=True)
CANCEL = Request(
    kind=OpKind.CANCEL,
    intent=C,
    symbol="X",
    side=Side.BUY,
    price_ticks=0,
    lots=0,
    reduce_only=False,
    client_id="mine",
    own_epoch=7,
)
REQUESTS = {I: PLACE, R: CLOSE, C: CANCEL}

SHUT = {
    Gate.ARMED: {"armed": False},
    Gate.MODE: {"mode_ok": False},
    Gate.ENVIRONMENT: {"fingerprint_ok": False},
    Gate.KILL_LATCH: {"kill_latched": True},
    Gate.LEASE: {"lease_held": False, "lease_epoch": 8},
    Gate.WHITELIST: {"whitelist": frozenset()},
    Gate.DATA_TRUST: {"frozen": frozenset({"X"})},
    Gate.DRAWDOWN: {"drawdown_active": True},
    Gate.EXPOSURE: {"cap_units": 20_000},
    Gate.ORDER_SIZE: {"max_order_units": 9_999},
    Gate.PENDING: {"max_pending": 0},
    Gate.REDUCE_ONLY: {"venue_lots": 9},
    Gate.CHURN: {"churn_left": 0},
    Gate.BUDGET: {"budget": Room(orders=0, orders_reserve=0, weight=0, weight_reserve=0, banned=True)},
    Gate.DEADMAN: {"deadman_ok": False},
    Gate.DECISION_AGE: {"decision_age_ms": 501},
}


def shut(gate: Gate) -> GateView:
    if gate is Gate.FILTERS:
        tiny = replace(OPEN.bounds, max_lots=9)
        return replace(OPEN, bounds=tiny)
    if gate is Gate.SELF_CROSS:
        return with_orders(OPEN, order("a", Side.SELL, 1, 980), order("b", Side.BUY, 1, 1_020))
    return replace(OPEN, **SHUT[gate])  # type: ignore[arg-type]


def refusals(request: Request, view: GateView) -> set[Gate]:
    return {verdict.gate for verdict in gates.check(request, view) if not verdict.allowed}


@pytest.mark.parametrize("intent", Intent)
def test_an_open_chain_lets_everything_pass(intent: Intent) -> None:
    assert refusals(REQUESTS[intent], OPEN) == set()
    assert gates.permit(REQUESTS[intent], OPEN)


def test_every_gate_stands_once_in_the_chain_marked_as_in_the_contract() -> None:
    chain = {link.gate: "".join(LETTER[i] for i in Intent if i in link.intents) for link in gates.CHAIN}
    assert len(gates.CHAIN) == len(chain) == len(Gate)
    assert chain == MARKED
    assert [link.gate for link in gates.CHAIN] == list(Gate)


@pytest.mark.parametrize(("gate", "intent"), list(product([g for g in Gate if g is not Gate.FSM], Intent)))
def test_a_shut_gate_stops_the_intents_it_is_marked_for_and_no_other(gate: Gate, intent: Intent) -> None:
    expected = {gate} if LETTER[intent] in MARKED[gate] else set()
    view = shut(gate)
    assert refusals(REQUESTS[intent], view) == expected
    first = gates.first_refusal(REQUESTS[intent], view)
    assert (first.gate if first else None) == (gate if expected else None)
    assert all(verdict.detail for verdict in gates.check(REQUESTS[intent], view) if not verdict.allowed)


PERMITTED = {
    S.INIT: "C",
    S.READY: "RC",
    S.ACTIVE: "IRC",
    S.THROTTLED: "IRC",
    S.PAUSED: "RC",
    S.DEGRADED: "RC",
    S.EMERGENCY: "RC",
    S.STOPPING: "C",
}
"""With every condition of a grant met, except that the stop mode is `cancel`."""


@pytest.mark.parametrize(("state", "intent"), list(product(FsmState, Intent)))
def test_a_state_lets_through_what_the_contract_says(state: FsmState, intent: Intent) -> None:
    expected = set() if LETTER[intent] in PERMITTED[state] else {Gate.FSM}
    assert refusals(REQUESTS[intent], replace(OPEN, state=state)) == expected


@pytest.mark.parametrize("state", FsmState)
@pytest.mark.parametrize(("killed", "drawdown"), list(product([False, True], repeat=2)))
def test_state_kill_and_drawdown_together_never_open_an_increase_nor_stop_a_cancel(
    state: FsmState, killed: bool, drawdown: bool
) -> None:
    view = replace(OPEN, state=state, kill_latched=killed, drawdown_active=drawdown)
    quoting = state in (S.ACTIVE, S.THROTTLED)
    assert gates.permit(PLACE, view) == (quoting and not killed and not drawdown)
    assert gates.permit(CANCEL, view)
    assert gates.permit(CLOSE, view) == ("R" in PERMITTED[state])


@pytest.mark.parametrize(
    ("request_", "view", "allowed"),
    [
        (PLACE, replace(OPEN, state=S.THROTTLED, throttle_ok=False), False),
        (CANCEL, replace(OPEN, state=S.INIT, named_by_read=frozenset()), False),
        (CLOSE, replace(OPEN, state=S.DEGRADED, position_read_age_ms=10_001), False),
        (CLOSE, replace(OPEN, state=S.DEGRADED, position_read_age_ms=None), False),
        (CLOSE, replace(OPEN, state=S.STOPPING, stop_mode=StopMode.FLATTEN), True),
        (CLOSE, replace(OPEN, state=S.STOPPING, stop_mode=StopMode.REDUCE), True),
        (CLOSE, replace(OPEN, state=S.STOPPING, stop_mode=StopMode.LEAVE), False),
        (PLACE, replace(OPEN, state=S.STOPPING, stop_mode=StopMode.FLATTEN), False),
    ],
)
def test_a_conditional_grant_asks_for_its_condition(request_: Request, view: GateView, allowed: bool) -> None:
    assert gates.permit(request_, view) == allowed
    assert gates.state_permits(request_, view) == allowed


def test_every_state_has_its_permissions() -> None:
    assert set(PERMISSIONS) == set(FsmState)


def test_after_lease_loss_only_orders_of_our_own_epoch_may_be_cancelled() -> None:
    lost = replace(OPEN, lease_held=False)
    assert gates.permit(CANCEL, lost)
    assert not gates.permit(replace(CANCEL, own_epoch=6), lost)
    assert gates.permit(replace(CANCEL, own_epoch=6), OPEN)
    assert not gates.permit(CLOSE, lost)


def test_nothing_is_cancelled_beside_a_newer_writer() -> None:
    assert refusals(replace(CANCEL, own_epoch=8), OPEN) == {Gate.LEASE}
    assert refusals(CANCEL, replace(OPEN, foreign_writer=True)) == {Gate.LEASE}


@pytest.mark.parametrize("state", FsmState)
def test_the_dead_man_may_beat_in_every_state_but_only_for_the_lease_holder(state: FsmState) -> None:
    room = Room(orders=0, orders_reserve=0, weight=0, weight_reserve=10, banned=False)
    beat = replace(CANCEL, kind=OpKind.DEADMAN, client_id="")
    assert gates.permit(beat, replace(OPEN, state=state, budget=room))
    assert not gates.permit(beat, replace(OPEN, state=state, budget=room, lease_held=False))
    assert not gates.permit(beat, replace(OPEN, state=state, budget=replace(room, weight_reserve=9)))


@pytest.mark.parametrize(
    ("change", "allowed"),
    [
        ({"lots": 1}, False),
        ({"lots": 4, "price_ticks": 960}, False),
        ({"lots": 6, "price_ticks": 960}, True),
        ({"price_ticks": 1_051}, False),
        ({"price_ticks": 1_050}, True),
        ({"side": Side.SELL, "price_ticks": 949}, False),
        ({"side": Side.SELL, "price_ticks": 950}, True),
        ({"order_type": OrderType.MARKET, "lots": 41, "price_ticks": 0}, False),
    ],
)
def test_increases_keep_the_filters(change: dict[str, object], allowed: bool) -> None:
    request = replace(PLACE, **change)  # type: ignore[arg-type]
    assert (Gate.FILTERS not in refusals(request, OPEN)) == allowed


def test_reductions_are_exempt_from_notional_band_and_freshness() -> None:
    far = replace(CLOSE, lots=1, price_ticks=900)
    stopped = replace(OPEN, filters_fresh=False, bounds=replace(OPEN.bounds, trading=False))
    assert gates.permit(far, stopped)
    assert not gates.permit(PLACE, replace(OPEN, filters_fresh=False))
    assert not gates.permit(PLACE, stopped)


def test_the_cap_binds_symbol_and_account() -> None:
    # 20 lots held and 10 asked for, at a mark of 1,000.
    assert gates.permit(PLACE, replace(OPEN, cap_units=30_000))
    assert refusals(PLACE, replace(OPEN, cap_units=29_999)) == {Gate.EXPOSURE}
    assert gates.permit(PLACE, replace(OPEN, account_cap_units=40_000))
    assert refusals(PLACE, replace(OPEN, account_cap_units=39_999)) == {Gate.EXPOSURE}
    assert refusals(PLACE, replace(OPEN, venue_lots=51)) == {Gate.EXPOSURE}


def test_an_amend_is_judged_against_its_original() -> None:
    view = replace(with_orders(OPEN, order("o", Side.BUY, 10, 990)), max_pending=1, cap_units=35_000)
    amend = replace(PLACE, kind=OpKind.AMEND, client_id="o")
    assert gates.permit(replace(amend, lots=15), view)
    assert refusals(replace(amend, lots=16), view) == {Gate.EXPOSURE}


def test_reduce_only_orders_never_exceed_the_venue_position() -> None:
    view = with_orders(replace(OPEN, position_lots=30), order("o", Side.SELL, 10, 1_010, ro=True))
    assert gates.permit(CLOSE, view)
    assert refusals(replace(CLOSE, lots=11), view) == {Gate.REDUCE_ONLY}
    assert refusals(replace(CLOSE, side=Side.BUY, price_ticks=990), view) == {Gate.REDUCE_ONLY}


def test_reductions_and_cancels_draw_on_the_reserve() -> None:
    reserve = replace(OPEN, budget=Room(orders=0, orders_reserve=1, weight=0, weight_reserve=1, banned=False))
    assert refusals(PLACE, reserve) == {Gate.BUDGET}
    assert gates.permit(CLOSE, reserve) and gates.permit(CANCEL, reserve)


def test_a_ban_stops_everything_whatever_the_counters_have_left() -> None:
    banned = replace(OPEN, budget=Room(orders=9, orders_reserve=9, weight=99, weight_reserve=99, banned=True))
    for request in (PLACE, CLOSE, CANCEL):
        assert refusals(request, banned) == {Gate.BUDGET}


GOOD = {
    "mode_ok": True,
    "fingerprint_ok": True,
    "permission": True,
    "state_epoch_now": 3,
    "state_epoch_decided": 3,
    "lease_held": True,
    "lease_epoch_now": 7,
    "lease_epoch_decided": 7,
    "kill_latched": False,
    "age_ns": 500_000_000,
    "step_age_ns": 300_000_000,
}


@pytest.mark.parametrize(
    ("change", "stopped", "gate"),
    [
        ({}, "", None),
        ({"mode_ok": False}, "IRC", Gate.MODE),
        ({"fingerprint_ok": False}, "IRC", Gate.ENVIRONMENT),
        ({"permission": False}, "IRC", Gate.FSM),
        ({"state_epoch_now": 4}, "I", Gate.FSM),
        ({"lease_held": False}, "IR", Gate.LEASE),
        ({"lease_epoch_now": 8}, "IR", Gate.LEASE),
        ({"lease_epoch_now": 6}, "IRC", Gate.LEASE),
        ({"kill_latched": True}, "I", Gate.KILL_LATCH),
        ({"age_ns": 501_000_000}, "I", Gate.DECISION_AGE),
        ({"step_age_ns": 301_000_000}, "I", Gate.DECISION_AGE),
    ],
)
def test_the_last_hop_refuses_what_is_stale_and_never_holds_up_protection(
    change: dict[str, object], stopped: str, gate: Gate | None
) -> None:
    for intent, request in REQUESTS.items():
        verdict = gates.last_hop(request, **(GOOD | change))  # type: ignore[arg-type]
        assert (verdict.gate if verdict else None) == (gate if LETTER[intent] in stopped else None)
