"""What the composed engine's gates say in each state about places and amends that grow, shrink or reduce."""

import pytest
from gridops.decide import gates
from gridops.decide.permissions import PERMISSIONS, Grant
from gridops.domain.orders import Order
from gridops.domain.plan import Request
from gridops.domain.vocabulary import FsmState, Gate, Intent, OpKind, Side
from gridops.runtime import gate_views
from tests.runtime.engine_kit import EPOCH, SYMBOL, Desk


def _request(kind: OpKind, order: Order, lots: int) -> Request:
    return Request(
        kind=kind,
        intent=Intent.INCREASE,
        symbol=SYMBOL,
        side=order.side,
        price_ticks=order.price_ticks,
        lots=lots,
        reduce_only=False,
        order_type=order.order_type,
        tif=order.tif,
        client_id=order.client_id if kind is OpKind.AMEND else "",
        level=order.level,
        own_epoch=EPOCH,
    )


@pytest.mark.parametrize("kind", [OpKind.PLACE, OpKind.AMEND])
@pytest.mark.parametrize("state", list(FsmState))
def test_only_a_quoting_state_lets_a_growing_request_through(state: FsmState, kind: OpKind) -> None:
    desk = Desk()
    desk.up()
    order = desk.nearest(Side.BUY)
    desk.state.fsm.state = state
    view = gate_views.build(desk.state, desk.state.symbols[SYMBOL])
    refusal = gates.first_refusal(_request(kind, order, order.lots + 1), view)
    if PERMISSIONS[state].increase in (Grant.YES, Grant.WITHIN_CAPS):
        assert refusal is None
    else:
        assert refusal is not None
        assert refusal.gate is Gate.FSM
    assert (refusal is None) is (state in (FsmState.ACTIVE, FsmState.THROTTLED))
