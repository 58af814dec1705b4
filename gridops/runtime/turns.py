"""What happens between two waits of a loop: the queue, one turn per input, and what becomes of its effects.

Journal, step, commit, then effects. The live loop adds asyncio to it, the simulator virtual time; neither changes the
order of anything here. It decides nothing and knows no event loop.
"""

from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from gridops.domain.effects import Answer, Effect, Finish, LatchKill, Query, Send, WriteBundle
from gridops.domain.events import (
    AccountReport,
    Event,
    Header,
    LeaseSeen,
    LoopReport,
    OrderReport,
    SinkReport,
    VenueNotice,
    ViewChanged,
    Woke,
)
from gridops.errors import JournalError
from gridops.runtime.answers import Answers
from gridops.runtime.engine import Engine
from gridops.runtime.outbox import SILENT_MS, Outbox
from gridops.runtime.ports import Bundles, Clock, KillLatch, Lease, Reserve, Timings, Venue
from gridops.runtime.ports_journal import Journal, Token
from gridops.runtime.step import Step

STALL_MS = 500
RESUMED_MS = 1_000
QUEUE_LIMIT = 50_000
"""Frames beyond it are refused, so that their stream ends and is read anew; answers and edges are always taken."""
_FRAMES = (ViewChanged, OrderReport, AccountReport, VenueNotice)
JOURNAL_SILENT_MS = 5_000
"""A row without any word of its commit for so long: the disk hangs, or who writes to it has died."""
GAUGE_EVERY_MS = 250


