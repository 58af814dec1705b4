"""Nothing durable leaves before its row is on the disk, and what became stale, forbidden or foreign never leaves."""

from dataclasses import dataclass, field

import pytest
from gridops.domain.effects import Send, WireOp
from gridops.domain.events import Event, WriteReply
from gridops.domain.ids import owner
from gridops.domain.market import MarketView
from gridops.domain.orders import Order
from gridops.domain.rules import Rules
from gridops.domain.vocabulary import FsmState, Intent, OpKind, OrderState, OrderType, Side, TimeInForce, WriteOutcome
from gridops.runtime.outbox import Outbox
from gridops.runtime.state import EngineState, SymbolState
from tests.decide.roundtrip_kit import instrument

EPOCH = 7
CLIENT_ID = "goabcd0000007n0123456789abcdef01"
GROWING = (OpKind.PLACE, OpKind.AMEND)


@dataclass
class Stub:
    """Clock, lease, latch and reserve in one; every knob is a field."""

    now_ns: int = 10**12
    epoch: int = EPOCH
    held: bool = True
    latched: bool = False
    reserve_ok: bool = True
    reserved: list[bytes] = field(default_factory=list)

    def boot_ns(self) -> int:
        return self.now_ns

    def wall_ms(self) -> int:
        return self.now_ns // 1_000_000

    def boot_id(self) -> str:
        return "boot"

    def check(self) -> bool:
        return self.held

    def is_set(self) -> bool:
        return self.latched

    def set(self, author: str, reason: str) -> None:
        raise AssertionError("the outbox latches nothing")

    def clear(self) -> None:
        raise AssertionError("the outbox clears nothing")

    def write(self, body: bytes) -> bool:
        self.reserved.append(body)
        return self.reserve_ok


@dataclass
class Promise:
    """A commit token whose fate the test decides."""

    seq: int = 1
    error: BaseException | None = None
    settled: bool = False

    def done(self) -> bool:
        return self.settled


class Rig:
    def __init__(self, state: FsmState = FsmState.ACTIVE) -> None:
        self.stub = Stub()
        self.left: list[Send] = []
        self.back: list[Event] = []
        self.alarms: list[str] = []
        self.state = EngineState(rules=Rules(symbols=("BTCUSDT",)))
        self.state.fsm.state = state
        self.state.fsm.epoch = 3
        self.outbox = Outbox(
            clock=self.stub,
            lease=self.stub,
            latch=self.stub,
            reserve=self.stub,
            launch=self.left.append,
            put=self.back.append,
            alarm=self.alarms.append,
        )

    def send(self, kind: OpKind, intent: Intent) -> Send:
        op = WireOp(
            op_id=1,
            kind=kind,
            intent=intent,
            symbol="BTCUSDT",
            client_id=CLIENT_ID,
            venue_id="",
            side=Side.BUY,
            level=-1,
            price_ticks=650_000,
            lots=2,
            reduce_only=intent is Intent.REDUCE,
            order_type=OrderType.LIMIT,
            tif=TimeInForce.GTX,
        )
        return Send(
            kind=kind,
            symbol="BTCUSDT",
            ops=(op,),
            durable=kind in GROWING,
            reserve=intent is Intent.REDUCE,
            decided_boot_ns=self.stub.now_ns,
            state_epoch=self.state.fsm.epoch,
            lease_epoch=EPOCH,
        )

    def submit(self, kind: OpKind, intent: Intent, token: Promise) -> None:
        self.outbox.submit([self.send(kind, intent)], token, b"row", self.state)

    def fill(self, booked: int, reported: int) -> None:
        order = Order(
            client_id=CLIENT_ID,
            symbol="BTCUSDT",
            side=Side.BUY,
            level=-1,
            price_ticks=650_000,
            lots=6,
            reduce_only=False,
            order_type=OrderType.LIMIT,
            tif=TimeInForce.GTX,
            state=OrderState.PARTIAL,
            epoch=EPOCH,
            created_ms=1_000,
            filled_lots=booked,
            reported_lots=reported,
        )
        view = MarketView(symbol="BTCUSDT")
        symbol = SymbolState(symbol="BTCUSDT", view=view, instrument=instrument(), orders={CLIENT_ID: order})
        self.state.symbols["BTCUSDT"] = symbol

    def settle(self, token: Promise, error: BaseException | None = None) -> None:
        token.settled, token.error = True, error
        self.outbox.committed(token, self.state)

    def denied(self) -> list[str]:
        replies = [each for each in self.back if isinstance(each, WriteReply)]
        assert all(each.outcome is WriteOutcome.DENIED for each in replies)
        return [each.detail for each in replies]


