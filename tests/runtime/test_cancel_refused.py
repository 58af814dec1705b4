"""A cancel the venue refused, or our own last hop held back, is tried again after a while, and never in a storm."""

import pytest
from gridops.domain.effects import WireOp
from gridops.domain.events import OperatorInput
from gridops.domain.vocabulary import FsmState, OperatorCommand, OpKind, VenueCode, WriteOutcome
from gridops.runtime.protect import CANCEL_REFUSED_MS
from gridops.runtime.state_codec import decode_state, encode_state
from tests.runtime.engine_kit import Desk


def cancels(desk: Desk, since: int) -> list[WireOp]:
    return [op for op in desk.sent[since:] if op.kind is OpKind.CANCEL]


@pytest.mark.parametrize(
    ("command", "into"), [(OperatorCommand.PAUSE, FsmState.PAUSED), (OperatorCommand.KILL, FsmState.EMERGENCY)]
)
@pytest.mark.parametrize(
    ("outcome", "code", "number"),
    [
        (WriteOutcome.REFUSED, VenueCode.OVERLOADED, -1008),
        (WriteOutcome.REFUSED, VenueCode.CLOCK, -1021),
        (WriteOutcome.REFUSED, VenueCode.AUTH, -2015),
        (WriteOutcome.DENIED, VenueCode.OTHER, 0),
    ],
)
def test_refused_cancels_are_repeated_at_a_steady_pace(
    command: OperatorCommand, into: FsmState, outcome: WriteOutcome, code: VenueCode, number: int
) -> None:
    desk = Desk()
    desk.up()
    before = len(desk.sent)
    asked = OperatorInput(command=command, request_id="r", author="a", reason="r", accept_position=False)
    desk.settle(desk.feed(asked), acknowledge=False)
    assert desk.state.fsm.state is into
    first = cancels(desk, before)
    assert len(first) == len(desk.orders) > 0
    for op in first:
        desk.outcome(op, outcome, code=code, number=number)
    begun = len(desk.sent)
    restored = decode_state(encode_state(desk.state))
    assert [s.cancel_again_ms for s in restored.symbols.values()] == [
        s.cancel_again_ms for s in desk.state.symbols.values()
    ]
    desk.run_ms(CANCEL_REFUSED_MS - 50, every_ms=10, acknowledge=False)
    assert cancels(desk, begun) == []
    desk.run_ms(100, every_ms=10, acknowledge=False)
    assert {op.client_id for op in cancels(desk, begun)} == {op.client_id for op in first}
    assert len(cancels(desk, begun)) == len(first)
