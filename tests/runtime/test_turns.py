"""What a loop takes in when it does not keep up, and what it makes of a disk that says nothing."""

from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from gridops.domain.effects import Send
from gridops.domain.events import Event, OrderReport, SinkReport, StreamChanged, VenueNotice, WriteReply
from gridops.domain.rules import Rules
from gridops.domain.vocabulary import FsmState, Intent, OpKind, Stream, WriteOutcome
from gridops.runtime import codec, turns
from gridops.runtime.engine import Engine
from gridops.runtime.ports_journal import CheckpointRow, JournalRow
from gridops.runtime.state import EngineState
from gridops.runtime.turns import Turns
from tests.runtime.test_outbox import Promise, Rig, Stub

MS = 1_000_000


class Rows:
    """A journal that keeps what it is given."""

    def __init__(self) -> None:
        self.rows: list[JournalRow] = []

    def append(self, row: JournalRow) -> Any:
        self.rows.append(row)
        return Promise(seq=row.seq)

    def checkpoint(self, row: CheckpointRow) -> Any:
        return Promise(seq=row.seq)


class Idle(Turns):
    """Turns between ports that do nothing."""

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        raise AssertionError("nothing is sent")

    def told(self) -> list[Event]:
        return [event for _, _, event in self._queue]

    def wait_for(self, seq: int, at_ns: int) -> None:
        """A row is appended and its commit awaited."""
        self._appended[seq] = at_ns

    def look(self, at_ns: int, stub: Stub) -> None:
        """Ten looks a second, as the live loop's, up to that moment."""
        while stub.now_ns < at_ns:
            stub.now_ns += 100 * MS
            self._check_lease()
            self._notice_stall()


@pytest.fixture
def stub() -> Stub:
    return Stub()


@pytest.fixture
def idle(stub: Stub) -> Idle:
    nothing: Any = stub
    return Idle(
        Engine(EngineState(rules=Rules(symbols=("BTCUSDT",)))), clock=stub, venue=nothing, journal=nothing, lease=stub,
        latch=stub, reserve=stub, bundles=nothing, alarm=lambda _: None, timings=nothing,
    )  # fmt: skip


def test_frames_beyond_the_limit_are_refused_and_edges_are_always_taken(
    idle: Idle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refused frame ends its stream; that it is down, and every answer, must still be heard."""
    monkeypatch.setattr(turns, "QUEUE_LIMIT", 2)
    notice = VenueNotice(kind="x", symbol="", detail="", event_ms=0)
    idle.put(notice)
    idle.put(notice)
    with pytest.raises(RuntimeError, match="does not keep up"):
        idle.put(notice)
    down = StreamChanged(stream=Stream.USER, up=False, detail="internal error RuntimeError")
    idle.put(down)
    assert idle.told() == [notice, notice, down]
    assert OrderReport in turns._FRAMES


def test_a_disk_that_says_nothing_has_failed_until_it_speaks(idle: Idle, stub: Stub) -> None:
    idle.engine.state.health.lease_held = True
    began_ns = stub.now_ns
    idle.wait_for(1, began_ns)
    idle.look(began_ns + 4_800 * MS, stub)
    assert idle.told() == []
    idle.look(began_ns + 5_600 * MS, stub)
    (failed,) = idle.told()
    assert isinstance(failed, SinkReport) and (failed.sink, failed.ok) == ("journal", False)
    idle._timings = type("T", (), {"observe_commit": lambda *_: None})()
    idle._committed(Promise(seq=1))
    assert [each.ok for each in idle.told() if isinstance(each, SinkReport)] == [False, True]


def test_a_slow_start_puts_nothing_ahead_of_the_boot(idle: Idle, stub: Stub) -> None:
    """What is decided before it would be told in the name of the run that died."""
    idle._timings = type("T", (), {"observe_lag": lambda *_: None})()
    stub.now_ns += 9_000 * MS
    idle._notice_stall()
    assert idle.told() == []
    stub.now_ns += 9_000 * MS
    idle._notice_stall()
    assert [type(each).__name__ for each in idle.told()] == ["LoopReport"]


def test_no_row_tells_an_earlier_time_than_the_one_before(idle: Idle, stub: Stub) -> None:
    """A frame is stamped as it is queued, and the report of a stall that goes ahead of it later."""
    idle._timings = type("T", (), {"observe_lag": lambda *_: None, "observe_step": lambda *_: None})()
    journal: Any = Rows()
    idle._journal = journal
    idle._venue = type("V", (), {"clock_offset_ms": 0})()
    idle._notice_stall()
    idle.put(VenueNotice(kind="x", symbol="", detail="", event_ms=0))
    stub.now_ns += 12_000 * MS
    idle._notice_stall()
    for stamped in tuple(idle._queue):
        idle._turn(*stamped)
    told = [codec.decode_row(row.body).header for row in journal.rows]
    assert [(each.boot_ns, each.wall_ms) for each in told] == [(stub.now_ns, stub.now_ns // MS)] * 2


def test_the_disk_is_not_blamed_for_a_stop_of_the_process(idle: Idle, stub: Stub) -> None:
    idle.engine.state.health.lease_held = True
    idle._timings = type("T", (), {"observe_lag": lambda *_: None})()
    idle.wait_for(1, stub.now_ns)
    idle.look(stub.now_ns + 200 * MS, stub)
    stub.now_ns += 60_000 * MS
    idle.look(stub.now_ns + 4_000 * MS, stub)
    assert not [each for each in idle.told() if isinstance(each, SinkReport)]


@pytest.mark.parametrize("killed", [True, False])
def test_a_place_whose_kill_is_taken_before_its_task_runs_never_leaves(idle: Idle, *, killed: bool) -> None:
    """One look at the queue takes a commit and a kill; the tasks run after it."""
    tasks: list[Coroutine[Any, Any, None]] = []
    left: list[tuple[Send, Callable[[], str]]] = []

    class Line:
        async def send(self, effect: Send, refusal: Callable[[], str]) -> None:
            left.append((effect, refusal))

    idle.spawn = tasks.append  # type: ignore[method-assign, assignment]
    idle._venue = Line()  # type: ignore[assignment]
    state, place = idle.engine.state, Rig().send(OpKind.PLACE, Intent.INCREASE)
    state.fsm.state, state.fsm.epoch = FsmState.ACTIVE, place.state_epoch
    idle.outbox.submit([place], Promise(settled=True), b"row", state)
    if killed:
        state.fsm.state, state.fsm.epoch = FsmState.EMERGENCY, place.state_epoch + 1
    (task,) = tasks
    with pytest.raises(StopIteration):
        task.send(None)
    denied = [each.outcome for each in idle.told() if isinstance(each, WriteReply)]
    assert denied == ([WriteOutcome.DENIED] if killed else [])
    assert [effect for effect, _ in left] == ([] if killed else [place])
    for _, refusal in left:
        assert refusal() == ""
        state.fsm.state, state.fsm.epoch = FsmState.EMERGENCY, place.state_epoch + 1
        assert refusal(), "a kill while the connection is dialled is not asked about"
