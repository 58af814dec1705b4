"""While the venue bans the address nothing leaves, the dead-man's beats included: each request makes a ban longer."""

import pytest
from gridops.domain.effects import Query, Send
from gridops.domain.events import BudgetSeen, OperatorInput
from gridops.domain.vocabulary import OperatorCommand, OpKind
from tests.runtime.engine_kit import EPOCH, Desk

BAN_MS = 90_000
"""Longer than two beats are apart."""


def test_no_beat_leaves_before_the_ban_is_over() -> None:
    desk = Desk()
    desk.up()
    sent = len(desk.sent)
    desk.feed(BudgetSeen(weight_1m=-1, orders_10s=-1, orders_1m=-1, retry_after_ms=BAN_MS, banned=True))
    desk.run_ms(BAN_MS - 1_000, every_ms=500)
    assert desk.sent[sent:] == []
    desk.run_ms(5_000, every_ms=500)
    assert OpKind.DEADMAN in [op.kind for op in desk.sent[sent:]]


@pytest.mark.parametrize("banned", [True, False])
@pytest.mark.parametrize("set_ms", [-40_000, 40_000])
def test_a_clock_that_is_set_ends_no_order_to_stop_early_and_makes_none_longer(set_ms: int, banned: bool) -> None:
    desk = Desk()
    desk.up()
    desk.run_ms(60_000, every_ms=500)
    desk.feed(BudgetSeen(weight_1m=-1, orders_10s=-1, orders_1m=-1, retry_after_ms=BAN_MS, banned=banned))
    desk.run_ms(10_000, every_ms=500)
    asked = _questions(desk)
    desk.set_ms = set_ms
    desk.run_ms(BAN_MS - 11_000, every_ms=500)
    assert _questions(desk) == asked
    desk.run_ms(5_000, every_ms=500)
    assert _questions(desk) > asked


def test_a_start_during_a_ban_disarms_once_the_ban_is_over() -> None:
    """The last order's cancel came back under the ban, so that the switch may be armed for nothing."""
    desk = Desk()
    desk.up()
    pause = desk.feed(OperatorInput(command=OperatorCommand.PAUSE, request_id="r", author="test", reason="lunch"))
    ban = BudgetSeen(weight_1m=-1, orders_10s=-1, orders_1m=-1, retry_after_ms=BAN_MS, banned=True)
    desk.feed(ban)
    for op in [op for effect in pause.effects if isinstance(effect, Send) for op in effect.ops]:
        desk.acknowledge(op)
    assert desk.orders == {}
    desk.settle(desk.boot(EPOCH + 1))
    desk.user_stream(True)
    sent = len(desk.sent)
    desk.run_ms(BAN_MS - 2_000, every_ms=500)
    assert desk.sent[sent:] == []
    desk.run_ms(5_000, every_ms=500)
    assert [(op.kind, op.countdown_ms) for op in desk.sent[sent:]][:1] == [(OpKind.DEADMAN, 0)]


def _questions(desk: Desk) -> int:
    return sum(isinstance(effect, Query) for effect in desk.effects)
