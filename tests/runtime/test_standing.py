"""A confirmation that was waited for needs no new plan: the one that is spared would have sent nothing."""

import copy
import random
from collections.abc import Sequence
from dataclasses import replace

import pytest
from gridops.decide.route_context import RouteContext
from gridops.decide.router import route
from gridops.domain.effects import Send, WireOp
from gridops.domain.events import Event, OrderReport, VenueNotice, WriteReply
from gridops.domain.orders import Order
from gridops.domain.plan import Plan, Target
from gridops.domain.rules import GridRules, RouterRules, Rules
from gridops.domain.vocabulary import FsmState, OpKind, Side, WriteOutcome
from gridops.runtime import act
from gridops.runtime.out import Out
from gridops.runtime.step import Step
from tests.effort import examples
from tests.runtime.engine_kit import SYMBOL, Desk

FIXED = Rules(
    symbols=(SYMBOL,),
    grid=GridRules(levels=3, volatility_scaled=False, regime_scaled=False),
    router=RouterRules(hold_band_pct=20),
)
"""A ladder that follows the mid and nothing else: what is wanted does not depend on when it was asked."""


class Counted:
    """The product's planner, counting its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, targets: Sequence[Target], orders: Sequence[Order], ctx: RouteContext) -> Plan:
        self.calls += 1
        return route(targets, orders, ctx)


def moving() -> tuple[Desk, Counted, list[WireOp]]:
    """A desk whose whole ladder has just been asked to move; the amends wait for their answers."""
    desk, planner = Desk(FIXED), Counted()
    desk.up()
    desk.engine.planner = planner
    done = desk.view(desk.bid + 60)
    amends = [op for effect in done.effects if isinstance(effect, Send) for op in effect.ops]
    assert len(amends) > 2 and {op.kind for op in amends} == {OpKind.AMEND}
    assert planner.calls == 1
    return desk, planner, amends


def test_confirmed_amends_are_taken_in_without_a_new_plan() -> None:
    desk, planner, amends = moving()
    for op in amends:
        desk.acknowledge(op)
        order = desk.orders[op.client_id]
        assert (order.price_ticks, order.lots, order.pending) == (op.price_ticks, op.lots, None)
    assert planner.calls == 1
    desk.view(after_ms=100)
    assert planner.calls == 1, "and the market has not moved since"


@pytest.mark.parametrize("change", [{"price_ticks": 1}, {"lots": 1}, {"filled_lots": 1}, {"status": "CANCELED"}])
def test_anything_else_than_what_was_asked_is_planned_for(change: dict[str, object]) -> None:
    desk, planner, amends = moving()
    seen = desk.rest(amends[0])
    odd = {name: getattr(seen, name) + by if isinstance(by, int) else by for name, by in change.items()}
    desk.outcome(amends[0], WriteOutcome.CONFIRMED, order=replace(seen, **odd))  # type: ignore[arg-type]
    assert planner.calls > 1


def test_an_order_in_flight_that_is_wanted_elsewhere_by_now_is_moved_on_when_it_arrives() -> None:
    desk, planner, amends = moving()
    done = desk.view(desk.bid + 60)
    assert not [each for each in done.effects if isinstance(each, Send) and each.kind is OpKind.AMEND]
    calls = planner.calls
    again = desk.acknowledge(amends[0])
    assert planner.calls == calls + 1
    assert [op.client_id for each in again.effects if isinstance(each, Send) for op in each.ops] == [
        amends[0].client_id
    ]


def test_a_fill_is_planned_for() -> None:
    desk, planner, amends = moving()
    for op in amends:
        desk.acknowledge(op)
    order = desk.nearest(Side.BUY)
    seen = desk.open_orders[order.client_id]
    desk.feed(desk.report(seen, desk.trade(order.client_id, 7)), after_ms=10)
    assert planner.calls == 2


def test_a_light_trade_notice_moves_nothing() -> None:
    desk, planner, _ = moving()
    done = desk.feed(VenueNotice(kind="TRADE_LITE", symbol=SYMBOL, detail="", event_ms=desk.venue_ms), after_ms=1)
    assert (done.records, done.effects, planner.calls) == ([], (), 1)


class Doubter(Desk):
    """Plans a copy of the state anew after every answer that was taken in without a plan."""

    def __init__(self) -> None:
        super().__init__(FIXED)
        self.spared = 0

    def feed(self, event: Event, *, after_ms: int = 0) -> Step:
        planner = self.engine.planner = Counted()
        done = super().feed(event, after_ms=after_ms)
        if isinstance(event, WriteReply | OrderReport) and not planner.calls and self.fsm() is FsmState.ACTIVE:
            self.spared += 1
            again = copy.deepcopy(self.state)
            again.symbols[SYMBOL].dirty = True
            out = Out(self.history[-1][0], "again")
            act.run(again, out)
            assert [effect for effect in out.effects if isinstance(effect, Send)] == [], event
        return done


@pytest.mark.parametrize("seed", range(4))
def test_the_plan_that_is_spared_would_have_sent_nothing(seed: int) -> None:
    """While the market wanders and fills, and some answers come late."""
    chance, desk = random.Random(seed), Doubter()
    desk.up()
    late: list[WireOp] = []
    for trade_id in range(1, examples(150)):
        done = desk.view(desk.bid + int(chance.gauss(0, 150)), after_ms=chance.randint(30, 700))
        ops = [op for effect in done.effects if isinstance(effect, Send) for op in effect.ops]
        desk.answer(done.effects)
        held = [op for op in ops if op.kind is not OpKind.DEADMAN and chance.random() < 0.3]
        for op in (*late, *(op for op in ops if op not in held)):
            if op.kind in (OpKind.DEADMAN, OpKind.PLACE) or op.client_id in desk.open_orders:
                desk.settle(desk.acknowledge(op))
        late = held
        order = desk.nearest(chance.choice((Side.BUY, Side.SELL))) if len(desk.orders) > 2 else None
        if order is not None and order.client_id in desk.open_orders and chance.random() < 0.05:
            seen = desk.open_orders[order.client_id]
            desk.settle(desk.feed(desk.report(seen, desk.trade(order.client_id, trade_id)), after_ms=5))
    assert desk.spared > 30
