"""While the venue bans the address nothing leaves, the dead-man's beats included: each request makes a ban longer."""

from gridops.domain.events import BudgetSeen
from gridops.domain.vocabulary import OpKind
from tests.runtime.engine_kit import Desk

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
