"""Without the lease an engine only takes its own increasing orders away; a good key is believed again."""

from gridops.decide import sync
from gridops.domain.effects import Query, Send
from gridops.domain.events import LeaseSeen, Woke
from gridops.domain.vocabulary import FsmState, OpKind, QueryKind, VenueCode
from tests.runtime.engine_kit import EPOCH, Desk


def test_a_lost_lease_cancels_own_increasing_orders_and_sends_nothing_else() -> None:
    desk = Desk()
    desk.up()
    resting = {client_id for client_id, order in desk.orders.items() if not order.reduce_only}
    assert resting
    done = desk.feed(LeaseSeen(held=False, epoch=EPOCH, valid_until_ms=0))
    sends = [effect for effect in done.effects if isinstance(effect, Send)]
    assert {send.kind for send in sends} == {OpKind.CANCEL}
    assert {op.client_id for send in sends for op in send.ops} == resting
    assert desk.fsm() is FsmState.DEGRADED


def test_an_order_of_a_newer_epoch_stops_even_the_cancels() -> None:
    desk = Desk()
    desk.up()
    desk.state.health.foreign_writer = True
    done = desk.feed(LeaseSeen(held=False, epoch=EPOCH, valid_until_ms=0))
    assert not [effect for effect in done.effects if isinstance(effect, Send)]


def _asked(desk: Desk, kind: QueryKind) -> dict[QueryKind, Query]:
    """The questions of the next second, one of them wished for, by kind."""
    sync.want(desk.state.sync, kind, "", desk.state.now_ms)
    done = desk.feed(Woke(), after_ms=1_100)
    return {effect.kind: effect for effect in done.effects if isinstance(effect, Query)}


def test_a_rejected_key_is_forgotten_by_a_signed_answer_only() -> None:
    desk = Desk()
    desk.up()
    refused = _asked(desk, QueryKind.INCOME)[QueryKind.INCOME]
    desk.feed(desk.reply(refused, ok=False, code=VenueCode.AUTH))
    assert desk.state.health.auth_rejected
    asked = _asked(desk, QueryKind.TIME)
    desk.feed(desk.reply(asked.pop(QueryKind.TIME)))
    assert desk.state.health.auth_rejected
    signed = next(query for kind, query in asked.items() if kind is not QueryKind.RULES)
    desk.feed(desk.reply(signed))
    assert not desk.state.health.auth_rejected