@pytest.mark.parametrize("kind", GROWING)
@pytest.mark.parametrize("intent", [Intent.INCREASE, Intent.REDUCE])
def test_a_place_or_an_amend_waits_for_its_row_to_be_durable(kind: OpKind, intent: Intent) -> None:
    rig, token = Rig(), Promise()
    rig.submit(kind, intent, token)
    assert rig.left == []
    rig.settle(token)
    assert [each.kind for each in rig.left] == [kind]
    assert rig.denied() == []


@pytest.mark.parametrize("kind", [OpKind.CANCEL, OpKind.DEADMAN])
def test_a_cancel_and_a_beat_wait_for_nothing(kind: OpKind) -> None:
    rig = Rig()
    rig.submit(kind, Intent.CANCEL, Promise())
    assert [each.kind for each in rig.left] == [kind]


def test_an_increase_whose_row_failed_is_denied() -> None:
    rig, token = Rig(), Promise()
    rig.submit(OpKind.PLACE, Intent.INCREASE, token)
    rig.settle(token, OSError("no space"))
    assert (rig.left, rig.denied()) == ([], ["journal_failed"])


def test_a_reduction_whose_row_failed_leaves_through_the_reserve() -> None:
    rig, token = Rig(), Promise()
    rig.submit(OpKind.PLACE, Intent.REDUCE, token)
    rig.settle(token, OSError("no space"))
    assert rig.stub.reserved == [b"row"]
    assert len(rig.left) == 1
    assert rig.alarms


@pytest.mark.parametrize(("state", "leaves"), [(FsmState.EMERGENCY, True), (FsmState.ACTIVE, False)])
def test_without_journal_and_reserve_only_an_emergency_reduces_under_a_reserved_id(
    state: FsmState, leaves: bool
) -> None:
    rig, token = Rig(state), Promise()
    rig.stub.reserve_ok = False
    rig.submit(OpKind.PLACE, Intent.REDUCE, token)
    rig.settle(token, OSError("no space"))
    ids = [owner(op.client_id) for send in rig.left for op in send.ops]
    assert [each.reserved for each in ids if each is not None] == ([True] if leaves else [])


def _older(rig: Rig) -> None:
    rig.stub.now_ns += 501_000_000


def _silent(rig: Rig) -> None:
    rig.outbox.last_step_ns -= 301_000_000


def _moved(rig: Rig) -> None:
    rig.state.fsm.epoch += 1


def _paused(rig: Rig) -> None:
    rig.state.fsm.state = FsmState.PAUSED


def _latched(rig: Rig) -> None:
    rig.stub.latched = True


def _lost(rig: Rig) -> None:
    rig.stub.held = False


def _deposed(rig: Rig) -> None:
    rig.stub.epoch += 1


@pytest.mark.parametrize("kind", GROWING)
@pytest.mark.parametrize("change", [_older, _silent, _moved, _paused, _latched, _lost, _deposed])
def test_what_changed_while_it_waited_stops_an_increase(kind: OpKind, change: object) -> None:
    rig, token = Rig(), Promise()
    rig.submit(kind, Intent.INCREASE, token)
    assert callable(change)
    change(rig)
    rig.settle(token)
    assert rig.left == []
    assert len(rig.denied()) == 1