class Turns:
    """One engine between its ports. A subclass runs coroutines (`spawn`) and decides when to consume."""

    def __init__(
        self,
        engine: Engine,
        *,
        clock: Clock,
        venue: Venue,
        journal: Journal,
        lease: Lease,
        latch: KillLatch,
        reserve: Reserve,
        bundles: Bundles,
        alarm: Callable[[str], None],
        timings: Timings,
    ) -> None:
        self.engine = engine
        self._clock, self._venue, self._journal = clock, venue, journal
        self._lease, self._latch, self._bundles, self._alarm, self._timings = lease, latch, bundles, alarm, timings
        self._answers = Answers(clock)
        self._queue: deque[tuple[int, int, Event]] = deque()
        self._boot_id = clock.boot_id()
        self._finish: Finish | None = None
        self._last_turn_ns = 0
        """Boot time of the newest look; 0 before the first, from which on a gap is a stall."""
        self._stalled_ns = clock.boot_ns()
        self._newest_ns = 0
        """Boot time of the newest row."""
        self._last_gauge_ms = 0
        self._last_lease_ms = 0
        self._journal_ok = True
        self._appended: dict[int, int] = {}
        """Row -> boot time of its append, until its commit is known."""
        self.outbox = Outbox(
            clock=clock, lease=lease, latch=latch, reserve=reserve, launch=self._launch, put=self.put, alarm=alarm
        )

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a send or a query beside the loop."""
        raise NotImplementedError

    def answer_to(self, answer: Callable[[Answer], None]) -> None:
        """Who hears what became of an operator's request, once it is on the disk."""
        self._answers.tell = answer

    def put(self, event: Event) -> None:
        """Queue one input, stamped now. RuntimeError for a frame that the engine will not get to in time."""
        if len(self._queue) >= QUEUE_LIMIT and isinstance(event, _FRAMES):
            raise RuntimeError(f"inbound queue holds {QUEUE_LIMIT} inputs: the engine does not keep up")
        self._queue.append((self._clock.boot_ns(), self._clock.wall_ms(), event))

    def consume(self) -> None:
        """Take every queued input, then the engine's own deadline if it has passed."""
        self._check_lease()
        while self._queue and self._finish is None:
            self._notice_stall()
            self._turn(*self._queue.popleft())
        self._notice_stall()
        if not self._queue and self._due():
            self._turn(self._clock.boot_ns(), self._clock.wall_ms(), Woke())
        self._gauge()

    def _notice_stall(self) -> None:
        """A gap, between turns or inside one, is an input of its own, ahead of everything that waited meanwhile."""
        now_ns = self._clock.boot_ns()
        # A slow start is none: what came ahead of the Boot would be decided in the name of the run before.
        gap_ms = (now_ns - (self._last_turn_ns or now_ns)) // 1_000_000
        self._last_turn_ns = now_ns
        if gap_ms >= STALL_MS:
            self._stalled_ns = now_ns
            self._timings.observe_lag(gap_ms / 1e3)
            resumed = gap_ms >= RESUMED_MS
            self._queue.appendleft((now_ns, self._clock.wall_ms(), LoopReport(lag_ms=gap_ms, resumed=resumed)))

    async def _leave(self, send: Send) -> None:
        """A kill, a new state or a stop may have come between the release and this task's turn: ask once more."""
        allowed = self.outbox.leaving(send, self.engine.state)
        if allowed is not None:
            await self._venue.send(allowed, lambda: self.outbox.refusal(allowed, self.engine.state))

    def _due(self) -> bool:
        wake = self.engine.wake_at_ms
        return self._finish is None and bool(wake) and self._clock.boot_ns() // 1_000_000 >= wake

    def _check_lease(self) -> None:
        now_ms = self._clock.boot_ns() // 1_000_000
        if now_ms - self._last_lease_ms < GAUGE_EVERY_MS:
            return
        self._last_lease_ms = now_ms
        self._check_journal()
        held = self._lease.check()
        if held != self.engine.state.health.lease_held:
            self.put(LeaseSeen(held=held, epoch=self._lease.epoch, valid_until_ms=0))

    def _check_journal(self) -> None:
        """Silence of the disk is a failure as well; what waited while this process stood still does not count."""
        now_ns = self._clock.boot_ns()
        since_ns = self._stalled_ns if now_ns - self._last_turn_ns < STALL_MS * 1_000_000 else now_ns
        oldest_ns = next(iter(self._appended.values()), now_ns)
        silent_ms = (now_ns - max(oldest_ns, since_ns)) // 1_000_000
        if silent_ms >= SILENT_MS:
            self.outbox.disk_silent(TimeoutError(f"no word of a commit for {silent_ms} ms"), self.engine.state)
            self._answers.disk_silent()
        if silent_ms >= JOURNAL_SILENT_MS:
            self._journal_said(False, f"no word of a commit for {silent_ms} ms")

    def _turn(self, boot_ns: int, wall_ms: int, event: Event) -> None:
        state = self.engine.state
        # What waited behind the report of a stall was stamped before it: rows tell a time that never runs back.
        late_ns = max(0, self._newest_ns - boot_ns)
        self._newest_ns = boot_ns + late_ns
        wall_ms += late_ns // 1_000_000
        header = Header(
            seq=state.seq + 1,
            wall_ms=wall_ms,
            boot_ns=self._newest_ns,
            boot_id=self._boot_id,
            venue_ms=wall_ms + self._venue.clock_offset_ms,
        )
        began_ns = self._clock.boot_ns()
        done, body = self.engine.handle(header, event)
        self.outbox.last_step_ns = self._clock.boot_ns()
        self._timings.observe_step((self.outbox.last_step_ns - began_ns) / 1e9)
        try:
            token = self.engine.record(self._journal, header, event, done, body)
            self._appended[header.seq] = self.outbox.last_step_ns
        except JournalError as error:
            token = _Broken(header.seq, error)
            self._journal_said(False, str(error))
        self._execute(done, token, body)

    def _execute(self, done: Step, token: Token, body: bytes) -> None:
        if not done.effects:
            return
        sends = [effect for effect in done.effects if isinstance(effect, Send)]
        if sends:
            self.outbox.submit(sends, token, body, self.engine.state)
        for effect in done.effects:
            if not isinstance(effect, Send):
                self._other(effect, token)

    def _other(self, effect: Effect, token: Token) -> None:
        match effect:
            case Query():
                self.spawn(self._venue.query(effect))
            case WriteBundle():
                self._bundles.write(effect, tuple(self.engine.ring))
            case Answer():
                self._answers.submit(effect, token)
            case LatchKill():
                if effect.latched:
                    self._latch.set(effect.author, effect.reason)
                else:
                    self._latch.clear()
            case Finish():
                self._finish = effect
            case Send():
                raise AssertionError("sends leave through the outbox")

    def _launch(self, send: Send) -> None:
        self.spawn(self._leave(send))

    def _committed(self, token: Token) -> None:
        appended_ns = self._appended.pop(token.seq, 0)
        if appended_ns and token.error is None:
            self._timings.observe_commit((self._clock.boot_ns() - appended_ns) / 1e9)
        self.outbox.committed(token, self.engine.state)
        self._answers.committed(token)
        self._journal_said(token.error is None, str(token.error or ""))

    def _journal_said(self, ok: bool, detail: str) -> None:
        if ok is not self._journal_ok:
            self._journal_ok = ok
            self.put(SinkReport(sink="journal", ok=ok, detail=detail[:200]))

    def _gauge(self) -> None:
        now_ms = self._clock.boot_ns() // 1_000_000
        if now_ms - self._last_gauge_ms >= GAUGE_EVERY_MS:
            self._last_gauge_ms = now_ms
            for sink in self.engine.sinks:
                sink.gauge(self.engine.state)


class _Broken:
    """The token of a row that the journal did not even take."""

    def __init__(self, seq: int, error: BaseException) -> None:
        self.seq, self.error = seq, error

    def done(self) -> bool:
        return True