@pytest.mark.parametrize("change", [_older, _silent, _moved, _paused, _latched])
def test_protection_is_not_stopped_by_age_state_or_latch(change: object) -> None:
    rig, token = Rig(), Promise()
    rig.submit(OpKind.PLACE, Intent.REDUCE, token)
    assert callable(change)
    change(rig)
    rig.settle(token)
    assert len(rig.left) == 1


@pytest.mark.parametrize("kind", GROWING)
@pytest.mark.parametrize("change", [_older, _silent, _moved, _paused, _latched, _lost, _deposed])
def test_what_changed_between_the_release_and_the_task_stops_an_increase(kind: OpKind, change: object) -> None:
    rig = Rig()
    send = rig.send(kind, Intent.INCREASE)
    assert rig.outbox.leaving(send, rig.state) == send
    assert callable(change)
    change(rig)
    assert rig.outbox.leaving(send, rig.state) is None
    assert len(rig.denied()) == 1


@pytest.mark.parametrize("kind", [OpKind.PLACE, OpKind.CANCEL])
@pytest.mark.parametrize("change", [_older, _silent, _moved, _paused, _latched])
def test_protection_leaves_whatever_came_before_its_task_ran(kind: OpKind, change: object) -> None:
    rig = Rig()
    send = rig.send(kind, Intent.CANCEL if kind is OpKind.CANCEL else Intent.REDUCE)
    assert callable(change)
    change(rig)
    assert rig.outbox.leaving(send, rig.state) == send


@pytest.mark.parametrize(("booked", "reported", "leaves"), [(0, 0, True), (1, 1, True), (2, 2, False), (0, 3, False)])
def test_an_amend_does_not_ask_for_less_than_was_filled_since(booked: int, reported: int, leaves: bool) -> None:
    """The venue cancels an order that is amended to what it has filled; a fill may come between decision and send."""
    rig, token = Rig(), Promise()
    rig.submit(OpKind.AMEND, Intent.REDUCE, token)
    send = rig.send(OpKind.AMEND, Intent.REDUCE)
    rig.fill(booked, reported)
    rig.settle(token)
    assert (len(rig.left), len(rig.denied())) == ((1, 0) if leaves else (0, 1))
    assert (rig.outbox.leaving(send, rig.state) == send) is leaves


@pytest.mark.parametrize("kind", GROWING)
@pytest.mark.parametrize("age_ms", [1_999, 2_001])
def test_what_waited_too_long_is_decided_anew_even_when_it_reduces(kind: OpKind, age_ms: int) -> None:
    """The venue may have been asked for it meanwhile, and it is then proven absent: it must not arrive after that."""
    rig = Rig()
    token = Promise()
    rig.submit(kind, Intent.REDUCE, token)
    rig.stub.now_ns += age_ms * 1_000_000
    rig.outbox.last_step_ns = rig.stub.now_ns
    rig.settle(token)
    assert (len(rig.left), rig.denied()) == (
        (1, []) if age_ms < 2_000 else (0, ["late decided 2001 ms ago, limit 2000"])
    )


def test_a_silent_disk_holds_up_no_reduction_and_sends_none_twice() -> None:
    """As when the commit fails: what reduces goes by the reserve file; the commit that comes later sends nothing."""
    rig = Rig()
    reduce, raise_ = Promise(seq=1), Promise(seq=2)
    rig.submit(OpKind.PLACE, Intent.REDUCE, reduce)
    rig.submit(OpKind.PLACE, Intent.INCREASE, raise_)
    for later_ms, left in ((1_400, 0), (200, 1)):
        rig.stub.now_ns += later_ms * 1_000_000
        rig.outbox.last_step_ns = rig.stub.now_ns
        rig.outbox.disk_silent(TimeoutError(), rig.state)
        assert len(rig.left) == left
    assert len(rig.stub.reserved) == 1 and len(rig.back) == 1 and rig.outbox.waiting == 0
    for token in (reduce, raise_):
        rig.settle(token)
    assert len(rig.left) == 1
